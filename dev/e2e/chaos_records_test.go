package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is a run directory as it was left on a disk. The test removes no disks, so those of dead nodes can be read at the end.
type record struct {
	id, dir, state  string
	callback        string
	number          int    // of the event; 0: it has none, like those of pools
	again           bool   // sent again by the controller itself
	version         string // of the chart that it asks for
	outcome, reason string // empty: not finished
	ended           time.Time
	begun           bool
	reporting       bool // its report is not delivered yet
	copied          bool // the cluster has had a copy: if this is a standby's disk, another operator delivers the report
}

// numbered matches the event's number in the workload's name.
var numbered = regexp.MustCompile(`#(\d+)$`)

// recordsIn reads the runs on a disk.
func (c *chaos) recordsIn(state string) (records []record) {
	c.Helper()
	dirs, err := filepath.Glob(filepath.Join(state, "runs", "2*"))
	c.must(err)
	for _, dir := range dirs {
		r, err := readRecord(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // one that was not accepted, or is just being created
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
		Argument struct {
			WorkloadName, ChartVersion string
			IsReconciliation           bool
		}
	}
	if err := readJSON(filepath.Join(dir, "event.json"), &event); err != nil {
		return r, err
	}
	r.callback, r.again, r.version = event.Callback, event.Argument.IsReconciliation, event.Argument.ChartVersion
	if found := numbered.FindStringSubmatch(event.Argument.WorkloadName); found != nil {
		r.number, _ = strconv.Atoi(found[1])
	}
	var result struct {
		Outcome, Reason string
		Ended           time.Time
	}
	if err := readJSON(filepath.Join(dir, "result.json"), &result); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	r.outcome, r.reason, r.ended = result.Outcome, result.Reason, result.Ended
	exists := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	r.begun, r.reporting, r.copied = exists("output.log"), exists("report.json"), exists("copied")
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

// fate is what has become of one accepted event, by all disks.
type fate struct {
	records []record
	event   *event // nil: its callback does not concern a workload
	died    bool   // lost with its node, before it was copied
	worked  bool   // its script was started
	mayFail bool   // its helm was killed, or the operator was killed too often
	givenUp bool   // failed because the operator ended too often
}

// last returns the record that counts: see decides.
func (f *fate) last() record { return f.records[len(f.records)-1] }

// again tells whether the controller itself has sent the event again.
func (f *fate) again() bool { return f != nil && f.event != nil && f.event.Again }

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

// fates returns all accepted events in the order in which they came, which is that of the runs' names. An event that a later operator has
// taken over counts once.
func (c *chaos) fates() (fates []*fate) {
	c.Helper()
	byID := map[string]*fate{}
	for _, state := range c.states {
		for _, r := range c.recordsIn(state) {
			if byID[r.id] == nil {
				byID[r.id] = &fate{}
				fates = append(fates, byID[r.id])
			}
			byID[r.id].records = append(byID[r.id].records, r)
		}
	}
	for _, f := range fates {
		slices.SortStableFunc(f.records, func(a, b record) int {
			return cmp.Or(cmp.Compare(c.decides(a), c.decides(b)), a.ended.Compare(b.ended))
		})
	}
	worked := map[string]bool{}
	for _, entry := range c.trace() {
		worked[entry.run] = true
	}
	for _, f := range fates {
		f.event, f.worked = c.eventOf(f.records[0]), worked[f.last().id]
		f.givenUp = c.endedTooOften(f)
		f.mayFail = f.givenUp || c.helmVictims[f.last().id]
		_, notCopied := c.notCopied[f.last().id]
		f.died = notCopied && f.last().outcome == ""
	}
	slices.SortFunc(fates, func(a, b *fate) int { return strings.Compare(a.last().id, b.last().id) })
	return fates
}

// decides ranks the records of an event: the highest is that of an operator that still has to carry it out, or else the last that has
// done so.
func (c *chaos) decides(r record) int {
	switch {
	case r.outcome != "":
		return 1
	case c.isLiving(r.state):
		return 2
	}
	return 0
}

// eventOf returns the event of a run.
func (c *chaos) eventOf(r record) *event {
	for _, s := range c.sent {
		if s.Number == r.number {
			e := s.event
			if r.again {
				e.Again, e.Version = true, r.version
			}
			return &e
		}
	}
	return nil
}
