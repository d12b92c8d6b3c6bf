package cli

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"octo-operator/config"
)

func TestTheTextLogOfAServiceHasTheDate(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	newLogger(config.Config{LogFormat: "text", LogLevel: "info"}, file).Info("event done", "took", "396ms")
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(\S+) INF event done took=396ms\n$`).FindSubmatch(text)
	if line == nil {
		t.Fatalf("got %q", text)
	}
	stamp, err := time.Parse(time.RFC3339, string(line[1]))
	if err != nil || time.Since(stamp) > time.Hour || !regexp.MustCompile(`\.\d{3}(Z|[+-]\d\d:\d\d)$`).Match(line[1]) {
		t.Errorf("the time is %s, not RFC 3339 with milliseconds: %v", line[1], err)
	}
}

func TestNothingInTheLogColoursATerminalOrEndsALineButTheLogItself(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var text bytes.Buffer
		log := slog.New(collectedLog(&text))
		if terminal {
			log = slog.New(terminalLog(&text, func() int { return 120 }))
		}
		for _, planted := range []string{"a\x1b[2Jb", `a\x1b[2Jb`, "a\r+ helm\nb"} {
			log.Info("event refused", "workload", planted, "reason", errors.New(planted), "quoted", fmt.Errorf("%q", planted))
		}
		own := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(text.Bytes(), nil)
		if bytes.ContainsAny(own, "\x1b\r") || !terminal && bytes.Count(own, []byte("\n")) != 3 || terminal && records(string(own)) != 3 {
			t.Errorf("on a terminal %v: %q", terminal, own)
		}
	}
}
