// Package text has what makes a foreign text safe to show, in a log, a terminal or a status, and patterns that cost nothing until they are
// used.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var escapeSequence = NewPattern(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?`)

// Printable is a line without what would do something to a terminal or a page instead of being read.
func Printable(line string) string {
	line = escapeSequence.ReplaceAllString(strings.ToValidUTF8(line, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line)
}

// Clip cuts a text to at most limit bytes, not within a character; the cut is marked by " …", which counts.
func Clip(text string, limit int) string {
	const mark = " …"
	if len(text) <= limit {
		return text
	}
	return strings.TrimRight(Cut(text, max(0, limit-len(mark))), " ") + mark
}

// PrintableLines is Printable for a text of several lines: whatever an error quotes, it is read in terminals.
func PrintableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}

// Cut returns the beginning of a text: at most limit bytes, and no partial character. It does not mark that something was cut off.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for back := 1; back < utf8.UTFMax && limit > 0 && !utf8.RuneStart(text[limit]); back++ {
		limit--
	}
	return text[:limit]
}
