package text

import (
	"fmt"
	"strings"
	"unicode"
)

// Texts of an event as people see them. A workload's name is any text: in a log or a terminal it must be one line that is read as it
// stands, and not a second record, a colour or a line that is turned round.

const (
	longestShown  = 100 // bytes
	longestQuoted = 60
)

// Escaped is text with what cannot be printed as \u0000. It does not write \x1b: the log, on a terminal, would make an escape sequence of it.
func Escaped(text string) string {
	if !strings.ContainsFunc(text, NotPrinted) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !NotPrinted(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Shown is text for an attribute of a log record: Escaped, and at most 100 bytes of it.
func Shown(text string) string { return Escaped(Shortened(text, longestShown)) }

// Quoted is text for an error: in quotation marks, Escaped, and at most 60 bytes of it.
func Quoted(text string) string { return `"` + Escaped(Shortened(text, longestQuoted)) + `"` }

// Shortened is the first limit bytes of a text and "…", or all of a shorter one.
func Shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return Cut(text, limit) + "…"
}

// NotPrinted tells of a character that Escaped replaces.
func NotPrinted(r rune) bool { return !unicode.IsPrint(r) }
