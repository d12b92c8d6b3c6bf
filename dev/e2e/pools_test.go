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

	"octo-operator/dev/devcontroller"
)

// waitForPoolStatus waits until the resource's status begins with want.
func (w *world) waitForPoolStatus(kind, name, want string) {
	w.Helper()
	got := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got = w.kubectl("get", kind, name, "-o", "jsonpath={.status.communicationStatus}"); strings.HasPrefix(got, want) {
			return
		}
	}
	w.Fatalf("the status of %s is %q, want %q; the operator's log:\n%s", name, got, want, w.operator.text())
}

// applyPool creates a CommunicationPool, as a person would.
func (w *world) applyPool(name string, pools ...devcontroller.Pool) {
	w.Helper()
	var objects strings.Builder
	for i, pool := range pools {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "octo-mesh.meshmakers.io/v1alpha1", "kind": "CommunicationPool",
			"metadata": map[string]any{"name": fmt.Sprintf("%s-%d", name, i), "namespace": w.namespace},
			"spec":     map[string]any{"tenantId": pool.TenantID, "poolRtId": pool.ID},
		})
		w.must(err)
		fmt.Fprintf(&objects, "---\n%s\n", text)
	}
	file := filepath.Join(w.TempDir(), "pools.yaml")
	w.must(os.WriteFile(file, []byte(objects.String()), 0o600))
	w.kubectl("create", "-f", file)
}

func TestPoolsFollowTheirResourcesWhoeverMakesThem(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__AUTOMANAGEPOOLS=false"}
	w.controller.FailNext("RegisterPoolAsync", 2, "still warming up")
	w.start()
	w.applyPool("by-hand", w.pool)
	w.waitForPoolStatus("communicationpool", "by-hand-0", "Failed: ")
	w.waitForPoolStatus("communicationpool", "by-hand-0", "Registered")

	w.kubectl("delete", "communicationpool", "by-hand-0")
	w.waitFor("UnregisterPoolAsync", nil)

	w.stop(w.operator)
	w.applyPool("while-down", devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381be"})
	w.start()
	w.waitForPoolStatus("communicationpool", "while-down-0", "Registered")
	if n := len(w.controller.Connections()); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestFiveHundredPoolsAreRegisteredAndSaySo(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__AUTOMANAGEPOOLS=false"}
	w.applyPool("many", manyPools(500)...)
	w.start()
	ctx := w.ctx
	for _, pool := range manyPools(500) {
		_, err := w.controller.WaitRegistered(ctx, pool)
		w.must(err)
	}
	w.waitForPoolStatus("communicationpool", "many-499", "Registered")
}

func manyPools(n int) []devcontroller.Pool {
	var pools []devcontroller.Pool
	for i := range n {
		pools = append(pools, devcontroller.Pool{TenantID: fmt.Sprintf("tenant-%d", i%7), ID: fmt.Sprintf("65d5c447b420da3fb120%04x", i)})
	}
	return pools
}

func TestTheControllerIsToldWhatIsDeployed(t *testing.T) {
	t.Parallel()
	for _, generation := range []devcontroller.Generation{devcontroller.G3, devcontroller.G4} {
		t.Run(string(generation), func(t *testing.T) {
			w := newWorld(t, generation)
			w.controller.SetPools(w.pool)
			w.start()
			ctx := w.ctx
			_, err := w.controller.WaitRegistered(ctx, w.pool)
			w.must(err)
			if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			after := w.controller.LastSeq()
			w.controller.DropConnections()
			call := w.waitFor("ReportDeployedStateAsync", func(c devcontroller.Call) bool { return c.Seq > after && c.Error == "" })
			var report []struct {
				TenantID, PoolRtID, DeploymentSiteRtID string
				WorkloadRtIDs                          []string
			}
			w.must(json.Unmarshal(call.Args[0], &report))
			if len(report) != 1 || report[0].TenantID != "acme" || report[0].PoolRtID+report[0].DeploymentSiteRtID != w.pool.ID || !slices.Equal(report[0].WorkloadRtIDs, []string{appRtID}) {
				t.Errorf("reported %s", call.Args[0])
			}
		})
	}
}

func TestAControllersUpgradeUnderARunningOperatorNeedsNoSetting(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.controller.SetPools(w.pool)
	w.start()
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	for _, generation := range []devcontroller.Generation{devcontroller.G4, devcontroller.G3} {
		address := w.controller.Addr()
		w.must(w.controller.Close())
		w.controller.SetGeneration(generation)
		w.must(w.controller.Start(address))
		_, err := w.controller.WaitRegistered(w.ctx, w.pool)
		w.must(err)
		w.waitForLog(1, "registered at the controller", map[string]string{"generation": string(generation)})
		if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
			t.Fatalf("%s: %s", generation, s.StatusMessage)
		}
	}
	if got := w.helm("list", "--output", "json"); strings.Count(got, `"name"`) != 1 || !strings.Contains(got, `"revision":"3"`) {
		t.Errorf("the releases are %s", got)
	}
}

func TestAReportThatCouldNotBeDeliveredIsDeliveredAfterARestart(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{
		"chart-pull":      pullNothing,
		"workload-deploy": fmt.Sprintf("until [ -e %s ]; do sleep 0.05; done\n", gate),
	})
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	after := w.controller.LastSeq()
	address := w.controller.Addr()
	w.must(w.controller.Close())
	w.must(os.WriteFile(gate, nil, 0o600))
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"})
	w.kill()

	w.must(w.controller.Start(address))
	w.start()
	if s := w.waitForStatus(app, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	report := filepath.Join(w.runDir("workload-deployed"), "report.json")
	gone := func() bool { _, err := os.Stat(report); return os.IsNotExist(err) }
	if !w.eventually(gone) {
		t.Fatal("the report stays on disk after it was delivered")
	}
}
