package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An event during which the operator was killed in three lives fails on purpose, because it may be the cause. Here it is not, so
// such a failure is right only if the test has killed the operator so often.

const tooOften = "the operator ended 3 times while it worked on this event"

// endedTooOften tells whether a run has failed for that reason, and rightly. The notes move with the event from disk to disk.
func (c *chaos) endedTooOften(f *fate) bool {
	c.Helper()
	r := f.last()
	if r.outcome != "failed" || !strings.HasPrefix(r.reason, tooOften) {
		return false
	}
	// A line for each life that ended while it worked on the run.
	notes, err := os.ReadFile(filepath.Join(r.dir, "begun"))
	if !errors.Is(err, fs.ErrNotExist) {
		c.must(err)
	}
	var begun []time.Time
	for line := range strings.Lines(string(notes)) {
		note, err := time.Parse(time.RFC3339, strings.TrimSpace(line))
		c.must(err)
		begun = append(begun, note)
	}
	var lives []*life
	for _, l := range c.lives {
		if (!l.killed.IsZero() || !l.cut.IsZero()) && c.tookUp(l, r.id) {
			lives = append(lives, l)
		}
	}
	return killsDuring(begun, lives) == 3
}

// tookUp tells whether a life has had an event in its lanes, by its log. Its disk may not have it any more: when another operator leads,
// unfinished runs are removed.
func (c *chaos) tookUp(l *life, run string) bool {
	log, err := os.ReadFile(l.log)
	c.must(err)
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, run) && (strings.Contains(line, `"event received"`) || strings.Contains(line, `"event resumed"`)) {
			return true
		}
	}
	return false
}

// killsDuring counts the notes of lives that were killed, or cut off from the API server so that the next leader took them for killed: at
// most one for each life. Notes have a precision of one second.
func killsDuring(notes []time.Time, ended []*life) (count int) {
	// A note that fits several lives counts for the one that ended first, because only another life may fit a later note.
	byEnd := slices.SortedFunc(slices.Values(ended), func(a, b *life) int { return cmp.Or(a.killed, a.cut).Compare(cmp.Or(b.killed, b.cut)) })
	for _, note := range notes {
		left := slices.IndexFunc(byEnd, func(l *life) bool {
			return !note.Before(l.started.Truncate(time.Second)) && !note.After(cmp.Or(l.killed, l.cut))
		})
		if left >= 0 {
			count++
			byEnd = slices.Delete(byEnd, left, left+1)
		}
	}
	return count
}

// killsInTrace counts for each run the lives on one disk that were killed while a script worked on it.
func killsInTrace(trace []traceEntry, lives []*life) map[string]int {
	killed, ended := map[int]string{}, map[int]bool{} // by process id
	for _, l := range lives {
		if !l.killed.IsZero() {
			killed[l.pid] = l.state
		}
	}
	for _, e := range trace {
		ended[e.pid] = ended[e.pid] || e.what == "end"
	}
	type work struct {
		run, state string
		life       int
	}
	counted, byDisk, most := map[work]bool{}, map[work]int{}, map[string]int{}
	for _, e := range trace {
		state, wasKilled := killed[e.life]
		w := work{e.run, state, e.life}
		if e.what != "start" || e.number == 0 || !wasKilled || ended[e.pid] || counted[w] {
			continue
		}
		counted[w] = true
		byDisk[work{run: e.run, state: state}]++
		most[e.run] = max(most[e.run], byDisk[work{run: e.run, state: state}])
	}
	return most
}

// countGivenUp finds events that were tried a fourth time after three kills.
func (a *accounts) countGivenUp(fates []*fate, kills map[string]int) {
	for _, f := range fates {
		if f.givenUp {
			a.givenUp++
		}
		if last := f.last(); kills[last.id] >= 3 && !f.givenUp && last.outcome != "superseded" {
			a.wrong = append(a.wrong, fmt.Sprintf("the operator was killed %d times while it worked on it, and yet it was tried again: %v", kills[last.id], f))
		}
	}
}

func TestThreeKillsDuringTheWorkOnAnEventAreOneNoteEach(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	lives := []*life{
		{started: at(1.9), killed: at(2.1)}, {started: at(2.2), killed: at(2.8)}, {started: at(2.9), killed: at(5.5)},
	}
	cutOff := []*life{lives[0], lives[1], {started: at(2.9), cut: at(5.5)}}
	if got := killsDuring([]time.Time{at(2), at(2), at(5)}, cutOff); got != 3 {
		t.Errorf("two kills, and one life that was cut off: %d", got)
	}
	standby := []*life{{started: at(0), killed: at(9.5)}, {started: at(2.9), cut: at(5.5)}} // the standby takes over from one that was cut off
	if got := killsDuring([]time.Time{at(5), at(9)}, standby); got != 2 {
		t.Errorf("a life that was cut off, and then the standby: %d", got)
	}
	for _, test := range []struct {
		notes []time.Time
		want  int
	}{
		{nil, 0},
		{[]time.Time{at(1), at(2), at(2)}, 3},
		{[]time.Time{at(2), at(2), at(5)}, 3},
		{[]time.Time{at(2), at(5), at(5)}, 2}, // two in one life
		{[]time.Time{at(0), at(2), at(5)}, 2}, // one before all lives
		{[]time.Time{at(2), at(2), at(6)}, 2}, // one after them
	} {
		if got := killsDuring(test.notes, lives); got != test.want {
			t.Errorf("notes at %v: %d kills, want %d", test.notes, got, test.want)
		}
	}
}

func TestAnEventThatIsTriedAgainAfterThreeKillsIsFound(t *testing.T) {
	killedAt := time.Unix(1000, 0)
	lives := []*life{
		{pid: 1, state: "a", killed: killedAt}, {pid: 2, state: "a", killed: killedAt}, {pid: 3, state: "a", killed: killedAt},
		{pid: 4, state: "b", killed: killedAt}, {pid: 5, state: "a"},
	}
	start := func(life, pid int) string {
		return fmt.Sprintf("start r 7 workload-deploy run life %d pid %d\n", life, pid)
	}
	end := func(life, pid int) string {
		return fmt.Sprintf("end r 7 workload-deploy run life %d pid %d code 0\n", life, pid)
	}
	for _, test := range []struct {
		what, trace string
		kills       int
	}{
		{"three lives on one disk", start(1, 11) + start(2, 12) + start(3, 13), 3},
		{"one life twice", start(1, 11) + start(1, 12) + start(2, 13), 2},
		{"the script had ended", start(1, 11) + end(1, 11) + start(2, 12) + start(3, 13), 2},
		{"on two disks", start(1, 11) + start(2, 12) + start(4, 13), 2},
		{"a life that was not killed", start(1, 11) + start(2, 12) + start(5, 13), 2},
	} {
		if got := killsInTrace(parseTrace(test.trace), lives)["run"]; got != test.kills {
			t.Errorf("%s: %d kills, want %d", test.what, got, test.kills)
		}
	}
	for outcome, wrong := range map[string]int{"succeeded": 1, "failed": 1, "superseded": 0} {
		a := &accounts{}
		a.countGivenUp([]*fate{{records: []record{{id: "run", outcome: outcome}}}}, map[string]int{"run": 3})
		if len(a.wrong) != wrong {
			t.Errorf("%s after three kills: %q", outcome, a.wrong)
		}
	}
}
