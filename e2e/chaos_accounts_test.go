package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// settle lets everything come back and waits until nothing is left to do. What is left all the same is told by the accounts.
func (c *chaos) settle() {
	c.Helper()
	c.keepUp()
	c.waitForAPI()
	left := time.Until(c.began.Add(c.limit * 19 / 20))
	c.Logf("%6.1fs everything is whole again", time.Since(c.began).Seconds())
	quiet, before := time.Now(), -1
	c.waitUntil("everything is done", left, func() bool {
		undone := c.undone()
		if undone != before || c.working() {
			quiet, before = time.Now(), undone
		}
		// What nobody works on will not be done: the accounts say what it is.
		return undone == 0 || time.Since(quiet) > longestQuiet
	})
	c.Logf("%6.1fs everything is done", time.Since(c.began).Seconds())
}

// longestQuiet is what a healthy operator may leave something lying without working on it.
const longestQuiet = 30 * time.Second

// undone counts what is still to be done.
func (c *chaos) undone() (count int) {
	for _, f := range c.fates() {
		last := f.last()
		if (last.outcome == "" && !f.died) || (last.reporting && last.state == c.current.state) {
			count++
		}
	}
	if count > 0 {
		return count
	}
	copies, err := c.copies()
	if err != nil {
		return 1
	}
	return len(copies)
}

// working tells whether a script runs.
func (c *chaos) working() bool {
	return slices.ContainsFunc(processesBelow(c.T, c.current.state), func(p proc) bool { return runOfScript.Match(p.environ) })
}

// accounts are what has become of everything.
type accounts struct {
	accepted, finished, superseded, reported int
	own                                      int // of the pool: the operator's, at its start
	dying, notCopied                         int
	oldest                                   time.Duration // that was not copied
	lost, stuck, disorder, wrong             []string
	secrets, processes, copies, other        []string
}

// settleAccounts comes after the end of the last operator. stuck are releases that were so before their last deploy.
func (c *chaos) settleAccounts(stuck []string) *accounts {
	c.Helper()
	a := &accounts{other: c.badEnds}
	fates := c.fates()
	a.countFates(fates, c.reports())
	a.countUnaccepted(c.sent, fates, c.endedConnections())
	a.stuck, a.wrong = c.stuckReleases(fates)
	a.stuck = append(stuck, slices.DeleteFunc(a.stuck, func(text string) bool { return hasPrefix(stuck, text[:len("shop-0:")]) })...)
	for _, age := range c.notCopied {
		a.oldest = max(a.oldest, age)
	}
	trace, err := os.ReadFile(filepath.Join(c.dir, "trace"))
	c.must(err)
	a.disorder = checkTrace(string(trace))
	for _, p := range processesBelow(c.T, c.dir) {
		a.processes = append(a.processes, p.String())
	}
	a.copies, err = c.copies()
	c.must(err)
	a.secrets = c.secretsLeft()
	for _, violation := range c.controller.ProtocolViolations() {
		a.other = append(a.other, "protocol violation: "+violation)
	}
	a.other = append(a.other, c.cryInLogs()...)
	return a
}

// reports are the success flags that the controller was told, by event.
func (c *chaos) reports() map[int][]bool {
	c.Helper()
	reports := map[int][]bool{}
	for _, call := range c.controller.Calls() {
		if call.Error != "" || (call.Method != "ReportWorkloadDeploymentStatusAsync" && call.Method != "ReportWorkloadScaleStatusAsync") {
			continue
		}
		var s status
		c.must(json.Unmarshal(call.Args[0], &s))
		number := 0
		if found := numbered.FindStringSubmatch(s.WorkloadName); found != nil {
			_, _ = fmt.Sscan(found[1], &number)
		}
		reports[number] = append(reports[number], s.Success)
	}
	return reports
}

// countFates finds events that were accepted and then lost: without an outcome, or without the report of it.
func (a *accounts) countFates(fates []*fate, reports map[int][]bool) {
	for _, f := range fates {
		last := f.last()
		if last.callback == "PoolDeployed" {
			a.own++
			if last.outcome != "succeeded" {
				a.wrong = append(a.wrong, f.String())
			}
			continue
		}
		a.accepted++
		if last.outcome != "" {
			a.finished++
		}
		if f.event != nil && len(reports[f.event.Number]) > 0 {
			a.reported++
		}
		switch {
		case f.died:
			a.notCopied++
		case last.outcome == "":
			a.lost = append(a.lost, fmt.Sprintf("accepted and never finished: %v", f))
		case last.outcome == "superseded":
			a.superseded++
			if !slices.ContainsFunc(fates, f.supersededBy) || strings.Contains(last.reason, "another operator has taken over") {
				a.lost = append(a.lost, fmt.Sprintf("superseded by nothing: %v", f))
			}
		case f.event != nil && f.event.Kind != undeploy && !slices.Contains(reports[f.event.Number], last.outcome == "succeeded"),
			f.event != nil && f.event.Kind == undeploy && last.outcome == "failed" && !slices.Contains(reports[f.event.Number], false):
			a.lost = append(a.lost, fmt.Sprintf("not reported: %v", f))
		case f.event == nil && last.outcome != "succeeded":
			a.wrong = append(a.wrong, f.String())
		}
	}
}

// supersededBy tells whether a newer event made f pointless.
func (f *fate) supersededBy(newer *fate) bool {
	if f.event == nil || newer.event == nil || newer.event.Release != f.event.Release || newer.event.Number <= f.event.Number {
		return false
	}
	switch f.event.Kind {
	case scale:
		return newer.event.Kind == scale || newer.event.Kind == undeploy
	case undeploy:
		return newer.event.Kind == undeploy
	}
	return newer.event.Kind == deploy || newer.event.Kind == badDeploy || newer.event.Kind == undeploy
}

