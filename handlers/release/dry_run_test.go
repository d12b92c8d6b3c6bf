package release

import (
	"os"
	"runtime"
	"testing"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/runs"
)

func TestAManifestThatAChartHasMadeHugeIsNotReadIntoTheMemory(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.Create(hub.Event{Callback: hub.WorkloadDeploy, Argument: []byte(`{}`)}, "octo/shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ManifestFile, dryRunFile} {
		if err := run.Write(name, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(run.Path(name), 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if found := refusedObject(&dispatch.Task{Run: run}, "octo"); found != "" {
		t.Errorf("found %q", found)
	}
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 256 {
		t.Errorf("it took %d MiB to find nothing", mib)
	}
}
