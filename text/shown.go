package text

import (
	"fmt"
	"strings"
	"unicode"
)

// The functions in this file make texts of an event safe to show. A workload's name may be any text: in a log or a terminal it must stay one line,
// and not become a second record, a colour, or text in reverse order.

const (
	longestShown  = 100 // bytes
	longestQuoted = 60
)

// Escaped returns text with each character that cannot be printed written as \u0000. It never writes \x1b, of which the log would make an escape
// sequence on a terminal.
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

// Shown returns text for an attribute of a log record: at most 100 bytes of it, Escaped.
func Shown(text string) string { return Escaped(Shortened(text, longestShown)) }

// Quoted returns text for an error: at most 60 bytes of it, Escaped, in quotation marks.
func Quoted(text string) string { return `"` + Escaped(Shortened(text, longestQuoted)) + `"` }

// Shortened returns the first limit bytes of a text and "…", or a shorter text unchanged.
func Shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return Cut(text, limit) + "…"
}

// NotPrinted tells whether Escaped replaces a character.
func NotPrinted(r rune) bool { return !unicode.IsPrint(r) }
