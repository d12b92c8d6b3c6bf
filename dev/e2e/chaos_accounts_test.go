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

// settle lets everything come back and waits until nothing is left to do. What is left all the same is told by the accounts.
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
		// What nobody works on will not be done: the accounts say what it is.
		return undone == 0 || time.Since(quiet) > longestQuiet
	})
	c.Logf("%6.1fs everything is done", time.Since(c.began).Seconds())
}

// longestQuiet is what a healthy operator may leave something lying without a script at work: a deploy waits for its pods for
// helmTimeout, and a report that was rejected three times for 30 s.
const longestQuiet = helmTimeout + 30*time.Second

// undone counts what is still to be done.
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

// accounts are what has become of everything.
type accounts struct {
	accepted, finished, superseded, reported    int
	own                                         int // of the pools: the operator's, at its start
	dying, notCopied, madeGood                  int
	again, repeated                             int           // what the controller has sent again
	outdated                                    int           // statuses, by newer ones
	givenUp                                     int           // after three kills
	revisions, explained                        int           // explained: more than one of an event
	oldest                                      time.Duration // that was not copied
	lost, stuck, disorder, wrong, status, twice []string
	secrets, processes, copies, other           []string
}

// settleAccounts comes after the end of the last operator. stuck are releases that were so before their last deploy, wrongState
// what it told wrongly of the deployed state.
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

// countUnaccepted: the hub acknowledges nothing, so what was on its way when the connection ended is nobody's loss. But what
// came before an event that was accepted on the same connection has been there, and so has what came on one that lives.
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
			if updates--; updates < 0 { // they have no numbers: only how many came is known
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

func TestWhatNeverArrivedIsLostUnlessItsConnectionDied(t *testing.T) {
	accepted := []*fate{{records: []record{{number: 1}}}, {records: []record{{number: 3}}}, {records: []record{{number: 5, again: true}}}}
	for _, test := range []struct {
		number                int
		connection            string
		lost, dying, madeGood int
	}{
		{2, "dead", 1, 0, 0}, // #3 came on it later
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
