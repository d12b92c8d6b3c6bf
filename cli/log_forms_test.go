package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"octo-operator/config"
	"octo-operator/dev/fixtures"
)

// demo is the JSON log of make demo: a good and a failing deploy at the same time.
const demo = "testdata/demo.jsonl"

// replay writes the records of demo again, as the operator does: those of each run with a logger of its own.
func replay(t *testing.T, log *slog.Logger) (records int) {
	t.Helper()
	content, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	loggers := map[any]*slog.Logger{}
	for line := range strings.Lines(string(content)) {
		attrs := attributesOf(t, line)
		at, err := time.Parse(time.RFC3339Nano, attrs[0].Value.String())
		if err != nil {
			t.Fatal(err)
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(attrs[1].Value.String())); err != nil {
			t.Fatal(err)
		}
		record, own := slog.NewRecord(at, level, attrs[2].Value.String(), 0), log
		if attrs = attrs[3:]; attrs[0].Key == "run" {
			owner := []any{}
			for len(attrs) > 0 && strings.Contains(" run tenant workload pool release ", " "+attrs[0].Key+" ") {
				owner, attrs = append(owner, attrs[0]), attrs[1:]
			}
			run := fmt.Sprint(owner[0])
			if loggers[run] == nil {
				loggers[run] = log.With(owner...)
			}
			own = loggers[run]
		}
		record.AddAttrs(attrs...)
		if err := own.Handler().Handle(context.Background(), record); err != nil {
			t.Fatal(err)
		}
		records++
	}
	return records
}

// attributesOf reads a JSON object and keeps the order of its fields.
func attributesOf(t *testing.T, line string) (attrs []slog.Attr) {
	t.Helper()
	tokens := json.NewDecoder(strings.NewReader(line))
	tokens.UseNumber()
	_, err := tokens.Token()
	for err == nil && tokens.More() {
		var name, value json.Token
		if name, err = tokens.Token(); err == nil {
			value, err = tokens.Token()
		}
		if number, is := value.(json.Number); is {
			whole, _ := number.Int64()
			value = whole
		}
		attrs = append(attrs, slog.Any(fmt.Sprint(name), value))
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return attrs
}

func TestTheJSONLogHasEveryAttributeAsItIs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	replay(t, newLogger(config.Config{LogFormat: "json", LogLevel: "info"}, file))
	got, gotErr := os.ReadFile(name)
	want, wantErr := os.ReadFile(demo)
	if gotErr != nil || wantErr != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, %v; got\n%s", gotErr, wantErr, got)
	}
}

func TestACollectedLogHasARecordALineInWhichNobodyIsNamedTwice(t *testing.T) {
	var into bytes.Buffer
	replay(t, slog.New(collectedLog(&into)))
	fixtures.Golden(t, "demo-collected.txt", into.Bytes())
	for line := range strings.Lines(into.String()) {
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INF|WRN|ERR) `).MatchString(line) {
			t.Errorf("no record with a date: %s", line)
		}
		for _, name := range []string{"run=", "tenant=", "workload=", "pool="} {
			if strings.Contains(line, " "+name) {
				t.Errorf("%s is there besides the beginning: %s", name, line)
			}
		}
	}
}

func TestTheLogFitsATerminal(t *testing.T) {
	for _, columns := range []int{120, 80} {
		var into bytes.Buffer
		all := replay(t, slog.New(terminalLog(&into, func() int { return columns })))
		plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(into.String(), "")
		fixtures.Golden(t, fmt.Sprintf("demo-terminal-%d.txt", columns), []byte(plain))
		for line := range strings.Lines(plain) {
			words := strings.Fields(strings.TrimSuffix(line, " \\\n"))
			fits := utf8.RuneCountInString(line)-1 <= columns || len(words) <= 2 // or a single long word, such as a directory or a hash, with its name
			if !fits {
				t.Errorf("%d columns: a line has %d: %s", columns, utf8.RuneCountInString(line), line)
			}
		}
		if records(plain) != all {
			t.Errorf("%d columns: %d records of %d", columns, records(plain), all)
		}
	}
}
