package web

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestMetricsTellTheConnectionAsItIsNowAndWhatHasEnded(t *testing.T) {
	var generation atomic.Value
	generation.Store("")
	var pools atomic.Int32
	metrics := NewMetrics(func() string { return generation.Load().(string) }, func() int { return int(pools.Load()) })
	address := freeAddress(t)
	if err := Serve(t.Context(), address, func() error { return nil }, metrics); err != nil {
		t.Fatal(err)
	}
	want := func(lines ...string) {
		t.Helper()
		status, body := get(t, http.MethodGet, "http://"+address+"/metrics")
		if status != http.StatusOK {
			t.Fatalf("got %d: %s", status, body)
		}
		for _, line := range lines {
			if !strings.Contains("\n"+body+"\n", "\n"+line+"\n") {
				t.Errorf("no line %q in\n%s", line, body)
			}
		}
	}
	want(`octo_operator_connected{generation=""} 0`, "octo_operator_pools_registered 0")

	generation.Store("G3")
	pools.Store(7)
	metrics.EventEnded("WorkloadDeployed", "failed", 1.5)
	metrics.EventEnded("WorkloadDeployed", "failed", 700)
	want(
		`octo_operator_connected{generation="G3"} 1`, "octo_operator_pools_registered 7",
		`octo_operator_events_total{callback="WorkloadDeployed",outcome="failed"} 2`,
		`octo_operator_event_seconds_bucket{callback="WorkloadDeployed",le="2"} 1`,
		`octo_operator_event_seconds_sum{callback="WorkloadDeployed"} 701.5`,
	)
}
