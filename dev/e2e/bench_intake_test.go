package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	intakeEvents   = 4000
	intakeReleases = 200
	intakeBytes    = 1 << 10 // of each event's values
	intakeRounds   = 5
	targetIntake   = 1000 // events/s
)

// benchmarkIntake sends events as fast as the connection takes them, while every lane is busy. An event counts when it is durably on
// disk. By hand the same is written one event after the other, with two syncs for each: of the file and of its directory.
func benchmarkIntake(b *testing.B, results *table) {
	dir := b.TempDir()
	r := newRigWith(b, map[string]string{
		"chart-pull":      pullNothing,
		"workload-deploy": fmt.Sprintf("until [ -e %s/gate ]; do sleep 0.2; done\n", dir),
	}, "OPERATOR__LOGFORMAT=json")
	values := "# " + strings.Repeat("x", intakeBytes) + "\n"
	received := recordCounter{file: r.operator.log, record: []byte(`"event received"`)}
	defer received.close()
	var taken, alone, ratios, cpu []float64
	for round := range intakeRounds {
		used, began := r.operator.cpu(b), time.Now()
		for n := range intakeEvents {
			app := r.backlogWorkload(n % intakeReleases)
			app.ValuesYaml = fmt.Sprintf("%sA: %d\n", values, round*intakeEvents+n)
			r.must(r.controller.Deploy(r.ctx, app))
		}
		for received.count(b) < (round+1)*intakeEvents {
			time.Sleep(time.Millisecond)
		}
		taken = append(taken, intakeEvents/time.Since(began).Seconds())
		cpu = append(cpu, milliseconds(r.operator.cpu(b)-used)/intakeEvents)
		alone = append(alone, writeOneByOne(b, intakeEvents/10, []byte(values)))
		ratios = append(ratios, taken[round]/alone[round])
	}
	r.must(os.WriteFile(filepath.Join(dir, "gate"), nil, 0o600))
	verdict := "ok"
	if median(taken) < targetIntake {
		verdict = "MISSED"
	}
	results.row(fmt.Sprintf("events of 1 KB taken in, of %d", intakeEvents), fmt.Sprintf("%.0f/s", median(taken)), fmt.Sprintf("%.0f/s", median(alone)),
		fmt.Sprintf("%.1f", median(ratios)), span("%.1f", ratios), fmt.Sprintf("%d rounds", intakeRounds), fmt.Sprintf("≥ %d/s", targetIntake), verdict)
	results.note("events taken in, by hand: a program that writes and syncs one after the other; %s events/s by the operator, which takes %.2f ms of CPU time for one", span("%.0f", taken), median(cpu))
	b.ReportMetric(median(taken), "events/s")
	b.ReportMetric(0, "ns/op")
}

// writeOneByOne writes run directories durably, one after the other, and returns how many per second.
func writeOneByOne(b *testing.B, n int, event []byte) float64 {
	b.Helper()
	dir := b.TempDir()
	began := time.Now()
	for i := range n {
		half, run := filepath.Join(dir, ".new"), filepath.Join(dir, fmt.Sprint(i))
		err := errors.Join(os.Mkdir(half, 0o700), os.WriteFile(filepath.Join(half, "event.json"), event, 0o600))
		if err = errors.Join(err, syncPath(filepath.Join(half, "event.json")), os.Rename(half, run), syncPath(dir)); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// recordCounter counts records in a growing log, without reading any part twice.
type recordCounter struct {
	file   string
	record []byte
	open   *os.File
	rest   []byte // an incomplete last line
	found  int
}

func (c *recordCounter) count(b *testing.B) int {
	b.Helper()
	var err error
	if c.open == nil {
		if c.open, err = os.Open(c.file); err != nil {
			b.Fatal(err)
		}
	}
	text, err := io.ReadAll(c.open)
	if err != nil {
		b.Fatal(err)
	}
	text = append(c.rest, text...)
	whole := bytes.LastIndexByte(text, '\n') + 1
	c.found += bytes.Count(text[:whole], c.record)
	c.rest = bytes.Clone(text[whole:])
	return c.found
}

func (c *recordCounter) close() {
	if c.open != nil {
		_ = c.open.Close()
	}
}
