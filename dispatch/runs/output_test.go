package runs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestOutputLinesHaveTimeAndStream(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	at := time.Date(2026, 11, 23, 14, 5, 6, 7_890_000, time.FixedZone("", 3600))
	for range 2 { // the second appends
		output, err := run.OpenOutput()
		must(t, err)
		output.Line(at, "stdout", "first")
		output.Line(at, "stderr", "")
		must(t, output.Close())
	}
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if want := strings.Repeat("13:05:06.007 stdout first\n13:05:06.007 stderr \n", 2); string(text) != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestOutputLinesFromManyGoroutinesStayWhole(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	output, err := run.OpenOutput()
	must(t, err)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() { output.Line(time.Time{}, "stdout", fmt.Sprintf("line %d", i)) })
	}
	all.Wait()
	must(t, output.Close())
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if lines := regexp.MustCompile(`(?m)^00:00:00.000 stdout line \d$`).FindAll(text, -1); len(lines) != 10 {
		t.Errorf("got %q", text)
	}
}

func TestAFullDiskIsToldAtTheEndOfTheOutput(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, os.Symlink("/dev/full", run.Path("output.log")))
	output, err := run.OpenOutput()
	must(t, err)
	output.Line(time.Now(), "stdout", "lost")
	if err := output.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

func TestOutputThatIsTooLongIsCutAndSaysSoOnce(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	long := strings.Repeat("x", 1<<20)
	for range 2 { // the event is tried again
		output, err := run.OpenOutput()
		must(t, err)
		for range 40 {
			output.Line(time.Now(), "stderr", long)
		}
		must(t, output.Close())
	}
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if len(text) > 66<<20 || strings.Count(string(text), "output cut") != 1 || !bytes.HasSuffix(text, []byte(" bytes\n")) {
		t.Errorf("it has %d bytes and ends in %q", len(text), text[len(text)-100:])
	}
}
