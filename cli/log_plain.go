package cli

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"octo-operator/text"
)

// withoutEscapes is plainAttr for a terminal, on which tint turns even the four characters \x1b into an escape sequence.
func withoutEscapes(groups []string, a slog.Attr) slog.Attr {
	a = plainAttr(groups, a)
	if text := a.Value.String(); strings.Contains(text, `\x1b`) {
		a.Value = slog.StringValue(strings.ReplaceAll(text, `\x1b`, `\u001b`))
	}
	return a
}

// longestText is in bytes. The reason of a failure has at most 4 KiB; the whole output of a script is in its run's output.log.
const longestText = 16 << 10

// plainAttr protects readers of the log from texts that others have sent: names in events, words of a chart or a repository. No text can
// move a terminal's cursor, change its writing direction, look like another record, or fill the disk. slog calls it for the message too,
// and for each attribute of a group.
func plainAttr(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && a.Key == slog.MessageKey: // the text format does not escape line breaks in messages
		a.Value = slog.StringValue(strings.ReplaceAll(plainText(a.Value.String()), "\n", " "))
	case a.Value.Kind() == slog.KindString:
		a.Value = slog.StringValue(plainText(a.Value.String()))
	case a.Value.Kind() == slog.KindAny:
		a.Value = plainAny(a.Value.Any())
	}
	return a
}

func plainAny(value any) slog.Value {
	switch v := value.(type) {
	case nil, slog.Level: // not a text
		return slog.AnyValue(v)
	case []string:
		plain := make([]string, len(v))
		for i := range v {
			plain[i] = plainText(v[i])
		}
		return slog.AnyValue(plain)
	}
	return slog.StringValue(plainText(fmt.Sprint(value))) // usually an error
}

// plainText cuts a text to longestText and replaces unprintable characters. It keeps line breaks and tabs, which both formats escape.
func plainText(whole string) string {
	if length := len(whole); length > longestText {
		whole = fmt.Sprintf("%s… (%d bytes)", text.Cut(whole, longestText), length)
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}, whole)
}
