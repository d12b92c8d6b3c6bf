package runs

import (
	"encoding/json"
	"testing"

	"octo-operator/hub"
)

// BenchmarkCreate is the durable part of taking in an event: two syncs, of the file and of the directory.
func BenchmarkCreate(b *testing.B) {
	store, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	event := hub.Event{Callback: hub.WorkloadUndeploy, Argument: json.RawMessage(`{"tenantId":"acme"}`)}
	for b.Loop() {
		if _, err := store.Create(event, "octo/acme"); err != nil {
			b.Fatal(err)
		}
	}
}
