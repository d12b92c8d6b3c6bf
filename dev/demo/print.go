package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
	"sigs.k8s.io/yaml"

	"octo-operator/dev/devcontroller"
)

// columns is the width of lines.
const columns = 110

const (
	bold  = "1"
	green = "32"
)

var onTerminal = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""

func colour(code, text string) string {
	if !onTerminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

var headings int

func heading(title string) {
	headings++
	fmt.Printf("\n\n%s\n", colour(bold, fmt.Sprintf("%d. %s", headings, title)))
}

// field prints a line of the introduction.
func field(name, text string) {
	fmt.Println(wrap(fmt.Sprintf("   %-12s%s", name, text), strings.Repeat(" ", 15), ""))
}

// note prints a text of the narrator.
func note(text string) {
	fmt.Println("\n" + wrap("   "+text, "   ", ""))
}

// label announces the following block.
func label(name, about string) {
	if about != "" {
		about = ": " + about
	}
	fmt.Printf("\n   %s%s\n", colour(green, name), about)
}

// prompt prints a command as if a user had typed it.
func prompt(command string) {
	fmt.Println(colour(bold, wrap("      $ "+command, "          ", ` \`)))
}

// block prints the output of a program.
func block(text string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\t", "  ")) {
		continuation := ""
		if strings.Contains(line, "  command  ") || strings.HasPrefix(line, "+ ") {
			continuation = ` \`
		}
		line = strings.TrimRight("      "+line, " \n")
		fmt.Println(wrap(line, "          ", continuation))
	}
}

// wrap breaks a long line at blanks. Further lines begin with hang; lines that are continued end with continuation.
func wrap(line, hang, continuation string) string {
	var lines []string
	for len(line) > columns {
		cut := strings.LastIndex(line[:columns-len(continuation)], " ")
		if cut <= len(hang) {
			break // one long word
		}
		lines = append(lines, strings.TrimRight(line[:cut], " ")+continuation)
		line = hang + line[cut+1:]
	}
	return strings.Join(append(lines, line), "\n")
}

func (o *operator) printLog(match func(record) bool) {
	for _, r := range o.records(match) {
		block(short(r.String()))
	}
}

// printEnd prints the end of the log, which shows why the story failed.
func (o *operator) printEnd() {
	label("the end of the operator's log", "")
	all := o.records(func(record) bool { return true })
	for _, r := range all[max(0, len(all)-20):] {
		block(short(r.String()))
	}
}

// String formats a record like the operator's text log, without what all lines of a run have in common.
func (r record) String() string {
	line := fmt.Sprint(r["msg"])
	if stamp, ok := r["time"].(string); ok && len(stamp) > len("2006-01-02T15:04:05.000") {
		line = stamp[11:23] + "  " + line
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		switch name {
		case "time", "level", "msg", "run", "tenant", "workload", "release", "pool", "dir", "stream":
		case "cmd":
			line += fmt.Sprintf("  %v", r[name])
		default:
			value, _, more := strings.Cut(fmt.Sprint(r[name]), "\n")
			if more { // the reason of a failure, which is shown in full with the report
				value += " …"
			}
			line += fmt.Sprintf("  %s=%s", name, value)
		}
	}
	return line
}

// printCall prints a report to the controller.
func (d *demo) printCall(call devcontroller.Call) {
	if len(call.Args) == 1 && strings.HasPrefix(string(call.Args[0]), "{") {
		label("reported", call.Method)
		block(asYAML(call.Args[0], true))
		return
	}
	var args []string
	for _, arg := range call.Args {
		args = append(args, string(arg))
	}
	label("reported", "")
	block(call.Method + "(" + strings.Join(args, ", ") + ")")
}

// asYAML formats JSON for people: without empty values, and without false unless falseToo.
func asYAML(text json.RawMessage, falseToo bool) string {
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return string(text)
	}
	maps.DeleteFunc(fields, func(_ string, value any) bool {
		list, isList := value.([]any)
		return value == nil || value == "" || isList && len(list) == 0 || !falseToo && value == false
	})
	document, err := yaml.Marshal(fields)
	if err != nil {
		return string(text)
	}
	return string(document)
}
