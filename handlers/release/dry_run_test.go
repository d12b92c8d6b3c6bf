package release

import (
	"log/slog"
	"os"
	"runtime"
	"testing"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
)

// runTask is a task of a run directory of its own.
func runTask(t *testing.T) *dispatch.Task {
	t.Helper()
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{}`)}, "octo/shop")
	if err != nil {
		t.Fatal(err)
	}
	return &dispatch.Task{Run: run, Log: slog.New(slog.DiscardHandler), Redact: exec.NewRedactor()}
}

const manifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
data: {key: cGxhbnRlZC1zZWNyZXQ=}
`

func TestTheObjectThatTheServerRefusesIsTheFirstThatKubectlDoesNotName(t *testing.T) {
	for name, test := range map[string]struct{ manifest, looked, want string }{
		"all are accepted":       {manifest, "configmap/web serverside-applied (server dry run)\ndeployment.apps/web serverside-applied (server dry run)\nsecret/keys created\n", ""},
		"the second":             {manifest, "configmap/web serverside-applied (server dry run)\nsecret/keys created\n", "Deployment web"},
		"none":                   {manifest, "", "ConfigMap web"},
		"one of a like name":     {manifest, "configmap/web-2 created\nconfigmaps.example.com/web created\n", "ConfigMap web"},
		"a manifest that is bad": {"{", "", ""},
	} {
		task := runTask(t)
		for file, text := range map[string]string{ManifestFile: test.manifest, dryRunFile: test.looked} {
			if err := task.Write(file, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if got := refusedObject(task, "octo"); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	if got := refusedObject(runTask(t), "octo"); got != "" {
		t.Errorf("without a dry run: got %q", got)
	}
}

func TestAManifestThatAChartHasMadeHugeIsNotReadIntoTheMemory(t *testing.T) {
	task := runTask(t)
	for _, name := range []string{ManifestFile, dryRunFile} {
		if err := task.Write(name, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(task.Path(name), 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if found := refusedObject(task, "octo"); found != "" {
		t.Errorf("found %q", found)
	}
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 256 {
		t.Errorf("it took %d MiB to find nothing", mib)
	}
}
