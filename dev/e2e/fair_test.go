package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"octo-operator/dev/devcontroller"
)

const (
	slots   = 4 // of the operator in these tests, and the number of deploys that hang
	backlog = 50
)

// crowd is a tenant with deploys that hang and a backlog of others, besides another tenant.
type crowd struct {
	*world
	others        devcontroller.Pool
	hung, backlog []devcontroller.Workload
}

// newCrowd starts the operator and makes a pool for each tenant. Nothing is deployed yet.
func newCrowd(t *testing.T, scripts map[string]string) *crowd {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{fmt.Sprint("OPERATOR__CONCURRENCY=", slots)}
	w.swap(scripts)
	w.start()
	w.deployPool()
	c := &crowd{world: w, others: devcontroller.Pool{TenantID: "other", ID: "65d5c447b420da3fb12381bd"}}
	w.must(w.controller.PoolDeployed(w.ctx, c.others))
	_, err := w.controller.WaitRegistered(w.ctx, c.others)
	w.must(err)
	for n := range slots {
		c.hung = append(c.hung, w.workload(fmt.Sprint("Hung ", n), fmt.Sprintf("65d5c447b420da3fb1a000%02x", n)))
	}
	for n := range backlog {
		c.backlog = append(c.backlog, w.workload(fmt.Sprint("Backlog ", n), fmt.Sprintf("65d5c447b420da3fb1b000%02x", n)))
	}
	return c
}

func (c *crowd) send(workloads ...devcontroller.Workload) {
	c.Helper()
	for _, w := range workloads {
		c.must(c.controller.Deploy(c.ctx, w))
	}
}

// anotherTenants deploys a workload of the other tenant and waits for its end.
func (c *crowd) anotherTenants(name string) {
	c.Helper()
	app := c.workload(name, appRtID)
	app.Pool = c.others
	if s := c.deploy(app); !s.Success {
		c.Fatalf("reported %+v", s)
	}
}

// begun returns the names of the tenant's workloads whose deploys have begun, by the log so far.
func (c *crowd) begun() []string { return c.names(c.operator.records(c.T), "values merged") }

// ended returns the names of those whose deploys have ended.
func (c *crowd) ended() []string {
	return c.names(c.operator.records(c.T), "event done", "event failed")
}

func (c *crowd) names(records []map[string]any, messages ...string) (names []string) {
	for _, r := range records {
		if r["tenant"] == c.pool.TenantID && r["workload"] != nil && slices.Contains(messages, fmt.Sprint(r["msg"])) {
			names = append(names, r["workload"].(string))
		}
	}
	slices.Sort(names)
	return names
}

// update sends the tenant's PreUpdateTenant, and returns when it waits for its turn.
func (c *crowd) update() {
	c.Helper()
	c.must(c.controller.PreUpdateTenant(c.ctx, c.pool.TenantID))
	c.waitForLog(1, "event received", map[string]string{"callback": "PreUpdateTenant"})
}

// expectUpdateAfterWhatRan waits for the tenant's update. Everything that had begun must have ended before it, and nothing else must have
// begun. It returns how many deploys had begun.
func (c *crowd) expectUpdateAfterWhatRan() int {
	c.Helper()
	const updated = "tenant updated: its work goes on"
	c.waitForLog(1, updated, nil)
	records := c.operator.records(c.T)
	before := records[:slices.IndexFunc(records, func(r map[string]any) bool { return r["msg"] == updated })]
	begun, ended := c.names(before, "values merged"), c.names(before, "event done", "event failed")
	if !slices.Equal(begun, ended) {
		c.Errorf("when the tenant was updated, these had begun: %q\nand these had ended: %q", begun, ended)
	}
	if len(begun) >= slots+backlog {
		c.Errorf("the update waited for the whole backlog")
	}
	return len(begun)
}

// expectAllReported waits for a report on each of the tenant's workloads.
func (c *crowd) expectAllReported() {
	c.Helper()
	for _, app := range slices.Concat(c.hung, c.backlog) {
		if s := c.waitForStatus(app, 0); !s.Success {
			c.Errorf("reported %+v", s)
		}
	}
}

// A script that hangs loses its slot after some time.
func TestATenantWhoseScriptsHangKeepsNoOtherFromDeployingAndItsUpdateDoesNotWaitForItsBacklog(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	c := newCrowd(t, map[string]string{
		"chart-pull":      pullNothing,
		"workload-deploy": fmt.Sprintf("case $OCTO_WORKLOAD in Hung*|Backlog*) until [ -e %s ]; do sleep 0.1; done;; esac\n", gate),
	})
	c.send(c.hung...)
	c.waitForLog(slots, "values merged", nil) // every slot is taken
	c.send(c.backlog...)
	c.anotherTenants("Other 1")
	c.anotherTenants("Other 2")
	if begun := c.begun(); len(begun) >= 2*slots { // some begin before all hanging ones have lost their slots
		t.Errorf("beside %d that hang, %d of the backlog have begun", slots, len(begun)-slots)
	}
	if ended := c.ended(); len(ended) > 0 {
		t.Errorf("these were to hang, and have ended: %q", ended)
	}

	c.update()
	c.anotherTenants("Other 3") // is not disturbed
	c.must(os.WriteFile(gate, nil, 0o600))
	if begun := c.expectUpdateAfterWhatRan(); begun >= 2*slots {
		t.Errorf("the update came after %d of the backlog", begun-slots)
	}
	c.expectAllReported() // the backlog was carried out
}

// A deploy that waits for its pods holds no slot, so the backlog is carried out meanwhile, and waits for its pods in turn.
func TestATenantWhosePodsNeverBecomeReadyKeepsNobodyFromDeployingAndItsUpdateDoesNotWaitForItsBacklog(t *testing.T) {
	c := newCrowd(t, nil)
	for _, workloads := range [][]devcontroller.Workload{c.hung, c.backlog} {
		for i := range workloads {
			workloads[i].ValuesYaml = "podAnnotations: {octo-dev/ready-after: 1h}"
		}
	}
	c.send(c.hung...)
	c.waitForLog(slots, "waiting until the release is ready", nil)
	c.send(c.backlog...)
	c.anotherTenants("Other 1")
	if begun := c.begun(); len(begun) > slots+backlog/2 {
		t.Errorf("another tenant's deploy came after %d of the backlog", len(begun)-slots)
	}
	c.waitForLog(2*slots, "waiting until the release is ready", map[string]string{"tenant": c.pool.TenantID}) // more than there are slots
	c.anotherTenants("Other 2")
	if ended := c.ended(); len(ended) > 0 {
		t.Errorf("these were to hang, and have ended: %q", ended)
	}
	for _, call := range c.controller.Calls() {
		var s status
		if call.Method == "ReportWorkloadDeploymentStatusAsync" && (json.Unmarshal(call.Args[0], &s) != nil || s.TenantID == c.pool.TenantID) {
			t.Errorf("reported %s", call.Args[0])
		}
	}

	c.update()
	c.anotherTenants("Other 3")
	c.makePodsReady()
	begun := c.expectUpdateAfterWhatRan()
	t.Logf("the update came after %d of %d deploys", begun, slots+backlog)
}

// makePodsReady makes all pods ready, also those that are created meanwhile.
func (c *crowd) makePodsReady() {
	c.Helper()
	updated := func() bool {
		c.kubectl("annotate", "pods", "--all", "octo-dev/ready-after-")
		return len(matching(c.operator.records(c.T), "tenant updated: its work goes on", nil)) > 0
	}
	if !c.eventually(updated) {
		c.Errorf("the tenant's update waits although no pod is waited for")
	}
}