// countUnaccepted: the hub acknowledges nothing, so what was on its way when the connection ended is nobody's loss. But what
// came before an event that was accepted on the same connection has been there, and so has what came on one that lives.
func (a *accounts) countUnaccepted(sent []sentEvent, fates []*fate, ended map[string]bool) {
	accepted := map[int]bool{}
	updates := 0
	for _, f := range fates {
		accepted[f.records[0].number] = true
		if f.records[0].callback == "PreUpdateTenant" {
			updates++
		}
	}
	newest := map[string]int{}
	for _, s := range sent {
		if accepted[s.Number] {
			newest[s.connection] = s.Number
		}
	}
	for _, s := range sent {
		switch {
		case s.Kind == preUpdate:
			if updates--; updates < 0 { // they have no numbers: only how many came is known
				a.dying++
			}
		case accepted[s.Number]:
		case s.connection != "" && (!ended[s.connection] || newest[s.connection] > s.Number):
			a.lost = append(a.lost, fmt.Sprintf("sent on connection %s, which went on, and not accepted: %v", s.connection, s.event))
		default:
			a.dying++
		}
	}
}

// endedConnections tells which connections have ended.
func (c *chaos) endedConnections() map[string]bool {
	ended := map[string]bool{}
	for _, connection := range c.controller.Connections() {
		ended[connection.ID] = connection.Reason != ""
	}
	return ended
}

// secretsLeft finds planted secrets on the disks. A killed operator could not take them out of what it had not finished;
// on a disk that no operator has any more, that is no news.
func (c *chaos) secretsLeft() (found []string) {
	c.Helper()
	for i, state := range c.states {
		var unfinished []string
		if i < len(c.states)-1 {
			for _, r := range c.recordsIn(state) {
				if r.outcome == "" {
					unfinished = append(unfinished, r.dir+"/")
				}
			}
			unfinished = append(unfinished, filepath.Join(state, "runs", ".new-"))
		}
		c.must(filepath.WalkDir(state, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || hasAnyPrefix(path, unfinished) {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), plantedKey) {
				found = append(found, path)
			}
			return err
		}))
	}
	return found
}

func hasAnyPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// cryInLogs finds what must be in no log.
func (c *chaos) cryInLogs() (found []string) {
	c.Helper()
	for _, l := range c.lives {
		text, err := os.ReadFile(l.log)
		c.must(err)
		for _, cry := range []string{"DATA RACE", "panic:", plantedKey} {
			if at := strings.Index(string(text), cry); at >= 0 {
				found = append(found, fmt.Sprintf("%s: %s", l.log, text[at:min(len(text), at+1000)]))
			}
		}
	}
	return found
}

func TestTheAccountsShowWhatIsLost(t *testing.T) {
	shop := func(number int, kind eventKind) *event { return &event{Number: number, Kind: kind} }
	reports := map[int][]bool{1: {true}, 2: {false}, 3: {true}, 6: {false, true}}
	for _, test := range []struct {
		what    string
		event   *event
		outcome string
		lost    int
	}{
		{"done and reported", shop(1, deploy), "succeeded", 0},
		{"failed and reported", shop(2, badDeploy), "failed", 0},
		{"reported otherwise", shop(3, deploy), "failed", 1},
		{"not reported", shop(4, scale), "succeeded", 1},
		{"not finished", shop(5, deploy), "", 1},
		{"reported twice, the first time before it was killed", shop(6, deploy), "succeeded", 0},
		{"an undeploy has no report", shop(7, undeploy), "succeeded", 0},
		{"unless it has failed", shop(8, undeploy), "failed", 1},
		{"superseded by nothing", shop(9, deploy), "superseded", 1},
	} {
		a := &accounts{}
		a.countFates([]*fate{{event: test.event, records: []record{{number: test.event.Number, outcome: test.outcome}}}}, reports)
		if len(a.lost) != test.lost {
			t.Errorf("%s: %q is lost, want %d", test.what, a.lost, test.lost)
		}
	}
	a := &accounts{}
	a.countFates([]*fate{
		{event: shop(1, deploy), records: []record{{number: 1, outcome: "superseded"}}},
		{event: shop(2, undeploy), records: []record{{number: 2, outcome: "succeeded"}}},
	}, nil)
	if len(a.lost) != 0 || a.superseded != 1 {
		t.Errorf("superseded by an undeploy: %+v", a)
	}
}

func TestWhatNeverArrivedIsLostUnlessItsConnectionDied(t *testing.T) {
	accepted := []*fate{{records: []record{{number: 1}}}, {records: []record{{number: 3}}}}
	for _, test := range []struct {
		number      int
		connection  string
		lost, dying int
	}{
		{2, "dead", 1, 0}, // #3 came on it later
		{4, "dead", 0, 1},
		{4, "alive", 1, 0},
		{4, "", 0, 1},
	} {
		sent := []sentEvent{{event{Number: 1}, "dead"}, {event{Number: 3}, "dead"}, {event{Number: test.number}, test.connection}}
		a := &accounts{}
		a.countUnaccepted(sent, accepted, map[string]bool{"dead": true})
		if len(a.lost) != test.lost || a.dying != test.dying {
			t.Errorf("#%d on connection %q: %d are lost and %d were sent into a dying connection", test.number, test.connection, len(a.lost), a.dying)
		}
	}
}
