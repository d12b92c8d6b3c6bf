package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// swap replaces the operator's scripts by the test's.
func (w *world) swap(scripts map[string]string) {
	w.Helper()
	dir := w.TempDir()
	for name, text := range scripts {
		w.must(os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nset -eu\n"+text), 0o755))
	}
	w.env = append(w.env, "OPERATOR__SCRIPTSDIR="+dir)
}

// pullNothing replaces chart-pull in tests that are not about charts: it makes a nearly empty archive.
const pullNothing = "mkdir -p c/app; echo 'version: 1.0.0' >c/app/Chart.yaml; tar czf chart.tgz -C c app\n"

func TestAnUndeployStopsARunningDeployWithItsWholeProcessTree(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Never ready", appRtID)
	app.ValuesYaml = "image: {repository: registry.example/does-not-exist}"
	w.must(w.controller.Deploy(w.ctx, app))
	release := "acme-" + appRtID
	w.waitForLog(1, "the release is not ready yet", map[string]string{"release": release})

	w.must(w.controller.Undeploy(w.ctx, app))
	w.waitForLog(1, "event done", map[string]string{"release": release})
	if found := w.waitForLog(1, "event superseded", map[string]string{"release": release}); len(found) != 1 {
		t.Errorf("%d events were superseded", len(found))
	}
	if left := w.helm("list", "--short"); left != "" {
		t.Errorf("a release is left: %s", left)
	}
	for _, line := range processesWith(t, release) {
		if strings.Contains(line, w.namespace) { // other tests have releases of the same name
			t.Errorf("a process of the deploy is left: %q", line)
		}
	}
	for _, call := range w.controller.Calls() {
		if call.Method == "ReportWorkloadDeploymentStatusAsync" {
			t.Errorf("the stopped deploy was reported: %s", call.Args[0])
		}
	}
}

// processesWith returns the command lines of running processes that contain a text.
func processesWith(t *testing.T, text string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot read /proc: %v", err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestOfSeveralQueuedDeploysOfOneReleaseOnlyTheNewestRuns(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	done := filepath.Join(w.TempDir(), "done")
	w.swap(map[string]string{
		"chart-pull":      pullNothing,
		"workload-deploy": fmt.Sprintf("until [ -e %s ]; do sleep 0.05; done; grep number values.yaml >>%s\n", gate, done),
	})
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	after := w.controller.LastSeq()
	for number := 1; number <= 5; number++ {
		app.ValuesYaml = fmt.Sprintf("number: %d", number)
		app.Values = []devcontroller.Override{{Path: "key", Value: "planted-in-a-queue", IsSecret: true}}
		w.must(w.controller.Deploy(w.ctx, app))
		if number == 1 {
			w.waitForLog(1, "values merged", nil) // it is running, not queued
		}
	}
	w.waitForLog(3, "event superseded", nil)
	w.must(os.WriteFile(gate, nil, 0o600))
	w.waitForStatus(app, after)
	w.waitForLog(2, "event done", map[string]string{"release": "acme-" + appRtID})
	got, err := os.ReadFile(done)
	w.must(err)
	if want := "number: 1\nnumber: 5\n"; string(got) != want {
		t.Errorf("ran %q, want %q", got, want)
	}
	if strings.Contains(w.filesBelow(w.stateDir), "planted-in-a-queue") {
		t.Error("a secret of a superseded deploy is still on disk")
	}
}

func TestEventsOfOneReleaseKeepTheirOrderInABurst(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	trace := filepath.Join(w.TempDir(), "trace")
	w.swap(map[string]string{
		"chart-pull":        pullNothing,
		"workload-deploy":   fmt.Sprintf("echo \"$OCTO_RELEASE $(grep -o 'number: .*' values.yaml)\" >>%s\n", trace),
		"workload-undeploy": fmt.Sprintf("echo \"$OCTO_RELEASE undeployed\" >>%s\n", trace),
	})
	w.start()
	w.deployPool()
	const releases, rounds = 5, 100
	for number := range rounds {
		for i := range releases {
			app := w.workload(fmt.Sprint("Shop ", i), fmt.Sprintf("65d5c447b420da3fb123900%d", i))
			app.ValuesYaml = fmt.Sprintf("number: %d", number)
			w.must(w.controller.Deploy(w.ctx, app))
			w.must(w.controller.Undeploy(w.ctx, app))
		}
	}
	w.waitForLog(releases*rounds*2, "event received", nil)
	last := w.workload("Shop 0", "65d5c447b420da3fb1239000")
	after := w.controller.LastSeq()
	last.ValuesYaml = "number: 1000"
	w.must(w.controller.Deploy(w.ctx, last))
	w.waitForStatus(last, after)
	w.waitUntilSettled()

	text, err := os.ReadFile(trace)
	w.must(err)
	for i := range releases {
		checkOrder(t, string(text), fmt.Sprintf("acme-65d5c447b420da3fb123900%d", i))
	}
}

// waitUntilSettled waits until every run has a result. If there are many, the oldest are removed meanwhile.
func (w *world) waitUntilSettled() {
	w.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "2*"))
	w.must(err)
	for _, dir := range dirs {
		ended := func() bool {
			_, err := os.Stat(filepath.Join(dir, "result.json"))
			_, gone := os.Stat(dir)
			return err == nil || errors.Is(gone, fs.ErrNotExist)
		}
		if !w.eventually(ended) {
			w.Fatalf("run %s does not end; the operator's log:\n%s", dir, w.operator.text())
		}
	}
}

