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
	"time"

	"octo-operator/dev/devcontroller"
)

// told is a status that the controller has accepted.
type told struct {
	scaling bool
	release string // the workload's rtId
	number  int    // of the event
	success bool
	at      time.Time
}

// statuses returns all statuses that the controller has accepted, in their order.
func (c *chaos) statuses() (all []told) {
	c.Helper()
	for _, call := range c.controller.Calls() {
		scaling := call.Method == "ReportWorkloadScaleStatusAsync"
		if call.Error != "" || (call.Method != "ReportWorkloadDeploymentStatusAsync" && !scaling) {
			continue
		}
		var s status
		c.must(json.Unmarshal(call.Args[0], &s))
		t := told{scaling: scaling, release: s.WorkloadRtID, success: s.Success, at: call.Time}
		if found := numbered.FindStringSubmatch(s.WorkloadName); found != nil {
			t.number, _ = strconv.Atoi(found[1])
		}
		all = append(all, t)
	}
	return all
}

// byEvent returns the success flags of the statuses of each event.
func byEvent(all []told) map[int][]bool {
	flags := map[int][]bool{}
	for _, t := range all {
		flags[t.number] = append(flags[t.number], t.success)
	}
	return flags
}

// outdated are the runs whose status was not delivered because of a newer one for the same workload.
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

var outdatedReason = regexp.MustCompile(`^(a newer report took its place|it is not true any more|the controller has it, or gets a newer one)$`)

// wrongStatuses finds workloads of which the controller has a wrong status: the last one that it got is not that of the last event that
// it sent.
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
		got, told := last[rtIDOf(release)]
		switch {
		case f.event.Kind == undeploy && success: // the contract has no status for an undeploy
			if told && got.at.After(f.last().ended) {
				wrong = append(wrong, fmt.Sprintf("the controller was told of #%d, success %v, after this had ended: %v", got.number, got.success, f))
			}
		case !told:
			wrong = append(wrong, fmt.Sprintf("the controller was told nothing, not how this ended: %v", f))
		case got.number != f.event.Number || got.success != success:
			wrong = append(wrong, fmt.Sprintf("the controller was told last: #%d, success %v, and not how this ended: %v", got.number, got.success, f))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// deployedState is the last report of what is deployed in a pool; false: there was none after the pool's newest registration, which must
// be followed by one.
func deployedState(calls []devcontroller.Call, pool devcontroller.Pool) (rtIDs []string, toldAll bool) {
	connection := ""
	for _, call := range calls {
		var tenant, id string
		switch {
		case call.Error != "":
		case call.Method == "RegisterPoolAsync" && call.Arg(0, &tenant) == nil && call.Arg(1, &id) == nil:
			if tenant == pool.TenantID && id == pool.ID {
				connection, rtIDs, toldAll = call.ConnID, nil, false
			}
		case call.Method == "ReportDeployedStateAsync" && call.ConnID == connection:
			var pools []struct {
				TenantID, PoolRtID string
				WorkloadRtIDs      []string
			}
			_ = call.Arg(0, &pools) // the controller has checked its arguments
			for _, p := range pools {
				if p.TenantID == pool.TenantID && p.PoolRtID == pool.ID {
					rtIDs, toldAll = p.WorkloadRtIDs, true
				}
			}
		}
	}
	return rtIDs, toldAll
}

// untold counts the registered pools whose deployed state was not reported.
func (c *chaos) untold() (count int) {
	for _, pool := range []devcontroller.Pool{c.pool, c.slowPool} {
		if _, told := deployedState(c.controller.Calls(), pool); !told {
			count++
		}
	}
	return count
}

// checkDeployedState makes the operator connect once more, and finds differences between its reports of the deployed state and the
// cluster.
func (c *chaos) checkDeployedState() (wrong []string) {
	c.Helper()
	before := c.controller.LastSeq()
	c.controller.DropConnections()
	calls := func() []devcontroller.Call { return c.controller.Calls()[before:] }
	for _, pool := range []devcontroller.Pool{c.pool, c.slowPool} {
		c.waitUntil("the operator tells what is deployed", patience, func() bool { _, told := deployedState(calls(), pool); return told })
		told, _ := deployedState(calls(), pool)
		cluster, want := c.inCluster(), []string{}
		for i := range releases + hanging {
			if c.poolOf(i) == pool && cluster[releaseName(i)].helm == "deployed" {
				want = append(want, rtIDOf(i))
			}
		}
		if !slices.Equal(told, want) {
			wrong = append(wrong, fmt.Sprintf("the controller was told that %v is deployed in the pool of %s, and it is %v", told, pool.TenantID, want))
		}
	}
	return wrong
}

func TestTheLastStatusOfAWorkloadMustBeThatOfItsLastEvent(t *testing.T) {
	made := func(number int, kind eventKind, outcome string) *fate {
		return &fate{event: &event{Number: number, Kind: kind}, records: []record{{number: number, outcome: outcome, ended: time.Unix(100, 0)}}}
	}
	tell := func(number int, success bool) told {
		return told{release: rtIDOf(0), number: number, success: success, at: time.Unix(50, 0)}
	}
	late := told{release: rtIDOf(0), number: 1, success: true, at: time.Unix(150, 0)}
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
		{"undeployed, and told late of what is gone", []*fate{made(1, deploy, "succeeded"), made(2, undeploy, "succeeded")}, []told{late}, 1},
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

func TestTheDeployedStateMustComeAfterTheNewestRegistration(t *testing.T) {
	pool := devcontroller.Pool{TenantID: "acme", ID: "p"}
	call := func(connection, method, args, failed string) (c devcontroller.Call) {
		c.ConnID, c.Method, c.Error = connection, method, failed
		if err := json.Unmarshal([]byte(args), &c.Args); err != nil {
			t.Fatal(err)
		}
		return c
	}
	register := func(connection, failed string) devcontroller.Call {
		return call(connection, "RegisterPoolAsync", `["acme", "p"]`, failed)
	}
	tell := func(connection, tenant, failed string) devcontroller.Call {
		return call(connection, "ReportDeployedStateAsync", fmt.Sprintf(`[[{"tenantId": %q, "poolRtId": "p", "workloadRtIds": ["w"]}]]`, tenant), failed)
	}
	for _, test := range []struct {
		what  string
		calls []devcontroller.Call
		told  bool
	}{
		{"told after it", []devcontroller.Call{register("a", ""), tell("a", "acme", "")}, true},
		{"told before it", []devcontroller.Call{tell("a", "acme", ""), register("a", "")}, false},
		{"registered once more", []devcontroller.Call{register("a", ""), tell("a", "acme", ""), register("a", "")}, false},
		{"registration rejected once more", []devcontroller.Call{register("a", ""), tell("a", "acme", ""), register("a", "no")}, true},
		{"rejected", []devcontroller.Call{register("a", ""), tell("a", "acme", "no")}, false},
		{"of another pool", []devcontroller.Call{register("a", ""), tell("a", "globex", "")}, false},
		{"by an older operator", []devcontroller.Call{register("a", ""), register("b", ""), tell("a", "acme", "")}, false},
	} {
		if rtIDs, told := deployedState(test.calls, pool); told != test.told || (told && fmt.Sprint(rtIDs) != "[w]") {
			t.Errorf("%s: told %v %v, want %v", test.what, told, rtIDs, test.told)
		}
	}
}
