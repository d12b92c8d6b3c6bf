// Package text makes foreign text safe to show in a log, a terminal or a status, and has patterns that cost nothing until they are used.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var escapeSequence = NewPattern(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?`)

// Printable returns a line without escape sequences, and with a space for each character that cannot be printed: on a terminal or a page they would
// have effects.
func Printable(line string) string {
	line = escapeSequence.ReplaceAllString(strings.ToValidUTF8(line, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line)
}

// Clip cuts a text to at most limit bytes, never within a character. " …" marks the cut, and counts towards the limit.
func Clip(text string, limit int) string {
	const mark = " …"
	if len(text) <= limit {
		return text
	}
	return strings.TrimRight(Cut(text, max(0, limit-len(mark))), " ") + mark
}

// PrintableLines is Printable for each line of a text. It is for errors, which may quote anything and are shown in terminals.
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
