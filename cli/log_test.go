package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"octo-operator/config"
)

// hostile is a text that a tenant may put into a name, or a chart into helm's output: it clears the screen, changes the direction of
// writing, has a control sequence in one byte, and a line of its own.
const hostile = "a\x1b[2Jb\u202ec\u009b2Jd\xff\u2028e\x00f\r+ helm uninstall everything\n2026-01-01T00:00:00.000Z ERR forged reason=x"

func logged(t *testing.T, format string) []string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := newLogger(config.Config{LogFormat: format, LogLevel: "info"}, file)
	log.With("level", hostile).WithGroup("group").Info(hostile, "name", hostile, "reason", errors.New(hostile), "names", []string{hostile}, "none", nil)
	log.Info("long", "name", strings.Repeat("é", 2<<20), "reason", errors.New(strings.Repeat("x", 4<<20)))
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

func TestNoTextForgesARecordOrReachesTheTerminal(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		lines := logged(t, format)
		if len(lines) != 2 {
			t.Fatalf("%s: %d records of two:\n%q", format, len(lines), lines)
		}
		for _, r := range strings.TrimSuffix(lines[0], "\n") {
			if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
				t.Errorf("%s: %q is in the log:\n%q", format, r, lines[0])
			}
		}
		for _, kept := range []string{"helm uninstall everything", "forged", "b?c?2Jd"} {
			if n := strings.Count(lines[0], kept); n != 5 {
				t.Errorf("%s: %q is there %d times:\n%s", format, kept, n, lines[0])
			}
		}
		if format == "json" && json.Unmarshal([]byte(lines[0]), &map[string]any{}) != nil {
			t.Errorf("no JSON: %s", lines[0])
		}
	}
}

// The log itself only uses colours. Any other escape sequence comes from a text of others.
func TestOnATerminalOnlyTheLogsOwnColoursAreObeyed(t *testing.T) {
	var into bytes.Buffer
	log := slog.New(terminalLog(&into, func() int { return 80 }))
	for _, planted := range []string{hostile, `a\x1b[2Jb`, fmt.Sprintf("%q", hostile)} {
		log.Info(planted, "name", planted, "reason", errors.New(planted))
		log.With("run", planted, "tenant", planted, "workload", planted, "release", planted).Info(planted, "stream", planted, "cmd", planted)
	}
	text := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(into.String(), "")
	if strings.ContainsAny(text, "\x1b\r\u009b\u202e") || records(text) != 6 {
		t.Errorf("%q", into.String())
	}
}

// records counts the lines that begin with a time: those of a record that are below its first one are indented.
func records(onTerminal string) (n int) {
	for line := range strings.Lines(onTerminal) {
		switch {
		case regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} (INF|WRN|ERR) `).MatchString(line):
			n++
		case !strings.HasPrefix(line, indent):
			return -1
		}
	}
	return n
}

func TestNoTextFillsTheDiskThroughTheLog(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		if line := logged(t, format)[1]; len(line) > 3*longestText || !strings.Contains(line, "x… (4194304 bytes)") || !strings.Contains(line, "é… (4194304 bytes)") {
			t.Errorf("%s: %d bytes, %.100s", format, len(line), line)
		}
	}
}