// checkOrder: the numbers of the deploys are ascending, and the last one that ran is the last one that was sent.
func checkOrder(t *testing.T, trace, release string) {
	t.Helper()
	var ran []string
	for line := range strings.Lines(trace) {
		if what, ok := strings.CutPrefix(strings.TrimSpace(line), release+" "); ok {
			ran = append(ran, what)
		}
	}
	previous := -1
	for _, what := range ran {
		number := -1
		if _, err := fmt.Sscanf(what, "number: %d", &number); err == nil && number <= previous {
			t.Errorf("%s: deploy %d ran after %d", release, number, previous)
		}
		previous = max(previous, number)
	}
	want := "undeployed"
	if strings.HasSuffix(release, "0") {
		want = "number: 1000"
	}
	if len(ran) == 0 || ran[len(ran)-1] != want {
		t.Errorf("%s: the last that ran is not %q: %q", release, want, slices.Clone(ran[max(0, len(ran)-3):]))
	}
}

func TestATenantsUpdateWaitsForWhatIsInFlightAndHoldsBackTheRest(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	dir := w.TempDir()
	w.swap(map[string]string{
		"chart-pull": pullNothing,
		"workload-deploy": fmt.Sprintf("echo \"start $OCTO_WORKLOAD\" >>%[1]s/trace; until [ -e \"%[1]s/go-$OCTO_WORKLOAD\" ]; do sleep 0.05; done; "+
			"echo \"end $OCTO_WORKLOAD\" >>%[1]s/trace\n", dir),
		"tenant-pre-update": fmt.Sprintf("echo \"update $OCTO_TENANT\" >>%s/trace\n", dir),
	})
	w.start()
	w.deployPool()
	other := devcontroller.Pool{TenantID: "other", ID: "65d5c447b420da3fb12381bd"}
	w.must(w.controller.PoolDeployed(w.ctx, other))
	_, err := w.controller.WaitRegistered(w.ctx, other)
	w.must(err)

	first, second, third := w.workload("first", appRtID), w.workload("second", brokenRtID), w.workload("third", appRtID)
	third.Pool = other
	w.must(w.controller.Deploy(w.ctx, first))
	w.waitForLog(1, "values merged", map[string]string{"workload": "first"})
	after := w.controller.LastSeq()
	w.must(w.controller.PreUpdateTenant(w.ctx, "acme"))
	w.waitForLog(1, "event received", map[string]string{"callback": "PreUpdateTenant"})
	w.must(w.controller.Deploy(w.ctx, second))
	w.must(w.controller.Deploy(w.ctx, third))

	w.must(os.WriteFile(filepath.Join(dir, "go-third"), nil, 0o600))
	w.waitForStatus(third, after) // another tenant is not disturbed, while first is still in flight
	w.must(os.WriteFile(filepath.Join(dir, "go-second"), nil, 0o600))
	w.must(os.WriteFile(filepath.Join(dir, "go-first"), nil, 0o600))
	w.waitForStatus(second, after)
	w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > after && c.Error == "" })

	text, err := os.ReadFile(filepath.Join(dir, "trace"))
	w.must(err)
	want := "start first\nend first\nupdate acme\nstart second\nend second\n"
	if got := strings.NewReplacer("start third\n", "", "end third\n", "").Replace(string(text)); got != want {
		t.Errorf("it went\n%swant\n%s", got, want)
	}
}

func TestAScriptThatHangsIsStoppedAndHoldsUpItsTenantNoLonger(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__SCRIPTDEADLINE=2s"}
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "sleep 1000 & wait\n"})
	w.start()
	w.deployPool()
	app := w.workload("Hung", appRtID)
	after := w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	w.must(w.controller.PreUpdateTenant(w.ctx, "acme"))
	if s := w.waitForStatus(app, after); s.Success || !strings.Contains(s.StatusMessage, "OPERATOR__SCRIPTDEADLINE") {
		t.Errorf("reported %+v", s)
	}
	w.waitForLog(1, "tenant updated: its work goes on", nil)
}

