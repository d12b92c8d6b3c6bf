package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// exitCode waits for the operator's end and returns its exit code.
func (o *operator) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-o.done:
	case <-time.After(patience):
		t.Fatalf("the operator did not end; its log:\n%s", o.text())
	}
	return o.cmd.ProcessState.ExitCode()
}

func (w *world) signal(o *operator) {
	w.Helper()
	w.must(o.cmd.Process.Signal(syscall.SIGTERM))
}

func TestOnSIGTERMShortWorkEndsByItselfAndTheOperatorExitsWith0(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.env = []string{"OPERATOR__SHUTDOWNGRACE=4m"} // half of it is for running work
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": fmt.Sprintf("until [ -e %s ]; do sleep 0.05; done\n", gate)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	w.signal(w.operator)
	w.waitForLog(1, "octo-operator ends: no more events are taken", nil)
	w.must(os.WriteFile(gate, nil, 0o600))
	if code := w.operator.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"})
	w.start()
	if s := w.waitForStatus(app, after); !s.Success { // the connection had been closed before there was a report
		t.Errorf("reported %+v", s)
	}
	if n := len(matching(w.operator.records(t), "event resumed", map[string]string{"workload": "Shop"})); n != 0 {
		t.Error("it was run again")
	}
}

func TestOnSIGTERMWorkThatDoesNotEndIsKilledWithinTheGracePeriodAndResumed(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate, seconds := filepath.Join(w.TempDir(), "gate"), uniqueName() // no other process sleeps for that time
	w.env = []string{"OPERATOR__SHUTDOWNGRACE=2s"}
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": fmt.Sprintf("trap '' TERM; [ -e %s ] || sleep %s\n", gate, seconds)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	w.signal(w.operator)
	if code := w.operator.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left := processesWith(t, "sleep\x00"+seconds); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	w.must(os.WriteFile(gate, nil, 0o600))
	w.start()
	if s := w.waitForStatus(app, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
}

func TestASecondSIGTERMEndsTheOperatorAtOnce(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	seconds := uniqueName() // no other process sleeps for that time
	w.env = []string{"OPERATOR__SHUTDOWNGRACE=1h"}
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "trap '' TERM; sleep " + seconds + "\n"})
	w.start()
	w.deployPool()
	w.must(w.controller.Deploy(w.ctx, w.workload("Shop", appRtID)))
	w.waitForLog(1, "values merged", nil)
	w.signal(w.operator)
	w.waitForLog(1, "octo-operator ends: no more events are taken", nil)
	w.signal(w.operator)
	if code := w.operator.exitCode(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if left := processesWith(t, "sleep\x00"+seconds); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// journal is the content of the copies of unfinished events in the cluster.
func (w *world) journal() string {
	w.Helper()
	return w.kubectl("get", "secrets", "--selector", "octo-mesh.meshmakers.io/journal", "--output", "yaml")
}

func (w *world) waitForEmptyJournal() {
	w.Helper()
	if !w.eventually(func() bool { return !strings.Contains(w.journal(), "kind: Secret") }) {
		w.Fatalf("left in the cluster:\n%s\nthe operator's log:\n%s", w.journal(), w.operator.text())
	}
}

// replacePod kills the operator with all its processes, and gives it an empty disk.
func (w *world) replacePod() {
	w.Helper()
	w.must(w.operator.cmd.Process.Signal(syscall.SIGKILL))
	<-w.operator.done
	w.killMarked()
	w.stateDir = w.TempDir()
}

// killMarked kills the processes that an operator of this test has started, as the end of its container would.
func (w *world) killMarked() {
	w.Helper()
	identity, err := os.ReadFile(filepath.Join(w.stateDir, "identity"))
	w.must(err)
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	w.must(err)
	for _, file := range files {
		env, _ := os.ReadFile(file)
		if strings.Contains("\x00"+string(env), "\x00OCTO_DAEMON="+string(identity)+"\x00") {
			var pid int
			_, _ = fmt.Sscanf(file, "/proc/%d/environ", &pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestAnEventSurvivesAPodThatIsReplacedWithItsDisk(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"workload-deploy": fmt.Sprintf("[ -e %s ] || sleep 1007\nexec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-over-a-new-pod", IsSecret: true}}
	private := w.workload("Private", brokenRtID)
	private.RepositoryURL, private.RepositoryUsername, private.RepositoryPassword = closedCharts.URL, chartUser, chartPassword
	w.must(w.controller.Deploy(w.ctx, app))
	w.must(w.controller.Deploy(w.ctx, private))
	w.waitForLog(2, "values merged", nil)
	if kept := w.journal(); strings.Count(kept, "kind: Secret\n") != 2 || strings.Contains(kept, chartPassword) {
		t.Fatalf("the cluster keeps %s", kept)
	}
	w.replacePod()
	w.must(os.WriteFile(gate, nil, 0o600))
	w.start()
	if s := w.waitForStatus(app, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	if s := w.waitForStatus(private, after); s.Success || !strings.Contains(s.StatusMessage, "OPERATOR__AUTHENTICATION__CLIENTSECRET") {
		t.Errorf("reported %+v: its password is in no Secret of the release", s)
	}
	w.waitForEmptyJournal()
	if got := w.kubectl("get", "secret", "acme-"+appRtID+"-octo-secrets", "-o", `go-template={{index .data "secrets.apiKey"|base64decode}}`); got != "planted-over-a-new-pod" {
		t.Errorf("the release's secret holds %q", got)
	}
	w.waitUntilSettled()
	if strings.Contains(w.filesBelow(w.stateDir), "planted-over-a-new-pod") {
		t.Error("the secret is still on disk")
	}
}

func TestAPasswordOfAChartRepositorySurvivesSealed(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	gate := filepath.Join(w.TempDir(), "gate")
	w.env = authentication(issuer.url, clientSecret)
	w.swap(map[string]string{"workload-deploy": fmt.Sprintf("[ -e %s ] || sleep 1009\nexec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate)})
	w.start()
	w.deployPool()
	private, after := w.workload("Private", appRtID), w.controller.LastSeq()
	private.RepositoryURL, private.RepositoryUsername, private.RepositoryPassword = closedCharts.URL, chartUser, chartPassword
	w.must(w.controller.Deploy(w.ctx, private))
	w.waitForLog(1, "values merged", nil)
	w.replacePod()
	w.must(os.WriteFile(gate, nil, 0o600))
	w.start()
	if s := w.waitForStatus(private, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	w.waitForEmptyJournal()
}

func TestAReportSurvivesAPodThatIsReplacedWithItsDisk(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": fmt.Sprintf("until [ -e %s ]; do sleep 0.05; done\n", gate)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	address := w.controller.Addr()
	w.must(w.controller.Close())
	w.must(os.WriteFile(gate, nil, 0o600))
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"})
	if !w.eventually(func() bool { return strings.Contains(w.journal(), ".report:") }) {
		t.Fatalf("the report is not in the cluster:\n%s", w.journal())
	}
	w.replacePod()
	w.must(w.controller.Start(address))
	w.start()
	if s := w.waitForStatus(app, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	w.waitForEmptyJournal()
	if n := len(matching(w.operator.records(t), "event resumed", nil)); n != 0 {
		t.Error("it was run again")
	}
}

func TestAStandbyIsReadySaysWhoLeadsAndTakesTheKilledLeadersPlace(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	leader, leaders := w.operator, w.stateDir
	w.stateDir = w.TempDir()
	address := w.probe()
	w.launch()
	w.waitForLog(1, "another operator leads: this one stands by", nil)
	identity, err := os.ReadFile(filepath.Join(leaders, "identity"))
	w.must(err)
	w.waitUntilReadiness(address, http.StatusOK, "_"+string(identity)+" leads")
	metrics := strings.TrimSuffix(address, "/health/ready") + "/metrics"
	w.waitUntilReadiness(metrics, http.StatusOK, "octo_operator_leader 0")
	if n := len(w.controller.Connections()); n != 1 {
		t.Errorf("%d operators have connected", n)
	}

	after := w.controller.LastSeq()
	w.must(leader.cmd.Process.Signal(syscall.SIGKILL))
	w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > after && c.Error == "" })
	w.waitUntilReadiness(metrics, http.StatusOK, "octo_operator_leader 1")
	app.ValuesYaml = "replicaCount: 2"
	if s := w.deploy(app); !s.Success {
		t.Error(s.StatusMessage)
	}
}

func TestAnEventThatIsHandedOverIsFoundAndDoneByTheOperatorThatLeads(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"workload-deploy": fmt.Sprintf("[ -e %s ] || sleep 1011\nexec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, app))
	w.waitForLog(1, "values merged", nil)
	disk := w.stateDir
	w.replacePod()
	// As if the event had come when the API server could not be reached: only the disk has it.
	copied, err := filepath.Glob(filepath.Join(disk, "runs", "*-workload-deployed-*", "copied"))
	w.must(err)
	if len(copied) != 1 {
		t.Fatalf("copied: %q", copied)
	}
	w.must(os.Remove(copied[0]))
	w.kubectl("delete", "secrets", "--selector", "octo-mesh.meshmakers.io/journal")
	w.must(os.WriteFile(gate, nil, 0o600))
	w.start()
	leader := w.operator
	w.stateDir = disk
	w.launch()
	w.waitForLog(1, "event left to the operator that leads", nil)
	w.waitForLogOf(leader, 1, "event resumed", map[string]string{"workload": "Shop"})
	if s := w.waitForStatus(app, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	w.waitForEmptyJournal()
}

func TestARollingUpdateRunsNothingTwiceAndNothingAtTheSameTime(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	dir := w.TempDir()
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": fmt.Sprintf(
		"grep number: values.yaml >>%[1]s/trace; until [ -e %[1]s/gate ]; do sleep 0.05; done; echo end >>%[1]s/trace\n", dir)})
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	deploy := func(number int) {
		app.ValuesYaml = fmt.Sprintf("number: %d", number)
		w.must(w.controller.Deploy(w.ctx, app))
	}
	deploy(1)
	w.waitForLog(1, "values merged", nil)
	deploy(2) // waits behind the first
	w.waitForLog(2, "event received", map[string]string{"workload": "Shop"})

	old := w.operator
	w.stateDir = w.TempDir()
	w.launch()
	w.waitForLog(1, "another operator leads: this one stands by", nil)
	w.signal(old)
	w.waitForLogOf(old, 1, "octo-operator ends: no more events are taken", nil)
	w.must(os.WriteFile(filepath.Join(dir, "gate"), nil, 0o600))
	if code := old.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.waitForStatus(app, after)
	w.waitForLog(1, "event resumed", nil)
	w.waitForEmptyJournal()
	trace, err := os.ReadFile(filepath.Join(dir, "trace"))
	w.must(err)
	if want := "number: 1\nend\nnumber: 2\nend\n"; string(trace) != want {
		t.Errorf("it went\n%swant\n%s", trace, want)
	}
}
