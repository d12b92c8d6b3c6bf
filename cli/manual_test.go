package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"octo-operator/dev/fixtures"
)

// everyCommand is the program itself and each command that is listed in a --help.
func everyCommand(t *testing.T) []*cobra.Command {
	t.Helper()
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all = append(all, cmd)
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(Command("v1.2.3", func() error { return nil }))
	if len(all) < 4 {
		t.Fatalf("%d commands", len(all))
	}
	return all
}

func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var out bytes.Buffer
	root := Command("v1.2.3", func() error { return nil })
	root.SetOut(&out)
	root.SetArgs(append(strings.Fields(cmd.CommandPath())[1:], "--help"))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestEachCommandsHelpIsAManPageWithExamplesAndExitCodes(t *testing.T) {
	var all strings.Builder
	for _, cmd := range everyCommand(t) {
		help := helpOf(t, cmd)
		all.WriteString(help + "\n" + strings.Repeat("=", 80) + "\n\n")
		var titles []string
		for line := range strings.Lines(help) {
			line = strings.TrimRight(line, "\n")
			if line != "" && line[0] != ' ' {
				titles = append(titles, line)
			}
			if columns := len([]rune(line)); columns > 132 {
				t.Errorf("%s: a line of %d columns: %s", cmd.CommandPath(), columns, line)
			}
		}
		form := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXAMPLES", "EXIT CODES", "FILES", "ENVIRONMENT"}
		var want []string
		for _, title := range form {
			if slices.Contains(titles, title) || !slices.Contains([]string{"COMMANDS", "FILES", "ENVIRONMENT"}, title) {
				want = append(want, title)
			}
		}
		if !slices.Equal(titles, want) {
			t.Errorf("%s has the parts %q, not %q", cmd.CommandPath(), titles, want)
		}
		if !strings.Contains(help, "octo-operator") || strings.Contains(help, "Exit code") || strings.Contains(help, "Exits ") {
			t.Errorf("%s tells of exit codes elsewhere than under EXIT CODES:\n%s", cmd.CommandPath(), help)
		}
	}
	fixtures.Golden(t, "manual.txt", []byte(all.String()))
}
