package e2e

import (
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

func TestHelm3DoesTheMainJobToo(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__HELM__TIMEOUT=20s"}
	w.withHelm("3")
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-for-helm-3", IsSecret: true}}
	for range 2 {
		if s := w.deploy(app); !s.Success {
			t.Fatal(s.StatusMessage)
		}
	}
	if r := w.scale(app, 3); !r.Success {
		t.Fatal(r.StatusMessage)
	}
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if got := w.replicas("acme-" + appRtID); got != "3" {
		t.Errorf("%s replicas, want the 3 that were scaled", got)
	}
	broken := app
	broken.ValuesYaml = "image: {repository: x/does-not-exist}"
	if s := w.deploy(broken); s.Success || !strings.Contains(s.StatusMessage, "pull") {
		t.Errorf("reported %+v", s)
	}
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"status":"deployed"`) {
		t.Errorf("the failed deploy was not rolled back: %s", got)
	}
	// After a broken deploy and an undeploy nothing is left.
	w.must(w.controller.Undeploy(w.ctx, app))
	w.waitForLog(5, "event done", map[string]string{"release": "acme-" + appRtID}) // three deploys, a scaling, the undeploy
	if left := w.kubectl("get", "deployments,secrets", "-o", "name", "-l", "app.kubernetes.io/instance=acme-"+appRtID); left != "" {
		t.Errorf("after the undeploy there is still: %s", left)
	}
}

func TestHelm4GoesOnWithWhatHelm3HasMade(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	settings := []string{"OPERATOR__HELM__TIMEOUT=20s", "OPERATOR__HELM__FORCECONFLICTS=true"}
	w.env = settings
	w.withHelm("3")
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitForLog(1, "event done", map[string]string{"release": "acme-" + appRtID}) // otherwise it would be resumed, and reported once more
	w.kill()
	w.env = settings
	after := w.controller.LastSeq()
	w.start()
	w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > after && c.Error == "" })
	app.ValuesYaml = "replicaCount: 2"
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	app.ValuesYaml = "image: {repository: x/does-not-exist}"
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "rolled back to revision 2") {
		t.Errorf("reported %+v", s)
	}
	if got := w.kubectl("get", "deployments", "--output", "jsonpath={..image}"); strings.Contains(got, "does-not-exist") {
		t.Errorf("it runs %s", got)
	}
}
