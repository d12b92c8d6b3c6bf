package main

import (
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
