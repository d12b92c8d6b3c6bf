package runs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"octo-operator/hub"
)

// BenchmarkCreate is the durable part of taking in events of 1 KB: so many at a time. One takes two syncs, of the file and of the
// directory of all runs, in which it is renamed.
func BenchmarkCreate(b *testing.B) {
	argument := json.RawMessage(`{"tenantId":"acme","valuesYaml":"` + strings.Repeat("x", 1000) + `"}`)
	for _, size := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("%d at a time", size), func(b *testing.B) {
			store, err := Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			batch := make([]New, size)
			for i := range batch {
				batch[i] = New{hub.Event{Callback: hub.WorkloadUndeployedCallback, Argument: argument}, "octo/acme"}
			}
			created := 0
			for b.Loop() {
				if _, err := store.CreateAll(batch); err != nil {
					b.Fatal(err)
				}
				created += size
			}
			b.ReportMetric(float64(created)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
