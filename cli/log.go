package cli

import (
	"cmp"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"octo-operator/config"
)

// LogLevel is OPERATOR__LOGLEVEL until somebody changes it over HTTP: see package web.
var LogLevel slog.LevelVar

// Load reads the settings, creates the log and writes warnings about the settings there. The settings and the log can be used even if the
// error is not nil; the error says why nothing may be deployed with these settings.
func Load(logTo *os.File) (config.Config, *slog.Logger, error) {
	settings, err := config.Load(os.Environ())
	log := newLogger(settings, logTo)
	for _, warning := range settings.Warnings {
		log.Warn("check the settings", "reason", warning, "next", "correct them and start the operator again: docs/settings.md lists them")
	}
	if len(settings.Ignored) > 0 {
		log.Info("settings without effect here: docs/settings.md says why", "names", strings.Join(settings.Ignored, " "))
	}
	return settings, log, err
}

func newLogger(settings config.Config, to *os.File) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(settings.LogLevel)) // cannot fail: config has checked it
	LogLevel.Set(level)
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: &LogLevel, ReplaceAttr: plainAttr}))
	}
	if term.IsTerminal(int(to.Fd())) {
		return slog.New(terminalLog(to, func() int { return columnsOf(to) }))
	}
	return slog.New(collectedLog(to))
}

// usualColumns is assumed as the width of a terminal that does not report it.
const usualColumns = 120

func columnsOf(terminal *os.File) int { return cmp.Or(terminalWidth(terminal), usualColumns) }
