package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// print prints the accounts as a table.
func (a *accounts) print(c *chaos) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(what string, value any) { fmt.Fprintf(table, "%s\t%v\n", what, value) }
	row("seed", c.plan.Seed)
	row("duration", time.Since(c.began).Round(time.Second))
	row("kills of the operator", c.kills)
	for _, kind := range faultKinds {
		row("  "+string(kind), c.faults[kind])
	}
	row("  no helm was there to kill", c.missed)
	row("events sent", len(c.sent))
	row("  into a dying connection", a.dying)
	row("    sent again by the controller later", a.madeGood)
	row("sent again by the controller", c.resent.Load())
	row("events accepted", a.accepted)
	row("  sent again", a.again)
	row("    dropped: the same ran or was queued", a.repeated)
	row("  not yet copied when the node died", a.notCopied)
	row("    the oldest had come so long before", a.oldest.Round(time.Millisecond))
	row("finished", a.finished)
	row("  superseded", a.superseded)
	row("  given up, as the operator was killed three times over them", a.givenUp)
	row("revisions", a.revisions)
	row("  of what was deployed, as kills or two operators explain", a.explained)
	row("reported", a.reported)
	row("  not reported, for a newer status", a.outdated)
	row("lost", len(a.lost))
	row("stuck releases", len(a.stuck))
	row("out of order", len(a.disorder))
	row("wrong statuses", len(a.status))
	row("second revisions", len(a.twice))
	row("failed without a reason of its own", len(a.wrong))
	row("secrets left", len(a.secrets))
	row("processes left", len(a.processes))
	row("copies left in the cluster", len(a.copies))
	_ = table.Flush()
	again := "go test, without flags"
	if *chaosKills > 0 {
		again = fmt.Sprintf("make chaos SEED=%d KILLS=%d", c.plan.Seed, *chaosKills)
	}
	c.Logf("\n%s\nagain: %s (plan %s)", text.String(), again, c.plan.fingerprint())
}

// judge fails the test if something is wrong, with all details.
func (a *accounts) judge(c *chaos, kills int) {
	c.Helper()
	if c.kills < kills {
		c.Errorf("the operator was killed %d times, want %d", c.kills, kills)
	}
	for _, found := range []struct {
		what  string
		which []string
	}{
		{"lost", a.lost}, {"stuck", a.stuck}, {"out of order", a.disorder}, {"failed without a reason of its own", a.wrong},
		{"wrong status", a.status}, {"second revision", a.twice},
		{"secret left", a.secrets}, {"process left", a.processes}, {"copy left", a.copies}, {"wrong", a.other},
	} {
		for _, which := range found.which {
			c.Errorf("%s: %s%s", found.what, which, c.said(which))
		}
	}
	if c.Failed() {
		c.Logf("disks, logs and the trace are kept in %s", c.dir)
	}
}

var runDirs = regexp.MustCompile(`/runs/([^/:\s]+)`)

// said is the last record that the operators logged about the newest run in a text.
func (c *chaos) said(text string) (said string) {
	c.Helper()
	found := runDirs.FindAllStringSubmatch(text, -1)
	if found == nil {
		return ""
	}
	var lines []string
	for _, l := range c.lives {
		log, err := os.ReadFile(l.log)
		c.must(err)
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, found[len(found)-1][1]) {
				lines = append(lines, fmt.Sprintf("\n        operator %d: %.400s", l.number, strings.TrimSpace(line)))
			}
		}
	}
	return strings.Join(lines[max(0, len(lines)-4):], "")
}
