package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

func TestTheConnectionSurvivesWhatItDoesNotKnowAndComesBackAfterARestart(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	w.must(w.controller.SendAll(w.ctx, "SomethingNewAsync", map[string]any{"password": "planted-unknown-1"}))
	w.waitForLog(1, "callback ignored: this operator does not know it", map[string]string{"callback": "SomethingNewAsync"})
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "settings:\n  LARGE: " + strings.Repeat("x", 700_000) + "\n"
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if n := len(w.controller.Connections()); n != 1 {
		t.Errorf("%d connections were made, want the first to stay up", n)
	}

	address := w.controller.Addr()
	w.must(w.controller.Close())
	w.must(w.controller.Start(address))
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Error(s.StatusMessage)
	}
	if strings.Contains(w.operator.text(), "planted-unknown-1") {
		t.Error("the arguments of an unknown callback are in the log")
	}
}

func TestInEdgeModePoolEventsAreIgnoredAndExistingPoolsRegistered(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__AUTOMANAGEPOOLS=false"}
	pool, err := json.Marshal(map[string]any{
		"apiVersion": "octo-mesh.meshmakers.io/v1alpha1", "kind": "CommunicationPool",
		"metadata": map[string]any{"name": "by-hand", "namespace": w.namespace},
		"spec":     map[string]any{"tenantId": "acme", "poolRtId": w.pool.ID},
	})
	w.must(err)
	w.applyJSON(string(pool))
	w.start()
	_, err = w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	w.must(w.controller.PoolDeployed(w.ctx, devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381ff"}))
	w.waitForLog(1, "event ignored: pools are not managed in edge mode", nil)
	if got := w.kubectl("get", "communicationpools", "-o", "name"); strings.Count(got, "\n") != 1 {
		t.Errorf("the pools are %s", got)
	}
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Error(s.StatusMessage)
	}
}

func TestInCentralModeTheControllersPoolsAreMadeAtTheStart(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.controller.SetPools(w.pool)
	w.start()
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	w.kubectl("get", "communicationpool", "acme-"+w.pool.ID)
	w.kubectl("get", "secret", "acme-"+w.pool.ID+"-octo-mesh-connection")
}

func TestAReleaseOfAnotherOwnerIsNeitherOverwrittenNorUninstalled(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	release := "acme-" + appRtID
	w.helm("install", release, "../../testdata/charts/demo-app", "--labels", "octo-mesh.meshmakers.io/tenant=somebody-else")
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "somebody-else") || !strings.Contains(s.StatusMessage, "acme") {
		t.Errorf("reported %+v", s)
	}
	after := w.controller.LastSeq()
	w.must(w.controller.Undeploy(w.ctx, app))
	if s := w.waitForStatus(app, after); s.Success || !strings.Contains(s.StatusMessage, "somebody-else") {
		t.Errorf("the undeploy was reported as %+v", s)
	}
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"revision":"1"`) {
		t.Errorf("the other's release was touched: %s", got)
	}
}

func (w *world) applyJSON(object string) {
	w.Helper()
	file := fmt.Sprintf("%s/object.json", w.TempDir())
	w.must(os.WriteFile(file, []byte(object), 0o600))
	w.kubectl("apply", "-f", file)
}
