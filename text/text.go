package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var escapeSequence = NewPattern(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?`)

// Printable takes out what would do something to a terminal or a page instead of being read.
func Printable(line string) string {
	line = escapeSequence.ReplaceAllString(strings.ToValidUTF8(line, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line)
}

// Clip cuts a text to a number of bytes, not within a character.
func Clip(text string, limit int) string {
	const cut = " …"
	if len(text) <= limit {
		return text
	}
	end := max(0, limit-len(cut))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.TrimRight(text[:end], " ") + cut
}

// PrintableLines is printable for a text of several lines: whatever an error quotes, it is read in terminals.
func PrintableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}
