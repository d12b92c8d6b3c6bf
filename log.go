package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

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
		return slog.New(plainHandler{slog.NewJSONHandler(to, &slog.HandlerOptions{Level: &logLevel})})
	}
	return slog.New(textHandler(to, term.IsTerminal(int(to.Fd()))))
}

func textHandler(to io.Writer, terminal bool) slog.Handler {
	options := &tint.Options{Level: &logLevel, TimeFormat: logTime, NoColor: true}
	if terminal {
		options = &tint.Options{Level: &logLevel, TimeFormat: "15:04:05.000", ReplaceAttr: withoutEscapes}
	}
	return plainHandler{tint.NewTextHandler(to, options)}
}

// withoutEscapes is for a terminal: tint turns even the four characters \x1b into an escape sequence.
func withoutEscapes(_ []string, a slog.Attr) slog.Attr {
	if text := a.Value.String(); strings.Contains(text, `\x1b`) {
		a.Value = slog.StringValue(strings.ReplaceAll(text, `\x1b`, `\u001b`))
	}
	return a
}

// plainHandler protects whoever reads the log from texts that somebody has sent: names in events, words of a chart or a repository. No
// text can move a terminal's cursor, change its writing direction, look like a record of its own, or fill the disk.
type plainHandler struct{ slog.Handler }

// longestText is in bytes. The whole output of a script is in its run's output.log. The reason of a failure has at most 4 KiB.
const longestText = 16 << 10

func (h plainHandler) Handle(ctx context.Context, record slog.Record) error {
	// The text format does not escape line breaks in messages.
	plain := slog.NewRecord(record.Time, record.Level, strings.ReplaceAll(plainText(record.Message), "\n", " "), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		plain.AddAttrs(plainAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, plain)
}

// WithAttrs implements slog.Handler.
func (h plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	plain := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		plain = append(plain, plainAttr(a))
	}
	return plainHandler{h.Handler.WithAttrs(plain)}
}

// WithGroup implements slog.Handler.
func (h plainHandler) WithGroup(name string) slog.Handler {
	return plainHandler{h.Handler.WithGroup(name)}
}

func plainAttr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(plainText(value.String()))
	case slog.KindGroup:
		var group []slog.Attr
		for _, inner := range value.Group() {
			group = append(group, plainAttr(inner))
		}
		a.Value = slog.GroupValue(group...)
	case slog.KindAny:
		switch v := value.Any().(type) {
		case nil:
		case []string:
			plain := make([]string, len(v))
			for i := range v {
				plain[i] = plainText(v[i])
			}
			a.Value = slog.AnyValue(plain)
		default: // usually an error
			a.Value = slog.StringValue(plainText(fmt.Sprint(v)))
		}
	}
	return a
}

// plainText cuts a text to longestText and replaces what is not printable. It keeps line breaks and tabs, which both formats escape.
func plainText(text string) string {
	if length := len(text); length > longestText {
		at := longestText
		for at > longestText-utf8.UTFMax && !utf8.RuneStart(text[at]) {
			at--
		}
		text = fmt.Sprintf("%s… (%d bytes)", text[:at], length)
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}, text)
}