func TestADeployThatARestartInterruptsIsFinishedWithItsSecrets(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"SIGTERM", "SIGKILL"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			gate, seconds := filepath.Join(w.TempDir(), "gate"), uniqueName() // no other process sleeps for that time
			w.swap(map[string]string{"workload-deploy": fmt.Sprintf("[ -e %s ] || sleep %s\nexec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate, seconds)})
			w.start()
			w.deployPool()
			app := w.workload("Shop", appRtID)
			app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-over-a-restart", IsSecret: true}}
			after := w.controller.LastSeq()
			w.must(w.controller.Deploy(w.ctx, app))
			w.waitForLog(1, "values merged", nil)
			if how == "SIGKILL" {
				w.kill()
			} else {
				w.stop(w.operator)
			}
			w.must(os.WriteFile(gate, nil, 0o600))
			w.start()
			if s := w.waitForStatus(app, after); !s.Success {
				t.Fatalf("reported %+v", s)
			}
			w.waitUntilSettled()
			if got := w.kubectl("get", "secret", "acme-"+appRtID+"-octo-secrets", "-o", `go-template={{index .data "secrets.apiKey"|base64decode}}`); got != "planted-over-a-restart" {
				t.Errorf("the release's secret holds %q", got)
			}
			if strings.Contains(w.filesBelow(w.stateDir), "planted-over-a-restart") {
				t.Error("the secret is still on disk")
			}
			if left := processesWith(t, "sleep\x00"+seconds); len(left) > 0 {
				t.Errorf("the interrupted script still runs: %q", left)
			}
		})
	}
}

// letHelmWait makes helm wait for pods, as for charts with hooks that run afterwards, so that there is a helm to kill.
func (w *world) letHelmWait() {
	w.swap(map[string]string{"workload-deploy": "export OCTO_WAIT=true\nexec \"${OCTO_LIB%/*}/workload-deploy\"\n"})
}

func TestAReleaseThatAKilledHelmLeftPendingIsDeployedAgain(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.letHelmWait()
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	release := "acme-" + appRtID
	hanging := app
	hanging.ValuesYaml = "image: {repository: x/does-not-exist}"
	after := w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, hanging))
	w.waitForLog(1, "helm is still at work", nil)
	if w.killProcesses("--wait", release, w.namespace) == 0 {
		t.Fatal("no helm to kill")
	}
	if s := w.waitForStatus(app, after); s.Success {
		t.Fatalf("reported %+v", s)
	}
	w.waitForLog(1, "a killed helm has left the release unusable: it is recovered", map[string]string{"status": "pending-upgrade"})
	if s := w.deploy(app); !s.Success {
		t.Errorf("the next deploy: %s", s.StatusMessage)
	}
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"status":"deployed"`) {
		t.Errorf("the release is %s", got)
	}
}

func TestAnUndeployAfterAKilledFirstInstallLeavesNothing(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.letHelmWait()
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "image: {repository: x/does-not-exist}"
	after := w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "helm is still at work", nil)
	if w.killProcesses("--wait", "acme-"+appRtID, w.namespace) == 0 {
		t.Fatal("no helm to kill")
	}
	if s := w.waitForStatus(app, after); s.Success {
		t.Errorf("reported %+v", s)
	}
	w.must(w.controller.Undeploy(w.ctx, app))
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"})
	if left := w.kubectl("get", "deployments,services", "-o", "name"); left != "" {
		t.Errorf("left after an undeploy that succeeded: %s", left)
	}
}

func TestAReleaseThatAKilledHelmLeftUninstallingIsDeployedAgain(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	release := "acme-" + appRtID
	w.kubectl("patch", "configmap", release, "--patch", `{"metadata":{"finalizers":["octo-dev/hold"]}}`)
	after := w.controller.LastSeq()
	w.must(w.controller.Undeploy(w.ctx, app))
	uninstalls := func() bool {
		return strings.Contains(w.kubectl("get", "configmap", release, "-o", "yaml"), "deletionTimestamp")
	}
	if !w.eventually(uninstalls) {
		t.Fatal("helm does not uninstall")
	}
	// It is tried once more.
	for range 2 {
		if !w.eventually(func() bool { return w.killProcesses("uninstall", release, w.namespace) > 0 }) {
			t.Fatal("no helm to kill")
		}
	}
	if s := w.waitForStatus(app, after); s.Success {
		t.Fatalf("reported %+v", s)
	}
	if labels := w.kubectl("get", "secret", "sh.helm.release.v1."+release+".v1", "--show-labels", "--no-headers"); !strings.Contains(labels, "status=uninstalling") {
		t.Fatalf("the killed helm has left %s: this test proves nothing", labels)
	}
	w.kubectl("patch", "configmap", release, "--type", "merge", "--patch", `{"metadata":{"finalizers":null}}`)
	if s := w.deploy(app); !s.Success {
		t.Errorf("the next deploy: %s", s.StatusMessage)
	}
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"status":"deployed"`) || !strings.Contains(got, `"revision":"1"`) {
		t.Errorf("the release is %s", got)
	}
}

func TestALiveHelmOfSomebodyElseIsNotRobbed(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	release := "acme-" + appRtID
	ctx, cancel := context.WithCancel(w.ctx)
	other := osexec.CommandContext(ctx, "helm", "upgrade", release, "../../testdata/charts/demo-app", "--namespace", w.namespace,
		"--set", "image.repository=x/does-not-exist", "--wait", "--timeout", "5m")
	w.must(other.Start())
	defer func() { cancel(); _ = other.Wait() }()
	revision := "sh.helm.release.v1." + release + ".v2"
	w.waitForRevision(revision)
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "another helm works on it") {
		t.Errorf("reported %+v", s)
	}
	w.kubectl("get", "secret", revision) // still there
}
