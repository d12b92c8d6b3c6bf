package e2e

import (
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

func TestAReconciliationMakesNoRevisionUnlessTheClusterHasSomethingElse(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app, release := w.workload("Shop", appRtID), "acme-"+appRtID
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-api-key-77", IsSecret: true}}
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "event done", map[string]string{"release": release})

	again := func(ended int, spoil func(), revisions int, told ...string) {
		t.Helper()
		spoil()
		app.IsReconciliation = true
		s := w.deploy(app)
		w.waitForLog(ended, "event done", map[string]string{"release": release})
		for _, text := range told {
			if !s.Success || !strings.Contains(s.StatusMessage, text) {
				t.Errorf("reported %+v, without %q", s, text)
			}
		}
		if got := strings.Count(w.helm("history", release), "complete"); got != revisions {
			t.Errorf("the release has %d revisions, want %d:\n%s", got, revisions, w.helm("history", release))
		}
	}
	again(2, func() {}, 1, "nothing to do: revision 1")
	again(3, func() { w.kubectl("scale", "deployment", release, "--replicas=3") }, 1, "nothing to do: revision 1")
	again(4, func() { w.kubectl("delete", "service", release) }, 2, "deployed again", "Service "+release+" is not there")
	w.kubectl("get", "service", release)
	again(5, func() {}, 2, "nothing to do: revision 2")
	w.kubectl("patch", "configmap", release, "--field-manager=by-hand", "--type=merge", "--patch", `{"data":{"TENANT_ID":"m4rk3r"}}`)
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "TENANT_ID") || !strings.Contains(s.StatusMessage, "by-hand") {
		t.Errorf("reported %+v", s) // it must be reported as any deploy, and not that there was nothing to do
	}
}
