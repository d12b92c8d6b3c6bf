package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

// planned is the output of octo-operator plan -o json.
type planned struct {
	Action, Refused, Summary, Diff string
	Changing                       bool
	Restarts                       []struct{ Workload, Why string }
	Hooks, Notes                   []string
	Values                         []struct{ Path, Layer string }
}

// plan runs octo-operator plan beside the daemon, and returns its output and its exit code.
func (w *world) plan(stdin []byte, args ...string) (planned, int) {
	w.Helper()
	cmd := osexec.CommandContext(w.ctx, operatorBinary, append([]string{"plan", "-o", "json"}, args...)...)
	cmd.Env, cmd.Stdin = w.environment(), bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*osexec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	if strings.Contains(stdout.String()+stderr.String(), "planted") {
		w.Errorf("plan %q prints a secret:\n%s\n%s", args, stdout.String(), stderr.String())
	}
	var p planned
	if err := json.Unmarshal(stdout.Bytes(), &p); err != nil {
		w.Fatalf("plan %q: %v\n%s\n%s", args, err, stdout.String(), stderr.String())
	}
	return p, cmd.ProcessState.ExitCode()
}

// planEvent plans a workload's deploy.
func (w *world) planEvent(app devcontroller.Workload) (planned, int) {
	w.Helper()
	event, err := app.DeployArgument(devcontroller.G3)
	w.must(err)
	return w.plan(event, "-")
}

// whatAPlanMustNotChange is the version of each object that a deploy makes, and the files of the state directory. For a Deployment it is
// the generation, because its status changes by itself.
func (w *world) whatAPlanMustNotChange() string {
	w.Helper()
	all := w.kubectl("get", "secrets,configmaps,services,ingresses,serviceaccounts,jobs", "--output",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}`)
	all += w.kubectl("get", "deployments", "--output", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{"\n"}{end}`)
	w.must(filepath.WalkDir(w.stateDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(filepath.Dir(path)) == "kube" {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all += fmt.Sprintln(path, info.Size(), info.ModTime())
		}
		return err
	}))
	return all
}

// settled waits until earlier events change nothing any more: the copy of the last one is removed from the cluster after its end.
func (w *world) settled() {
	w.Helper()
	gone := func() bool {
		return w.kubectl("get", "secrets", "--selector", "octo-mesh.meshmakers.io/journal", "--output", "name") == ""
	}
	if !w.eventually(gone) {
		w.Error("the copy of an event is left")
	}
}

// TestAPlanSaysWhatADeployThenChanges deploys in steps. Before each one plan says what it will change, and afterwards changes.diff has
// the same. The golden files show that as a person reads it.
func TestAPlanSaysWhatADeployThenChanges(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"4", "3"} {
		t.Run("helm "+helm, func(t *testing.T) { testPlanAndChanges(t, helm) })
	}
}

var restartedAt = regexp.MustCompile(`restartedAt: "[^"]*"`)

