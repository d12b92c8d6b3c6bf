package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// countRevisions finds events that were deployed once more although the release already was what they ask for: when they were resumed
// after a kill, or sent again by the controller. Each start of the script makes a revision. It counts separately what is explained: by
// kills, because of which the operator could not note that the pods were ready; and by a second operator to which the controller sent the
// event again before the first one was handed over.
func (a *accounts) countRevisions(trace []traceEntry, fates []*fate) {
	byRun := map[string]*fate{}
	for _, f := range fates {
		byRun[f.last().id] = f
	}
	type deployed struct {
		number int
		run    string
	}
	releases := map[string]deployed{}
	for _, e := range trace {
		before := releases[e.release]
		switch {
		case e.what == "end" && e.script == "workload-deploy" && e.code == 0:
			a.revisions++
			releases[e.release] = deployed{e.number, e.run}
		case e.what != "start":
		case e.script == "workload-deploy" && e.number == before.number:
			first, second := byRun[before.run], byRun[e.run]
			if e.run != before.run && first != nil && (first.last().outcome != "succeeded" || !second.again()) {
				a.explained++
				continue
			}
			a.twice = append(a.twice, fmt.Sprintf("#%d of %s was deployed by run %s, and once more by run %s: %v", e.number, e.release, before.run, e.run, byRun[e.run]))
		case e.script == "workload-scale" && !byRun[e.run].toZero(): // a deploy does not change the number of replicas
		default:
			delete(releases, e.release)
		}
	}
}

// toZero tells whether a scaling to zero may have happened: then a deploy wakes the release up. An unknown event may be one.
func (f *fate) toZero() bool { return f == nil || f.event == nil || f.event.Replicas == 0 }

// revisionsTwice finds runs with two of the good revisions that helm still knows. Releases with a rollback are left out, because it makes
// a revision with the labels of an older one.
func (c *chaos) revisionsTwice(trace []traceEntry) (twice []string) {
	c.Helper()
	lines := c.kubectl("get", "secrets", "--selector", "owner=helm,status in (deployed,superseded)", "--output",
		`jsonpath={range .items[*]}{.metadata.labels.name} {.metadata.labels.octo-mesh\.meshmakers\.io/run}{"\n"}{end}`)
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		rolledBack := slices.ContainsFunc(trace, func(e traceEntry) bool { return e.script == "workload-rollback" && e.release == fields[0] })
		if seen[line] && !rolledBack {
			twice = append(twice, "helm has two revisions of release and run "+strings.TrimSpace(line))
		}
		seen[line] = true
	}
	return twice
}

func TestASecondRevisionOfTheSameIsFound(t *testing.T) {
	const (
		start = "start r 1 workload-deploy a"
		end   = "end r 1 workload-deploy a code 0"
		again = "start r 1 workload-deploy b" // of an event that was sent again
		own   = "start r 1 workload-deploy c"
	)
	for _, test := range []struct {
		what             string
		trace            []string
		outcome          string // of run a
		twice, explained int
	}{
		{"resumed after a kill in the middle", []string{start, start, end}, "succeeded", 0, 0},
		{"resumed after its end", []string{start, end, start}, "succeeded", 1, 0},
		{"sent again", []string{start, end, again}, "succeeded", 1, 0},
		{"sent again to another operator, which was faster", []string{again, "end r 1 workload-deploy b code 0", own}, "succeeded", 0, 1},
		{"sent again after kills", []string{start, end, again}, "failed", 0, 1},
		{"sent again after a failure", []string{start, "end r 1 workload-deploy a code 1", again}, "failed", 0, 0},
		{"recovered since", []string{start, end, "start r 0 workload-recover a", again}, "succeeded", 0, 0},
		{"scaled since", []string{start, end, "start r 2 workload-scale up", again}, "succeeded", 1, 0},
		{"put to sleep since", []string{start, end, "start r 2 workload-scale down", again}, "succeeded", 0, 0},
		{"another release", []string{start, end, "start s 1 workload-deploy b"}, "succeeded", 0, 0},
		{"another event", []string{start, end, "start r 2 workload-deploy b"}, "succeeded", 0, 0},
	} {
		a := &accounts{}
		a.countRevisions(traceOf(test.trace...), []*fate{
			{event: &event{Number: 1}, records: []record{{id: "a", outcome: test.outcome}}},
			{event: &event{Number: 1, Again: true}, records: []record{{id: "b", outcome: "succeeded"}}},
			{event: &event{Number: 1}, records: []record{{id: "c", outcome: "succeeded"}}},
			{event: &event{Number: 2, Kind: scale, Replicas: 2}, records: []record{{id: "up"}}},
			{event: &event{Number: 2, Kind: scale}, records: []record{{id: "down"}}},
		})
		if len(a.twice) != test.twice || a.explained != test.explained {
			t.Errorf("%s: twice %q, %d explained", test.what, a.twice, a.explained)
		}
	}
}
