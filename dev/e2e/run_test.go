package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

func (w *world) waitForFile(path string) {
	w.Helper()
	there := func() bool { _, err := os.Stat(path); return err == nil }
	if !w.eventually(there) {
		w.Fatalf("%s did not appear; the operator's log:\n%s", path, w.operator.text())
	}
}

// runDir is the directory of the newest run of a callback.
func (w *world) runDir(callback string) string {
	w.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "*-"+callback+"-*"))
	w.must(err)
	if len(dirs) == 0 {
		w.Fatalf("no run of %s below %s", callback, w.stateDir)
	}
	return dirs[len(dirs)-1]
}

func TestAGoodDeployReadsLikeAShortStory(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"})
	var story []string
	for _, r := range w.operator.records(t) {
		if r["workload"] != "Shop" {
			continue
		}
		story = append(story, fmt.Sprint(r["msg"]))
		for _, attr := range []string{"run", "tenant", "release"} {
			if r[attr] == nil {
				t.Errorf("the record %q lacks %s", r["msg"], attr)
			}
		}
	}
	if len(story) < 6 || len(story) > 12 {
		t.Errorf("a good deploy is told in %d records, not about ten: %q", len(story), story)
	}
}

func TestTheLogLevelOfARunningOperatorChanges(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	url := strings.TrimSuffix(w.probe(), "/health/ready") + "/system/v1/diagnostics/reconfigureLogLevel"
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "echo from stdout\n"})
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	w.deploy(app)
	response, err := http.Post(url+"?minLogLevel=Debug&maxLogLevel=Fatal&loggerName=*", "", nil)
	w.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("got %s", response.Status)
	}
	if lines := matching(w.operator.records(t), "from stdout", nil); len(lines) > 0 {
		t.Errorf("before: %v", lines)
	}
	w.deploy(app)
	w.waitForLog(1, "from stdout", map[string]string{"level": "DEBUG"})
}

func TestASIGHUPEndsNothingAndTheLogLevelIsSetByACommandInThePod(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.probe()
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "echo from stdout\n"})
	w.start()
	w.deployPool()
	w.must(w.operator.cmd.Process.Signal(syscall.SIGHUP))
	w.waitForLog(1, "SIGHUP changes nothing", nil)
	level := osexec.Command(operatorBinary, "log-level", "debug")
	level.Env = w.environment()
	if out, err := level.CombinedOutput(); err != nil || string(out) != "the operator logs from debug on\n" {
		t.Errorf("log-level: %v, %q", err, out)
	}
	w.deploy(w.workload("Shop", appRtID))
	w.waitForLog(1, "from stdout", map[string]string{"level": "DEBUG"})
}

func TestEveryLineOfOutputIsARecordAtDebug(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__LOGLEVEL=debug"}
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "echo from stdout; echo from stderr >&2\n"})
	w.start()
	w.deployPool()
	w.deploy(w.workload("Shop", appRtID))
	for stream, level := range map[string]string{"stdout": "DEBUG", "stderr": "INFO"} {
		r := w.waitForLog(1, "from "+stream, map[string]string{"stream": stream, "tenant": "acme", "release": "acme-" + appRtID, "level": level})
		if r[0]["run"] == nil {
			t.Errorf("the record lacks its run: %v", r[0])
		}
	}
	output, err := os.ReadFile(filepath.Join(w.runDir("workload-deployed"), "output.log"))
	w.must(err)
	if !strings.Contains(string(output), " stdout from stdout\n") || !strings.Contains(string(output), " stderr from stderr\n") {
		t.Errorf("output.log holds %q", output)
	}
}

