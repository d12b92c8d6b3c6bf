package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"octo-operator/bounds"
	"octo-operator/config"
)

// logTime is the format for collected logs. On a terminal the date is left out.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// logLevel is OPERATOR__LOGLEVEL until somebody changes it over HTTP: see package web.
var logLevel slog.LevelVar

func newLogger(settings config.Config, to *os.File) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(settings.LogLevel)) // cannot fail: config has checked it
	logLevel.Set(level)
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: &logLevel, ReplaceAttr: plainAttr}))
	}
	return slog.New(textHandler(to, term.IsTerminal(int(to.Fd()))))
}

func textHandler(to io.Writer, terminal bool) slog.Handler {
	options := &tint.Options{Level: &logLevel, TimeFormat: logTime, NoColor: true, ReplaceAttr: plainAttr}
	if terminal {
		options.TimeFormat, options.NoColor, options.ReplaceAttr = "15:04:05.000", false, withoutEscapes
	}
	return tint.NewTextHandler(to, options)
}

// withoutEscapes is plainAttr for a terminal: there tint makes an escape sequence even of the four characters \x1b.
func withoutEscapes(groups []string, a slog.Attr) slog.Attr {
	a = plainAttr(groups, a)
	if text := a.Value.String(); strings.Contains(text, `\x1b`) {
		a.Value = slog.StringValue(strings.ReplaceAll(text, `\x1b`, `\u001b`))
	}
	return a
}

// longestText is in bytes. The whole output of a script is in its run's output.log; a reason of a failure has 4 KiB.
const longestText = 16 << 10

// plainAttr is the one wall between what somebody has sent and who reads the log: names in events, a chart's and a repository's
// words. No text moves the cursor of a terminal or turns its direction, begins a record of its own, or fills the disk. The log asks
// it for the message too, and for each attribute of a group.
func plainAttr(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && a.Key == slog.MessageKey: // the text format writes it as it is, line breaks too
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
	case nil, slog.Level: // no text
		return slog.AnyValue(v)
	case []string:
		plain := make([]string, len(v))
		for i := range v {
			plain[i] = plainText(v[i])
		}
		return slog.AnyValue(plain)
	}
	return slog.StringValue(plainText(fmt.Sprint(value))) // an error above all
}

// plainText keeps line breaks and tabs, which both formats write as \n and \t.
func plainText(text string) string {
	if length := len(text); length > longestText {
		text = fmt.Sprintf("%s… (%d bytes)", bounds.Cut(text, longestText), length)
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}, text)
}