func testPlanAndChanges(t *testing.T, helm string) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__LOGLEVEL=debug", "OPERATOR__BROKERUSER=", "OPERATOR__BROKERPASSWORD="}
	w.withHelm(helm)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	values := map[string]devcontroller.Override{}
	set := func(path, value string, secret bool) {
		values[path] = devcontroller.Override{Path: path, Value: value, IsSecret: secret}
	}
	set("secrets.apiKey", "planted-key-1", true)
	set("settings.colour", "red", false)
	set("settings.address", "https://user:planted-key-1@host", false)
	set("ingress.enabled", "true", false)
	for _, step := range []struct {
		name, action, summary string
		exit                  int
		change                func()
		restarts              []string
	}{
		{"first", "install", "5 objects new: Secret, ConfigMap, Service, Deployment, Ingress", 2, func() {}, nil},
		{"same", "upgrade", "nothing changed", 0, func() {}, nil},
		{"image, key and secret", "upgrade", "3 objects changed: Secret 1 key, ConfigMap 2 keys, Deployment image 1.0→2.0 and 1 field", 2, func() {
			set("image.tag", "2.0", false)
			set("settings.colour", "blue", false)
			set("settings.address", "https://host", false)
			set("secrets.apiKey", "planted-key-2", true)
		}, []string{"its pod template changes"}},
		{"secret alone", "upgrade", "1 object changed: Secret 1 key", 2, func() { set("secrets.apiKey", "planted-key-3", true) }, []string{"it uses keys of the Secret that change: secrets.apiKey"}},
		{"object removed", "upgrade", "1 object removed: Ingress", 2, func() { set("ingress.enabled", "false", false) }, nil},
	} {
		step.change()
		app.Values = nil
		for _, path := range slices.Sorted(mapKeys(values)) {
			app.Values = append(app.Values, values[path])
		}
		w.settled()
		before := w.whatAPlanMustNotChange()
		p, exit := w.planEvent(app)
		if diff := cmp.Diff(before, w.whatAPlanMustNotChange()); diff != "" {
			t.Errorf("%s: the plan has changed something:\n%s", step.name, diff)
		}
		if exit != step.exit || p.Action != step.action || p.Refused != "" || p.Changing != (step.exit == 2) {
			t.Errorf("%s: exit code %d, %+v", step.name, exit, p)
		}
		var why []string
		for _, r := range p.Restarts {
			why = append(why, r.Why)
		}
		if !slices.Equal(why, step.restarts) {
			t.Errorf("%s: the plan restarts %q, want %q", step.name, why, step.restarts)
		}
		generation := w.templateOf("acme-" + appRtID)
		if s := w.deploy(app); !s.Success {
			t.Fatalf("%s: %s", step.name, s.StatusMessage)
		}
		kept, err := os.ReadFile(filepath.Join(w.runDir("workload-deployed"), "changes.diff"))
		w.must(err)
		if diff := cmp.Diff(p.Diff, string(kept)); diff != "" {
			t.Errorf("%s: the deploy has changed something else than the plan says (-plan +deploy):\n%s", step.name, diff)
		}
		if strings.Contains(string(kept), "planted") {
			t.Errorf("%s: a secret is in it:\n%s", step.name, kept)
		}
		if replaced := generation != "" && w.templateOf("acme-"+appRtID) != generation; replaced != (len(p.Restarts) > 0) {
			t.Errorf("%s: the plan restarts %v, and the pod template was changed: %v", step.name, p.Restarts, replaced)
		}
		golden := restartedAt.ReplaceAllString(strings.ReplaceAll(string(kept), w.namespace, "NAMESPACE"), "restartedAt: TIME")
		goldenFile(t, "changes/"+strings.NewReplacer(" ", "-", ",", "").Replace(step.name)+".diff", golden)
		done := w.waitForLog(1, "event done", map[string]string{"workload": "Shop", "changes": p.Summary})
		if p.Summary != step.summary || len(done) == 0 {
			t.Errorf("%s: the summary is %q, want %q", step.name, p.Summary, step.summary)
		}
		if told := w.toldProgress(p.Summary); told != (p.Summary != "nothing changed") {
			t.Errorf("%s: the controller was told of it: %v", step.name, told)
		}
	}
	for _, r := range matching(w.operator.records(t), "objects compared", nil) {
		took, err := time.ParseDuration(fmt.Sprint(r["took"]))
		w.must(err)
		objects := r["objects"].(float64)
		t.Logf("%v objects compared in %s: %.1f ms an object", objects, took, took.Seconds()*1000/objects)
	}
}

// templateOf returns a Deployment's pod template; "": there is no such Deployment.
func (w *world) templateOf(deployment string) string {
	w.Helper()
	return w.kubectl("get", "deployment", deployment, "--ignore-not-found", "--output", "jsonpath={.spec.template}")
}

