package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// TestWhatHelmAndKubectlAskOfTheAPIServer compares the requests of an event's processes, by the API server's audit log, with a golden
// file: a change shows in its diff. The requests of the operator itself are tested in handlers/.
func TestWhatHelmAndKubectlAskOfTheAPIServer(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-api-key-77", IsSecret: true}}
	deploy := func(change func()) func() {
		return func() {
			change()
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
		}
	}
	var all strings.Builder
	received := 0
	w.settle()
	before := w.requestsOfTools()
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"deploy, new release", deploy(func() {})},
		{"redeploy, changed value", deploy(func() { app.ValuesYaml = "settings: {COLOUR: blue}\n" })},
		{"redeploy, changed secret", deploy(func() { app.Values[0].Value = "planted-api-key-88" })},
		{"reconciliation, nothing changed", deploy(func() { app.IsReconciliation = true })},
		{"scale", func() { w.scale(app, 2) }},
		{"undeploy", func() {
			w.must(w.controller.Undeploy(w.ctx, app))
			w.waitForLog(received+1, "event received", nil)
		}},
	} {
		received = len(matching(w.operator.records(t), "event received", nil))
		step.do()
		w.settle()
		now := w.requestsOfTools()
		fmt.Fprintf(&all, "%s\n", step.what)
		for _, kind := range slices.Sorted(maps.Keys(now)) {
			if n := now[kind] - before[kind]; n > 0 {
				fmt.Fprintf(&all, "  %d %s\n", n, kind)
			}
		}
		before = now
	}
	goldenFile(t, "what-helm-and-kubectl-ask.txt", all.String())
}

// requestsOfTools counts the requests of helm and kubectl in the test's namespace so far.
func (w *world) requestsOfTools() map[string]int {
	w.Helper()
	file, err := os.Open(filepath.Join(os.Getenv("OCTO_CLUSTER_DIR"), "audit.log"))
	w.must(err)
	defer file.Close()
	all := map[string]int{}
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return all
		}
		var event struct {
			Verb, UserAgent string
			User            struct{ Username string }
			ObjectRef       *struct{ Namespace, Resource, Subresource string }
		}
		if !strings.Contains(line, w.namespace) || json.Unmarshal([]byte(line), &event) != nil || event.ObjectRef == nil || event.ObjectRef.Namespace != w.namespace {
			continue
		}
		tool, _, _ := strings.Cut(strings.ToLower(event.UserAgent), "/")
		if !strings.HasPrefix(event.User.Username, "system:serviceaccount:"+suiteNamespace+":") || tool != "helm" && tool != "kubectl" {
			continue
		}
		all[strings.TrimSuffix(fmt.Sprintf("%s: %s %s/%s", tool, event.Verb, event.ObjectRef.Resource, event.ObjectRef.Subresource), "/")]++
	}
}

// settle waits until no event is unfinished, so that the next one replaces none.
func (w *world) settle() {
	w.Helper()
	count := func(message string) int { return len(matching(w.operator.records(w.T), message, nil)) }
	if !w.eventually(func() bool { return count("event done") == count("event received") }) {
		w.Fatalf("an event does not end:\n%s", w.operator.text())
	}
}

// goldenFile compares with testdata/NAME, or writes it with -update.
func goldenFile(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept):\n%s", file, got)
	}
}
