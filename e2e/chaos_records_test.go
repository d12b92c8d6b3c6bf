package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// record is a run directory as it was left on one disk. Nobody removes disks here: those of dead nodes can be read at the end.
type record struct {
	id, dir, state  string
	callback        string
	number          int    // of the event; 0: it has none, as the pool's
	outcome, reason string // empty: not finished
	begun           bool
	reporting       bool // its report waits for the controller
}

// numbered finds the event's number in the workload's name.
var numbered = regexp.MustCompile(`#(\d+)$`)

// recordsIn reads the runs on one disk.
func (c *chaos) recordsIn(state string) (records []record) {
	c.Helper()
	dirs, err := filepath.Glob(filepath.Join(state, "runs", "2*"))
	c.must(err)
	for _, dir := range dirs {
		r, err := readRecord(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // one that was never accepted, or is being made
		}
		c.must(err)
		r.state = state
		records = append(records, r)
	}
	return records
}

func readRecord(dir string) (record, error) {
	r := record{id: filepath.Base(dir), dir: dir}
	var event struct {
		Callback string
		Argument struct{ WorkloadName string }
	}
	if err := readJSON(filepath.Join(dir, "event.json"), &event); err != nil {
		return r, err
	}
	r.callback = event.Callback
	if found := numbered.FindStringSubmatch(event.Argument.WorkloadName); found != nil {
		r.number, _ = strconv.Atoi(found[1])
	}
	var result struct{ Outcome, Reason string }
	if err := readJSON(filepath.Join(dir, "result.json"), &result); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	r.outcome, r.reason = result.Outcome, result.Reason
	exists := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	r.begun, r.reporting = exists("output.log"), exists("report.json")
	return r, nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// came is when the event was accepted.
func (r record) came() time.Time {
	came, _ := time.Parse("20060102T150405.000000Z", r.id[:min(len(r.id), 23)])
	return came
}

// fate is what became of one accepted event, on all disks.
type fate struct {
	records []record
	event   *event // nil: of a callback that is no workload's
	died    bool   // with its node, before there was a copy
	mayFail bool   // its helm was killed
}

// last is what the newest disk says: who has taken an event over decides.
func (f *fate) last() record { return f.records[len(f.records)-1] }

func (f *fate) String() string {
	text := f.last().id
	if f.event != nil {
		text = f.event.String()
	}
	for _, r := range f.records {
		text += fmt.Sprintf("\n      %s: %s %s", r.dir, r.outcome, r.reason)
	}
	return text
}

// fates are all accepted events, in the order of their numbers. An event that a later operator has taken over is still one.
func (c *chaos) fates() (fates []*fate) {
	c.Helper()
	byKey := map[string]*fate{}
	for _, state := range c.states {
		for _, r := range c.recordsIn(state) {
			key := r.id
			if r.number > 0 {
				key = strconv.Itoa(r.number)
			}
			if byKey[key] == nil {
				byKey[key] = &fate{}
				fates = append(fates, byKey[key])
			}
			byKey[key].records = append(byKey[key].records, r)
		}
	}
	for _, f := range fates {
		for _, r := range f.records {
			_, notCopied := c.notCopied[r.id]
			f.died = f.died || (notCopied && f.last().outcome == "")
			f.mayFail = f.mayFail || c.helmVictims[r.id]
		}
		for _, s := range c.sent {
			if s.Number == f.records[0].number {
				f.event = &s.event
			}
		}
	}
	slices.SortStableFunc(fates, func(a, b *fate) int { return a.records[0].number - b.records[0].number })
	return fates
}
