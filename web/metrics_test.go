package web

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMetricsTellTheStateAsItIsNowAndWhatHasEnded(t *testing.T) {
	var generation atomic.Value
	generation.Store("")
	var pools atomic.Int32
	var able atomic.Bool
	state := idle()
	state.Generation, state.Pools = func() string { return generation.Load().(string) }, func() int { return int(pools.Load()) }
	state.Able, state.Leads = able.Load, able.Load
	state.Reports = state.Pools
	state.Queue = func() Queue {
		return Queue{Running: 2, Waiting: map[string]Waiting{"retry": {Events: 3, Oldest: 90 * time.Second}}}
	}
	metrics := NewMetrics(state, Labels{
		Callbacks: []string{"WorkloadDeployed"}, Outcomes: []string{"failed", "succeeded"}, RetryCauses: []string{"outage"}, Waits: []string{"slot", "retry"},
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
	want(`octo_operator_connected{generation=""} 0`, "octo_operator_pools_registered 0", "octo_operator_able_to_work 0", "octo_operator_leader 0",
		`octo_operator_events_total{callback="WorkloadDeployed",outcome="failed"} 0`, `octo_operator_retries_total{cause="outage"} 0`,
		"octo_operator_running_events 2", `octo_operator_waiting_events{reason="slot"} 0`, `octo_operator_waiting_events{reason="retry"} 3`,
		`octo_operator_waiting_oldest_seconds{reason="retry"} 90`, "octo_operator_waiting_reports 0")

	generation.Store("G3")
	pools.Store(7)
	able.Store(true)
	metrics.EventEnded("WorkloadDeployed", "failed", 1.5)
	metrics.EventEnded("WorkloadDeployed", "failed", 700)
	metrics.EventEnded("WorkloadDeployed", "superseded", 0) // it never ran
	want(
		`octo_operator_connected{generation="G3"} 1`, "octo_operator_pools_registered 7", "octo_operator_able_to_work 1",
		"octo_operator_leader 1", "octo_operator_waiting_reports 7",
		`octo_operator_events_total{callback="WorkloadDeployed",outcome="failed"} 2`,
		`octo_operator_event_seconds_bucket{callback="WorkloadDeployed",le="2"} 1`,
		`octo_operator_event_seconds_sum{callback="WorkloadDeployed"} 701.5`, `octo_operator_event_seconds_count{callback="WorkloadDeployed"} 2`,
	)
}

func TestOnlySoManyReadTheMetricsAtATime(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	generation := func() string {
		inside <- struct{}{}
		<-goOn
		return ""
	}
	state := idle()
	state.Generation = generation
	metrics := NewMetrics(state, Labels{})
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

func TestMetricsTellWhereTheTimeOfRunsHasGone(t *testing.T) {
	metrics := NewMetrics(idle(), Labels{})
	at := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	after := func(seconds int) time.Time { at = at.Add(time.Duration(seconds) * time.Second); return at }
	metrics.Wait("a", "slot", false, at)
	metrics.Phase("a", "chart", after(4))
	metrics.Phase("b", "chart", at)
	metrics.Wait("a", "retry", false, after(2))
	metrics.TriedAgain("repository")
	metrics.Phase("a", "chart", after(10))
	metrics.Phase("a", "ready", after(1))
	metrics.Wait("a", "pods", true, after(1))
	metrics.ScriptEnded("workload-deploy", 1.5, 100<<20)
	metrics.ScriptEnded("workload-deploy", 0.5, 0)
	metrics.RunEnded("a", true, after(20))
	metrics.RunEnded("b", false, at) // goes on in the next life
	metrics.RunEnded("never seen", true, at)
	if left := len(metrics.runs); left > 0 {
		t.Errorf("%d runs are remembered that have ended", left)
	}
	_, o := serve(t, Options{Metrics: metrics})
	_, body := get(t, http.MethodGet, "http://"+o.HTTP+"/metrics")
	for _, line := range []string{
		`octo_operator_wait_seconds_sum{reason="slot"} 4`,
		`octo_operator_wait_seconds_sum{reason="retry"} 10`,
		`octo_operator_phase_seconds_sum{phase="chart"} 3`,
		`octo_operator_phase_seconds_count{phase="chart"} 1`,
		`octo_operator_phase_seconds_sum{phase="ready"} 21`,
		`octo_operator_retries_total{cause="repository"} 1`,
		`octo_operator_script_cpu_seconds_total{script="workload-deploy"} 2`,
		`octo_operator_script_memory_bytes_bucket{script="workload-deploy",le="1.34217728e+08"} 1`,
		`octo_operator_script_memory_bytes_count{script="workload-deploy"} 1`,
	} {
		if !strings.Contains("\n"+body+"\n", "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, body)
		}
	}
	if strings.Contains(body, `reason="pods"`) || strings.Contains(body, "certificate") {
		t.Errorf("waiting for pods is the phase ready, and without HTTPS there is no certificate:\n%s", body)
	}
}

func TestMetricsTellWhenTheCertificateThatIsServedEnds(t *testing.T) {
	files := newMounted(t)
	until := nextYear()
	cert, key := issue(t, "operator", until)
	metrics := NewMetrics(idle(), Labels{})
	_, o := serve(t, Options{HTTPS: freeAddress(t), CertificateFile: files.cert, KeyFile: files.key, Metrics: metrics})
	metric := func() string {
		_, body := get(t, http.MethodGet, "http://"+o.HTTP+"/metrics")
		_, found, _ := strings.Cut(body, "\nocto_operator_certificate_expiry_timestamp_seconds ")
		value, _, _ := strings.Cut(found, "\n")
		return value
	}
	if got := metric(); got != "" {
		t.Errorf("without a certificate: %s", got)
	}
	files.hold(cert, key)
	eventually(t, "it appears", func() bool { return metric() != "" })
	if got, err := strconv.ParseFloat(metric(), 64); err != nil || int64(got) != until.Unix() {
		t.Errorf("got %s, %v, want %d", metric(), err, until.Unix())
	}
}
