package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Keys of a command's annotations: parts of its --help that cobra has no field for.
const (
	exitCodes   = "exit codes"
	files       = "files"
	environment = "environment"
)

// usualExitCodes is the end of most commands' --help.
const usualExitCodes = `0  done
1  not done; standard error says why, and what to do`

// printManual prints a command's --help in the form of a man page, the same for all. A part that a command does not have is left out.
func printManual(cmd *cobra.Command, _ []string) {
	to := cmd.OutOrStdout()
	first, size := utf8.DecodeRuneInString(cmd.Short)
	codes := cmd.Annotations[exitCodes]
	if codes == "" {
		codes = usualExitCodes
	}
	for _, part := range []struct{ title, text string }{
		{"NAME", cmd.CommandPath() + " - " + string(unicode.ToLower(first)) + cmd.Short[size:]},
		{"SYNOPSIS", synopsis(cmd)},
		{"DESCRIPTION", cmd.Long},
		{"COMMANDS", commandTable(cmd)},
		{"OPTIONS", cmd.NonInheritedFlags().FlagUsages()},
		{"EXAMPLES", cmd.Example},
		{"EXIT CODES", codes},
		{"FILES", cmd.Annotations[files]},
		{"ENVIRONMENT", cmd.Annotations[environment]},
	} {
		printSection(to, part.title, part.text)
	}
}

// printSection prints a part with the same indentation, whatever that of its text is. An empty part is left out.
func printSection(to io.Writer, title, body string) {
	lines := strings.Split(strings.Trim(body, "\n"), "\n")
	own := len(body)
	for _, line := range lines {
		if line != "" {
			own = min(own, len(line)-len(strings.TrimLeft(line, " ")))
		}
	}
	if body == "" {
		return
	}
	if title != "NAME" {
		fmt.Fprintln(to)
	}
	fmt.Fprintln(to, title)
	for _, line := range lines {
		fmt.Fprintln(to, strings.TrimRight("    "+line[min(own, len(line)):], " "))
	}
}

// synopsis has a line for the command itself, and one for its subcommands.
func synopsis(cmd *cobra.Command) string {
	var lines []string
	if cmd.Runnable() {
		lines = append(lines, cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		lines = append(lines, cmd.CommandPath()+" COMMAND")
	}
	return strings.Join(lines, "\n")
}

func commandTable(cmd *cobra.Command) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, "%-10s  %s\n", sub.Name(), sub.Short)
		}
	}
	if b.Len() > 0 {
		fmt.Fprintf(&b, "\n%s COMMAND --help says more of each.", cmd.CommandPath())
	}
	return b.String()
}
