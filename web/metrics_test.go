package web

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestMetricsTellTheStateAsItIsNowAndWhatHasEnded(t *testing.T) {
	var generation atomic.Value
	generation.Store("")
	var pools atomic.Int32
	var able atomic.Bool
	metrics := NewMetrics(State{
		Generation: func() string { return generation.Load().(string) }, Pools: func() int { return int(pools.Load()) }, Able: able.Load, Leads: able.Load,
	})
	_, o := serve(t, Options{Metrics: metrics})
	want := func(lines ...string) {
		t.Helper()
		status, body := get(t, http.MethodGet, "http://"+o.HTTP+"/metrics")
		if status != http.StatusOK {
			t.Fatalf("got %d: %s", status, body)
		}
		for _, line := range lines {
			if !strings.Contains("\n"+body+"\n", "\n"+line+"\n") {
				t.Errorf("no line %q in\n%s", line, body)
			}
		}
	}
	want(`octo_operator_connected{generation=""} 0`, "octo_operator_pools_registered 0", "octo_operator_able_to_work 0", "octo_operator_leader 0")

	generation.Store("G3")
	pools.Store(7)
	able.Store(true)
	metrics.EventEnded("WorkloadDeployed", "failed", 1.5)
	metrics.EventEnded("WorkloadDeployed", "failed", 700)
	want(
		`octo_operator_connected{generation="G3"} 1`, "octo_operator_pools_registered 7", "octo_operator_able_to_work 1",
		"octo_operator_leader 1",
		`octo_operator_events_total{callback="WorkloadDeployed",outcome="failed"} 2`,
		`octo_operator_event_seconds_bucket{callback="WorkloadDeployed",le="2"} 1`,
		`octo_operator_event_seconds_sum{callback="WorkloadDeployed"} 701.5`,
	)
}

func TestOnlySoManyReadTheMetricsAtATime(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	generation := func() string {
		inside <- struct{}{}
		<-goOn
		return ""
	}
	metrics := NewMetrics(State{Generation: generation, Pools: func() int { return 0 }, Able: yes, Leads: yes})
	_, o := serve(t, Options{Metrics: metrics})
	got := make(chan int, metricsInFlight)
	for range metricsInFlight {
		go func() {
			status, _ := get(t, http.MethodGet, "http://"+o.HTTP+"/metrics")
			got <- status
		}()
		<-inside
	}
	if status, body := get(t, http.MethodGet, "http://"+o.HTTP+"/metrics"); status != http.StatusServiceUnavailable {
		t.Errorf("one more: got %d %s", status, body)
	}
	close(goOn)
	for range metricsInFlight {
		if status := <-got; status != http.StatusOK {
			t.Errorf("got %d", status)
		}
	}
}
