package e2e

import (
	"encoding/json"
	osexec "os/exec"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// scale sends a scaling and waits for its report.
func (w *world) scale(workload devcontroller.Workload, replicas int) (report struct {
	Replicas      int
	Success       bool
	StatusMessage string
}) {
	w.Helper()
	after := w.controller.LastSeq()
	w.must(w.controller.Scale(w.ctx, workload, replicas))
	call := w.waitFor("ReportWorkloadScaleStatusAsync", func(c devcontroller.Call) bool { return c.Seq > after })
	w.must(json.Unmarshal(call.Args[0], &report))
	return report
}

func (w *world) replicas(release string) string {
	w.Helper()
	return w.kubectl("get", "deployment", release, "-o", "jsonpath={.spec.replicas}")
}

func TestADeployKeepsWhatWasScaledAndHibernationPutsItToSleep(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	release := "acme-" + appRtID
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "replicaCount: 2"
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if r := w.scale(app, 3); !r.Success || r.Replicas != 3 {
		t.Fatalf("reported %+v", r)
	}
	if managers := w.kubectl("get", "deployment", release, "--show-managed-fields", "-o", `jsonpath={.metadata.managedFields[*].manager}`); !strings.Contains(managers, "octo-communication-operator") {
		t.Errorf("the managers are %s", managers)
	}

	// Without the pinned number the next deploy fails, so this test would notice if it were not pinned.
	out, err := osexec.Command("helm", "upgrade", release, "../../testdata/charts/demo-app", "--namespace", w.namespace, "--set", "replicaCount=2").CombinedOutput()
	if err == nil || !strings.Contains(string(out), ".spec.replicas") {
		t.Errorf("helm by hand did not fail on the scaled field: %v\n%s", err, out)
	}

	for _, step := range []struct {
		what   string
		change func(*devcontroller.Workload)
		want   string
	}{
		{"a deploy keeps the scaled count", func(a *devcontroller.Workload) { a.ValuesYaml = "replicaCount: 2\nsettings: {a: b}" }, "3"},
		{"hibernated", func(a *devcontroller.Workload) { a.Hibernated = true }, "0"},
		{"hibernated again", func(a *devcontroller.Workload) { a.Hibernated = true }, "0"},
		{"awake", func(a *devcontroller.Workload) { a.ValuesYaml = "replicaCount: 2" }, "2"},
		{"hibernated, with the chart's default", func(a *devcontroller.Workload) { a.Hibernated = true; a.ValuesYaml = "" }, "0"},
		{"awake, with the chart's default", func(a *devcontroller.Workload) { a.ValuesYaml = "" }, "1"},
	} {
		next := app
		step.change(&next)
		if s := w.deploy(next); !s.Success {
			t.Fatalf("%s: %s", step.what, s.StatusMessage)
		}
		if got := w.replicas(release); got != step.want {
			t.Errorf("%s: %s replicas, want %s", step.what, got, step.want)
		}
	}
	nothing := w.workload("Nothing", brokenRtID)
	if r := w.scale(nothing, 1); r.Success || !strings.Contains(r.StatusMessage, "no Deployment") {
		t.Errorf("scaling nothing: reported %+v", r)
	}
}

func TestAFieldThatSomebodyElseOwnsIsExplainedAndCanBeTaken(t *testing.T) {
	t.Parallel()
	for _, force := range []string{"false", "true"} {
		t.Run("force "+force, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.env = []string{"OPERATOR__HELM__FORCECONFLICTS=" + force}
			w.start()
			w.deployPool()
			app := w.workload("Shop", appRtID)
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			w.kubectl("set", "image", "deployment/acme-"+appRtID, "app=demo/app:by-hand")
			app.ValuesYaml = "image: {tag: '2.0'}"
			s := w.deploy(app)
			if s.Success != (force == "true") {
				t.Fatalf("reported %+v", s)
			}
			t.Log(s.StatusMessage)
			for _, part := range []string{"kubectl-set", "image", "OPERATOR__HELM__FORCECONFLICTS=true"} {
				if !s.Success && !strings.Contains(s.StatusMessage, part) {
					t.Errorf("the message lacks %q: %s", part, s.StatusMessage)
				}
			}
		})
	}
}

func TestAReconciliationKeepsTheInstalledVersion(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Tiny", appRtID)
	app.ChartName = "tiny"
	for _, step := range []struct {
		what           string
		reconciliation bool
		version, want  string
	}{
		{"pinned", false, "1.0.0", "1.0.0"},
		{"reconciled", true, "", "1.0.0"},
		{"newest", false, "", "1.1.0"},
		{"reconciled to another pin", true, "1.0.0", "1.0.0"},
	} {
		app.IsReconciliation, app.ChartVersion = step.reconciliation, step.version
		if s := w.deploy(app); !s.Success {
			t.Fatalf("%s: %s", step.what, s.StatusMessage)
		}
		if got := w.kubectl("get", "configmap", "acme-"+appRtID, "-o", "jsonpath={.data.chart}"); got != step.want {
			t.Errorf("%s: chart version %s, want %s", step.what, got, step.want)
		}
	}
	fresh := w.workload("Fresh", brokenRtID)
	fresh.ChartName, fresh.ChartVersion, fresh.IsReconciliation = "tiny", "", true
	if s := w.deploy(fresh); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if got := w.kubectl("get", "configmap", "acme-"+brokenRtID, "-o", "jsonpath={.data.chart}"); got != "1.1.0" {
		t.Errorf("reconciling what is not installed: chart version %s, want the newest", got)
	}
}

func TestAReleaseOfTheReferenceOperatorForAnotherWorkloadIsRefused(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	release := "acme-" + appRtID
	w.helm("install", release, "../../testdata/charts/demo-app", "--set", "tenantId=acme,adapterRtId="+brokenRtID)
	if s := w.deploy(w.workload("Shop", appRtID)); s.Success || !strings.Contains(s.StatusMessage, brokenRtID) || !strings.Contains(s.StatusMessage, appRtID) {
		t.Errorf("reported %+v", s)
	}
}