func TestALoggedCommandCanBePastedIntoAShellFromAnyDirectory(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop's \"best\" $app", appRtID)
	app.Values = []devcontroller.Override{{Path: "settings.quote", Value: "it's"}}
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	commands := w.waitForLog(3, "command", map[string]string{"release": "acme-" + appRtID})
	pasted := 0
	for _, r := range commands {
		line := r["cmd"].(string)
		if strings.Contains(line, "secret.yaml") || strings.Contains(line, "manifest.yaml") {
			continue // files that may contain secrets are removed after the run
		}
		shell := osexec.Command("sh", "-c", line)
		shell.Dir = "/"
		shell.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%s\n%v\n%s", line, err, out)
		}
		pasted++
	}
	if pasted < 2 {
		t.Errorf("%d commands were pasted: of helm template and helm upgrade one is missing", pasted)
	}
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"revision":"2"`) {
		t.Errorf("the pasted upgrade made no second revision: %s", got)
	}
}

func TestARunCanBeRunAgainFromItsDirectory(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	dir := w.runDir("workload-deployed")
	w.waitForFile(filepath.Join(dir, "result.json"))
	rerun := func() (string, error) {
		cmd := osexec.Command(filepath.Join(dir, "rerun"))
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := rerun(); err != nil || !strings.Contains(out, "has been upgraded") {
		t.Errorf("rerun: %v\n%s", err, out)
	}
	w.kubectl("delete", "secret", "acme-"+appRtID+"-octo-secrets")
	if out, err := rerun(); err == nil || !strings.Contains(out, "deploy the workload from the controller again") {
		t.Errorf("rerun without the secret: %v\n%s", err, out)
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, "event.json": 0o600, "values.yaml": 0o600, "output.log": 0o600, "result.json": 0o600, "env": 0o600, "chart.tgz": 0o600, "rerun": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		w.must(err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
}

func TestAScriptThatCannotRunIsAClearErrorAndHarmsNoOtherEvent(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	dir := w.TempDir()
	w.must(os.WriteFile(filepath.Join(dir, "workload-deploy"), []byte("#!/bin/sh\n"), 0o644))
	w.env = []string{"OPERATOR__SCRIPTSDIR=" + dir}
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "chmod +x") {
		t.Errorf("reported %+v", s)
	}
	w.must(os.Chmod(filepath.Join(dir, "workload-deploy"), 0o755))
	if s := w.deploy(app); !s.Success {
		t.Errorf("reported %+v", s)
	}
}

// The planted secrets of this test, besides chartPassword and brokerPassword.
const (
	plantedOverride = "planted-override-secret-4711"
	plantedMongo    = "planted-mongo-password-0815"
)

func TestNoSecretIsInAnyCommandLineLogOrFileThatRemains(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{
		"OPERATOR__LOGLEVEL=debug", "OPERATOR__HELM__TIMEOUT=20s",
		"OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD=" + plantedMongo,
	}
	w.start()
	stopSampling := sampleProcesses(t, plantedOverride, plantedMongo, chartPassword, brokerPassword)
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.RepositoryURL, app.RepositoryUsername, app.RepositoryPassword = closedCharts.URL, chartUser, chartPassword
	app.ReceivesClusterSecrets = true
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: plantedOverride, IsSecret: true}}
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	broken := app
	broken.Name, broken.RtID, broken.ValuesYaml = "Broken", brokenRtID, "image: {repository: x/does-not-exist}"
	message := w.deploy(broken).StatusMessage
	fromRegistry := app
	fromRegistry.RepositoryURL, fromRegistry.RepositoryPassword = closedCharts.OCI, chartPassword
	if s := w.deploy(fromRegistry); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitForLog(3, "event done", nil)
	w.waitUntilSettled()

	places := map[string]string{
		"the log":             w.operator.text(),
		"the status message":  message,
		"helm get values":     w.helm("get", "values", "acme-"+appRtID),
		"helm get manifest":   w.helm("get", "manifest", "acme-"+appRtID),
		"a command line":      stopSampling(),
		"a file that remains": w.filesBelow(w.stateDir),
	}
	for _, secret := range []string{plantedOverride, plantedMongo, chartPassword, brokerPassword} {
		for place, text := range places {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is in %s: …%s…", secret, place, text[max(0, at-300):at+len(secret)])
			}
		}
	}
	if got := w.kubectl("get", "secret", "acme-"+appRtID+"-octo-secrets", "-o", `go-template={{index .data "secrets.databaseUser"|base64decode}}`); got != plantedMongo {
		t.Errorf("the release's secret has %q", got)
	}
}

// filesBelow returns the content of every file below dir, each after its name.
func (w *world) filesBelow(dir string) string {
	w.Helper()
	var all strings.Builder
	w.must(filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "\n== %s\n%s", path, text)
		return err
	}))
	return all.String()
}

// sampleProcesses reads the command lines of all processes, and the environments of helm and kubectl, repeatedly until stopped. Then it
// returns those that contain one of the secrets. It fails if it has not seen helm at all.
func sampleProcesses(t *testing.T, secrets ...string) (stop func() string) {
	quit, result := make(chan struct{}), make(chan string)
	go func() {
		var hits strings.Builder
		sawHelm := false
		for {
			for _, line := range processesWithAny(secrets, &sawHelm) {
				hits.WriteString(line + "\n")
			}
			select {
			case <-quit:
				if !sawHelm {
					hits.WriteString("helm was never seen: the sample is worth nothing")
					t.Error("helm was never seen among the processes")
				}
				result <- hits.String()
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() string { close(quit); return <-result }
}

func processesWithAny(secrets []string, sawHelm *bool) (hits []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		tool := bytes.HasPrefix(line, []byte("helm\x00")) || bytes.HasPrefix(line, []byte("kubectl\x00"))
		if tool {
			*sawHelm = *sawHelm || bytes.HasPrefix(line, []byte("helm\x00"))
			environ, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
			line = append(line, environ...)
		}
		for _, secret := range secrets {
			// The tests' own chart server has its password as an argument.
			if bytes.Contains(line, []byte(secret)) && !bytes.Contains(line, []byte("devcluster")) {
				hits = append(hits, string(line))
			}
		}
	}
	return hits
}

func TestTheCommandsWithoutAController(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	event, err := json.Marshal(map[string]any{
		"tenantId": "acme", "poolRtId": w.pool.ID, "workloadName": "Shop", "workloadRtId": appRtID, "workloadType": "Application",
		"repositoryUrl": openCharts.URL, "chartName": "demo-app", "chartVersion": "1.2.0", "valuesYaml": "settings: {a: b}",
		"values": []any{
			map[string]any{"path": "port", "value": "9090"},
			map[string]any{"path": "secrets.apiKey", "value": plantedOverride, "isSecret": true},
		},
	})
	w.must(err)
	file := filepath.Join(w.TempDir(), "event.json")
	w.must(os.WriteFile(file, event, 0o600))
	for _, test := range []struct {
		name  string
		args  []string
		stdin string
		exit  int
		want  []string
	}{
		{"help", []string{"--help"}, "", 0, []string{"run", "handle", "values", "version"}},
		{"run help", []string{"run", "--help"}, "", 0, []string{"OPERATOR__COMMUNICATIONCONTROLLERURI"}},
		{"handle help", []string{"handle", "--help"}, "", 0, []string{"WorkloadDeployed", "PreUpdateTenant", "array"}},
		{"doctor help", []string{"doctor", "--help"}, "", 0, []string{"FAIL", "0  nothing failed", "kubectl exec"}},
		{"doctor in another form", []string{"doctor", "-o", "yaml"}, "", 1, []string{"-o is text or json"}},
		{"version", []string{"version"}, "", 0, []string{"octo-operator ", "helm v4", "kubectl v1"}},
		{"values", []string{"values", file}, "", 0, []string{"port: 9090", "secretKeyRef", "tenantId: acme"}},
		{"values from stdin", []string{"values", "-"}, string(event), 0, []string{"port: 9090"}},
		{"where values come from", []string{"values", "--explain", file}, "", 0, []string{"settings.a ", " valuesYaml ", "from the text \"9090\": ", "- chart ", " in Secret acme-"}},
		{"where one value comes from", []string{"values", "--path", "port", "-o", "json", file}, "", 0, []string{`"path": "port",`, `"layer": "values",`, `"text": "9090",`}},
		{"where nothing comes from", []string{"values", "--path", "none", file}, "", 1, []string{`cannot explain "none"`}},
		{"which scripts", []string{"scripts"}, "", 0, []string{"workload-deploy    the default", "chart-pull         the operator, without a script"}},
		{"a default script", []string{"scripts", "show", "workload-scale"}, "", 0, []string{"#!/bin/sh", "kubectl patch"}},
		{"what is wrong with a file", []string{"scripts", "lint", "--step", "workload-scale", file}, "", 1, []string{file + ":1: ", "it may not be executed"}},
		{"a pool", []string{"handle", "PoolDeployed", "-"}, `{"tenantId":"acme","poolRtId":"` + w.pool.ID + `"}`, 0, []string{"event done"}},
		{"a deploy", []string{"handle", "WorkloadDeployedAsync", file}, "", 0, []string{"would be reported", `\"success\":true`}},
		{"an undeploy", []string{"handle", "WorkloadUndeployed", file}, "", 0, []string{"event done"}},
		{"an undeploy of nothing", []string{"handle", "WorkloadUndeployed", file}, "", 0, []string{"event done"}},
		{"several arguments", []string{"handle", "PoolUndeployed"}, `["acme", "` + w.pool.ID + `"]`, 0, []string{"event done"}},
		{"an undeploy of no pool", []string{"handle", "PoolUndeployed"}, `["acme", "` + w.pool.ID + `"]`, 0, []string{"event done"}},
		{"a tenant", []string{"handle", "PreUpdateTenant"}, `"acme"`, 0, []string{"event done"}},
		{"a failure", []string{"handle", "WorkloadDeployed"}, `{"tenantId":"acme"}`, 1, []string{"workloadName is empty"}},
		{"not JSON", []string{"handle", "WorkloadDeployed"}, `{`, 1, []string{"not JSON"}},
		{"an unknown callback", []string{"handle", "Nothing"}, `{}`, 1, []string{"Nothing", "PoolDeployed"}},
		{"no such file", []string{"handle", "PoolDeployed", "/no/such/file"}, "", 1, []string{"/no/such/file"}},
	} {
		cmd := osexec.Command(operatorBinary, test.args...)
		cmd.Env, cmd.Stdin = w.environment(), strings.NewReader(test.stdin)
		out, err := cmd.CombinedOutput()
		exit := cmd.ProcessState.ExitCode()
		if exit != test.exit {
			t.Errorf("%s: exit code %d (%v), want %d\n%s", test.name, exit, err, test.exit, out)
		}
		for _, part := range test.want {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s: the output lacks %q:\n%s", test.name, part, out)
			}
		}
		if strings.Contains(string(out), plantedOverride) {
			t.Errorf("%s: the output holds the secret:\n%s", test.name, out)
		}
	}
}