// toldProgress tells whether the controller was sent a progress.
func (w *world) toldProgress(message string) bool {
	return slices.ContainsFunc(w.controller.Calls(), func(c devcontroller.Call) bool {
		var progress struct{ Message string }
		return c.Method == "ReportWorkloadDeploymentProgressAsync" && json.Unmarshal(c.Args[0], &progress) == nil && progress.Message == message
	})
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

func TestAPlanSaysWhyADeployWouldBeRefused(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.kubectl("create", "configmap", "acme-65d5c447b420da3fb12381c9")
	w.kubectl("create", "ingress", "acme-"+appRtID, "--default-backend", "acme-"+appRtID+":8080")
	for _, test := range []struct {
		name, want string
		change     func(*devcontroller.Workload)
	}{
		{"a field", "chartVersion", func(a *devcontroller.Workload) { a.ChartVersion = "1.2.0\n" }},
		{"a chart that is not there", "9.9.9", func(a *devcontroller.Workload) { a.ChartVersion = "9.9.9" }},
		{"values that the chart refuses", "does not allow these values: port", func(a *devcontroller.Workload) {
			a.Values = []devcontroller.Override{{Path: "port", Value: "99999999"}}
		}},
		{"an object that the API server refuses", "a valid config key must consist of", func(a *devcontroller.Workload) { a.ValuesYaml = "settings: {'a b': c}" }},
		{"a name that is taken, of an object that a release gets later", "Ingress acme-" + appRtID + " is in the cluster already, and is no release's", func(a *devcontroller.Workload) {
			a.Values = []devcontroller.Override{{Path: "ingress.enabled", Value: "true"}}
		}},
		{"a name that is taken", "ConfigMap acme-65d5c447b420da3fb12381c9 exists already", func(a *devcontroller.Workload) { a.RtID = "65d5c447b420da3fb12381c9" }},
	} {
		w.settled()
		another := app
		test.change(&another)
		before := w.whatAPlanMustNotChange()
		p, exit := w.planEvent(another)
		t.Logf("%s: %s", test.name, p.Refused)
		if exit != 1 || p.Action != "" || !strings.Contains(p.Refused, test.want) {
			t.Errorf("%s: exit code %d, %+v", test.name, exit, p)
		}
		if diff := cmp.Diff(before, w.whatAPlanMustNotChange()); diff != "" {
			t.Errorf("%s: the plan has changed something:\n%s", test.name, diff)
		}
		if s := w.deploy(another); s.Success {
			t.Errorf("%s: the deploy was not refused", test.name)
		}
	}
}

func TestARunIsPlannedAgainWithTheSecretsOfTheCluster(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-key-1", IsSecret: true}}
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.settled()
	p, exit := w.plan(nil, "--run", "acme-"+appRtID)
	if exit != 0 || p.Summary != "nothing changed" || len(p.Notes) != 1 {
		t.Errorf("exit code %d, %+v", exit, p)
	}
	w.kubectl("label", "configmap", "acme-"+appRtID, "app.kubernetes.io/instance=another", "--overwrite")
	p, exit = w.plan(nil, "--run", "acme-"+appRtID)
	if exit != 1 || !strings.Contains(p.Refused, "kubectl-label") {
		t.Errorf("exit code %d, %+v", exit, p)
	}
}

// TestAPlanOfAReconciliationsRunSaysWhatTheRunDid plans a reconciliation that had nothing to change.
func TestAPlanOfAReconciliationsRunSaysWhatTheRunDid(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-key-1", IsSecret: true}}
	for ended, again := range []bool{false, true} {
		app.IsReconciliation = again
		if s := w.deploy(app); !s.Success {
			t.Fatal(s.StatusMessage)
		}
		w.waitForLog(ended+1, "event done", map[string]string{"workload": "Shop"})
	}
	w.settled()
	p, exit := w.plan(nil, "--run", "acme-"+appRtID)
	if exit != 0 || p.Action != "nothing" || p.Summary != "nothing changed" {
		t.Errorf("exit code %d, %+v", exit, p)
	}
}

// TestTheValuesOfAHooksSecretShowInNoOtherObject: helm keeps hooks apart from the manifest, in its output and in its record of the
// release.
func TestTheValuesOfAHooksSecretShowInNoOtherObject(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		for _, password := range []string{"planted-hook-1", "planted-hook-2"} {
			app := w.rendering(`apiVersion: v1
kind: Secret
metadata: {name: '{{ .Release.Name }}-hook', annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}}
stringData: {password: ` + password + `}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}'}
data: {url: 'https://user:` + password + `@host'}
`)
			w.settled()
			p, _ := w.planEvent(app)
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			w.settled()
			dir := w.runDir("workload-deployed")
			for _, name := range []string{"changes.diff", "manifest.yaml"} {
				kept, err := os.ReadFile(filepath.Join(dir, name))
				w.must(err)
				if strings.Contains(string(kept), "planted") || !strings.Contains(string(kept), "https://user:[redacted]@host") {
					t.Errorf("%s of %s:\n%s", name, password, kept)
				}
				if name == "changes.diff" && string(kept) != p.Diff {
					t.Errorf("the plan said\n%s\nand the deploy changed\n%s", p.Diff, kept)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "hook-secrets.json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the hook's Secret is left: %v", err)
			}
		}
	})
}
