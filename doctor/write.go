package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// marks are shown as words, which are clear without colours too. The colours are those of terminals: red, yellow, green, grey.
var marks = map[Mark]struct{ word, colour string }{
	OK:   {"ok", "32"},
	Warn: {"warn", "33"},
	Fail: {"FAIL", "31;1"},
	Skip: {"skip", "90"},
}

// WriteText writes a finding for people: a line, and below it, indented, what to do.
func WriteText(to io.Writer, f Finding, colours bool) {
	mark := fmt.Sprintf("%-4s", marks[f.Mark].word)
	if colours {
		mark = "\x1b[" + marks[f.Mark].colour + "m" + mark + "\x1b[0m"
	}
	fmt.Fprintf(to, "%s  %s: %s\n", mark, f.Check, f.Found)
	if f.Do != "" {
		fmt.Fprintf(to, "        do: %s\n", f.Do)
	}
}

// Summary counts all findings in one line.
func (r Report) Summary() string {
	parts := []string{fmt.Sprintf("%d ok", r.OK)}
	for _, part := range []struct {
		n    int
		what string
	}{{r.Warnings, "to look at"}, {r.Failed, "failed"}, {r.Skipped, "not looked at"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

// WriteJSON writes the report for a program.
func (r Report) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
