package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// settle lets all parts come back and waits until nothing is left to do. The accounts report what is left nevertheless.
func (c *chaos) settle() {
	c.Helper()
	c.keepUp()
	c.away.wait()
	c.waitForAPI()
	left := time.Until(c.began.Add(c.limit * 19 / 20))
	c.Logf("%6.1fs everything is whole again", time.Since(c.began).Seconds())
	quiet, before := time.Now(), -1
	c.waitUntil("everything is done", left, func() bool {
		undone := c.undone()
		if undone != before || c.working() {
			quiet, before = time.Now(), undone
		}
		// No script has worked for long: what is undone stays so, and the accounts report it.
		return undone == 0 || time.Since(quiet) > longestQuiet
	})
	c.Logf("%6.1fs everything is done", time.Since(c.began).Seconds())
}

// longestQuiet is how long a healthy operator may have something undone without a script at work: a deploy waits for its pods for
// helmTimeout, and a report that was rejected three times for 30 s.
const longestQuiet = helmTimeout + 30*time.Second

// undone counts what is not done yet.
func (c *chaos) undone() (count int) {
	for _, f := range c.fates() {
		last := f.last()
		onStandby := c.standby != nil && last.state == c.standby.state
		waits := last.reporting && c.isLiving(last.state) && (!last.copied || !onStandby)
		if (last.outcome == "" && !f.died) || waits {
			count++
		}
	}
	if count += len(c.controller.Pending()) + c.untold(); count > 0 {
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
	return slices.ContainsFunc(c.living(), func(l *life) bool {
		return slices.ContainsFunc(processesBelow(c.T, l.state), func(p proc) bool { return runOfScript.Match(p.environ) })
	})
}

// accounts count what has become of all events.
type accounts struct {
	accepted, finished, superseded, reported    int
	own                                         int // events of the pools that the operator itself makes at its start
	dying, notCopied, madeGood                  int
	again, repeated                             int           // events that the controller has sent again
	outdated                                    int           // statuses that newer ones have replaced
	givenUp                                     int           // after three kills
	revisions, explained                        int           // explained: several revisions of one event, with a known cause
	oldest                                      time.Duration // age of the oldest event that was not copied
	lost, stuck, disorder, wrong, status, twice []string
	secrets, processes, copies, other           []string
}

// settleAccounts is called after the end of the last operator. stuck are the releases that were stuck before their last deploy,
// wrongState the wrong reports of the deployed state.
func (c *chaos) settleAccounts(stuck, wrongState []string) *accounts {
	c.Helper()
	a := &accounts{other: c.badEnds}
	fates := c.fates()
	statuses, trace := c.statuses(), c.trace()
	a.countFates(fates, byEvent(statuses), c.outdated())
	a.countUnaccepted(c.sent, fates, c.endedConnections())
	a.countGivenUp(fates, killsInTrace(trace, c.lives))
	a.countRevisions(trace, fates)
	a.twice = append(a.twice, c.revisionsTwice(trace)...)
	a.disorder = checkTrace(trace, againRuns(fates))
	a.status = append(wrongStatuses(fates, statuses), wrongState...)
	for _, w := range c.controller.Pending() {
		a.status = append(a.status, "the controller still waits for the status of "+w.Name)
	}
	stuckNow, wrong := c.stuckReleases(fates)
	a.wrong = append(a.wrong, wrong...)
	a.stuck = append(stuckNow, slices.DeleteFunc(stuck, func(text string) bool { return hasPrefix(stuckNow, text[:len("shop-0:")]) })...)
	for _, age := range c.notCopied {
		a.oldest = max(a.oldest, age)
	}
	for _, p := range processesBelow(c.T, c.dir) {
		a.processes = append(a.processes, p.String())
	}
	var err error
	a.copies, err = c.copies()
	c.must(err)
	a.secrets = c.secretsLeft()
	for _, violation := range c.controller.ProtocolViolations() {
		a.other = append(a.other, "protocol violation: "+violation)
	}
	a.other = append(a.other, c.cryInLogs()...)
	return a
}

// countUnaccepted counts events that were sent and never accepted. The hub acknowledges nothing, so nobody is to blame for an event that
// was under way when the connection ended. But an event has arrived if a later one was accepted on the same connection, or if the
// connection still lives.
func (a *accounts) countUnaccepted(sent []sentEvent, fates []*fate, ended map[string]bool) {
	accepted, again := map[int]bool{}, map[int]bool{}
	updates := 0
	for _, f := range fates {
		first := f.records[0]
		accepted[first.number] = accepted[first.number] || !first.again
		again[first.number] = again[first.number] || first.again
		if first.callback == "PreUpdateTenant" {
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
			if updates--; updates < 0 { // updates have no numbers: only how many came is known
				a.dying++
			}
		case accepted[s.Number]:
		case s.connection != "" && (!ended[s.connection] || newest[s.connection] > s.Number):
			a.lost = append(a.lost, fmt.Sprintf("sent on connection %s, which went on, and not accepted: %v", s.connection, s.event))
		default:
			a.dying++
			if again[s.Number] {
				a.madeGood++
			}
		}
	}
}

// endedConnections are the connections that have ended.
func (c *chaos) endedConnections() map[string]bool {
	ended := map[string]bool{}
	for _, connection := range c.controller.Connections() {
		ended[connection.ID] = connection.Reason != ""
	}
	return ended
}

// secretsLeft finds planted secrets on the disks. A killed operator could not remove them from its unfinished runs; on a disk that no
// operator uses any more, that is expected.
func (c *chaos) secretsLeft() (found []string) {
	c.Helper()
	for _, state := range c.states {
		var unfinished []string
		if !c.isLiving(state) {
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

// cryInLogs finds messages that must not be in any log.
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

func TestWhatNeverArrivedIsLostUnlessItsConnectionDied(t *testing.T) {
	accepted := []*fate{{records: []record{{number: 1}}}, {records: []record{{number: 3}}}, {records: []record{{number: 5, again: true}}}}
	for _, test := range []struct {
		number                int
		connection            string
		lost, dying, madeGood int
	}{
		{2, "dead", 1, 0, 0}, // #3 was accepted on it later
		{4, "dead", 0, 1, 0},
		{4, "alive", 1, 0, 0},
		{4, "", 0, 1, 0},
		{5, "dead", 0, 1, 1},
		{5, "alive", 1, 0, 0}, // although it was sent again
	} {
		sent := []sentEvent{{event{Number: 1}, "dead"}, {event{Number: 3}, "dead"}, {event{Number: test.number}, test.connection}}
		a := &accounts{}
		a.countUnaccepted(sent, accepted, map[string]bool{"dead": true})
		if len(a.lost) != test.lost || a.dying != test.dying || a.madeGood != test.madeGood {
			t.Errorf("#%d on connection %q: %d are lost, %d were sent into a dying connection, %d of them again", test.number, test.connection, len(a.lost), a.dying, a.madeGood)
		}
	}
}
