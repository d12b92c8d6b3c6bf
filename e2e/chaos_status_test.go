package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// told is one status that the controller has taken.
type told struct {
	scaling bool
	release string // the workload's rtId
	number  int    // of the event
	success bool
}

// statuses are what the controller was told, in order.
func (c *chaos) statuses() (all []told) {
	c.Helper()
	for _, call := range c.controller.Calls() {
		scaling := call.Method == "ReportWorkloadScaleStatusAsync"
		if call.Error != "" || (call.Method != "ReportWorkloadDeploymentStatusAsync" && !scaling) {
			continue
		}
		var s status
		c.must(json.Unmarshal(call.Args[0], &s))
		t := told{scaling: scaling, release: s.WorkloadRtID, success: s.Success}
		if found := numbered.FindStringSubmatch(s.WorkloadName); found != nil {
			t.number, _ = strconv.Atoi(found[1])
		}
		all = append(all, t)
	}
	return all
}

// byEvent are the success flags of an event's statuses.
func byEvent(all []told) map[int][]bool {
	flags := map[int][]bool{}
	for _, t := range all {
		flags[t.number] = append(flags[t.number], t.success)
	}
	return flags
}

// outdated are the runs whose status the operator did not deliver because of a newer one of the same workload.
func (c *chaos) outdated() map[string]bool {
	c.Helper()
	runs := map[string]bool{}
	for _, l := range c.lives {
		log, err := os.ReadFile(l.log)
		c.must(err)
		for line := range strings.Lines(string(log)) {
			var record struct{ Msg, Run, Reason string }
			if strings.Contains(line, `"status not reported"`) && json.Unmarshal([]byte(line), &record) == nil && outdatedReason.MatchString(record.Reason) {
				runs[record.Run] = true
			}
		}
	}
	return runs
}

var outdatedReason = regexp.MustCompile(`^(a newer report took its place|it is not true any more)$`)

// wrongStatuses finds workloads of which the controller believes what is not so: the last status that it was told is not
// that of the last event that it sent.
func wrongStatuses(fates []*fate, all []told) (wrong []string) {
	last := map[string]told{}
	for _, t := range all {
		if !t.scaling {
			last[t.release] = t
		}
	}
	for release, own := range releasesOf(fates) {
		own = slices.DeleteFunc(own, func(f *fate) bool { return f.event.Kind == scale })
		f := decisive(own)
		if f == nil {
			continue
		}
		success := f.last().outcome == "succeeded"
		if f.event.Kind == undeploy && success {
			continue // the contract has no status for it
		}
		if got, any := last[rtIDOf(release)]; !any {
			wrong = append(wrong, fmt.Sprintf("the controller was told nothing, not how this ended: %v", f))
		} else if got.number != f.event.Number || got.success != success {
			wrong = append(wrong, fmt.Sprintf("the controller was told last: #%d, success %v, and not how this ended: %v", got.number, got.success, f))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestTheLastStatusOfAWorkloadMustBeThatOfItsLastEvent(t *testing.T) {
	made := func(number int, kind eventKind, outcome string) *fate {
		return &fate{event: &event{Number: number, Kind: kind}, records: []record{{number: number, outcome: outcome}}}
	}
	tell := func(number int, success bool) told { return told{release: rtIDOf(0), number: number, success: success} }
	scaled := told{scaling: true, release: rtIDOf(0), number: 2, success: true}
	for _, test := range []struct {
		what  string
		fates []*fate
		told  []told
		wrong int
	}{
		{"done and told", []*fate{made(1, deploy, "succeeded")}, []told{tell(1, true)}, 0},
		{"never told", []*fate{made(1, deploy, "succeeded")}, nil, 1},
		{"told otherwise", []*fate{made(1, deploy, "failed")}, []told{tell(1, true)}, 1},
		{"told otherwise first", []*fate{made(1, deploy, "failed")}, []told{tell(1, true), tell(1, false)}, 0},
		{"the older one's came last", []*fate{made(1, deploy, "succeeded"), made(2, deploy, "succeeded")}, []told{tell(2, true), tell(1, true)}, 1},
		{"another workload's came last", []*fate{made(1, deploy, "succeeded")}, []told{tell(1, true), {release: rtIDOf(1), number: 2}}, 0},
		{"a scaling came last", []*fate{made(1, deploy, "succeeded"), made(2, scale, "succeeded")}, []told{tell(1, true), scaled}, 0},
		{"undeployed", []*fate{made(1, deploy, "succeeded"), made(2, undeploy, "succeeded")}, []told{tell(1, true)}, 0},
		{"not undeployed, and told so", []*fate{made(1, deploy, "succeeded"), made(2, undeploy, "failed")}, []told{tell(1, true), tell(2, false)}, 0},
		{"not undeployed, and not told", []*fate{made(1, deploy, "succeeded"), made(2, undeploy, "failed")}, []told{tell(1, true)}, 1},
		{"sent again, and dropped", []*fate{made(1, deploy, "succeeded"), made(1, deploy, "superseded")}, []told{tell(1, true)}, 0},
		{"sent again after a failure", []*fate{made(1, deploy, "failed"), made(1, deploy, "succeeded")}, []told{tell(1, false), tell(1, true)}, 0},
		{"sent again, and the first failure told last", []*fate{made(1, deploy, "failed"), made(1, deploy, "succeeded")}, []told{tell(1, true), tell(1, false)}, 1},
	} {
		if got := wrongStatuses(test.fates, test.told); len(got) != test.wrong {
			t.Errorf("%s: %q, want %d", test.what, got, test.wrong)
		}
	}
}
