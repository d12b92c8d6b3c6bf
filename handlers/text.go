package handlers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var escapeSequence = newPattern(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?`)

// printable takes out what would do something to a terminal or a page instead of being read.
func printable(line string) string {
	line = escapeSequence.ReplaceAllString(strings.ToValidUTF8(line, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line)
}

// clip cuts a text to a number of bytes, not within a character.
func clip(text string, limit int) string {
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

// printableLines is printable for a text of several lines: whatever an error quotes, it is read in terminals.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}
