package web

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// runMetrics are the metrics of what happens in runs.
type runMetrics struct {
	phases  *prometheus.HistogramVec
	waits   *prometheus.HistogramVec
	retries *prometheus.CounterVec
	cpu     *prometheus.CounterVec
	memory  *prometheus.HistogramVec

	mu   *sync.Mutex
	runs map[string]*runTimes // of runs that have not ended, by id
}

func newRunMetrics() runMetrics {
	times := []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600}
	return runMetrics{
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "octo_operator_phase_seconds", Buckets: times,
			Help: "How long events were in a phase, all tries together, without their waits for anything but pods: " +
				"look, chart, values, check, install, ready, settle, rollback of deploys; run of other events.",
		}, []string{"phase"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "octo_operator_wait_seconds", Buckets: times,
			Help: "How long events waited, all tries together, by what they waited for; see octo_operator_waiting_events. Of an event that did not wait nothing is counted.",
		}, []string{"reason"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "octo_operator_retries_total",
			Help: "Tries of events that failed and are tried again, by cause: outage (the API server is away), maybe_outage (it seems to be), webhook (one that the " +
				"API server asks is away), repository (the chart's does not answer), being_deleted (a pool's old resource), refused (the cluster does not take a pool as things are).",
		}, []string{"cause"}),
		cpu: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "octo_operator_script_cpu_seconds_total", Help: "Processor time of scripts and of all that they ran, helm and kubectl, by script.",
		}, []string{"script"}),
		memory: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "octo_operator_script_memory_bytes", Buckets: []float64{32 << 20, 48 << 20, 64 << 20, 96 << 20, 128 << 20, 192 << 20, 256 << 20, 512 << 20, 1 << 30},
			Help: "The most memory that one process of a script had, mostly helm's or kubectl's, by script. One that has less than the operator itself counts as that.",
		}, []string{"script"}),
		mu: &sync.Mutex{}, runs: map[string]*runTimes{},
	}
}

// runTimes knows what a run's time is spent on.
type runTimes struct {
	phase, wait   string // the present ones; wait "": it does not wait
	since         time.Time
	phases, waits map[string]time.Duration
}

// until counts the time up to a moment for the present phase or wait.
func (r *runTimes) until(at time.Time) {
	took := max(0, at.Sub(r.since))
	switch {
	case r.wait != "":
		r.waits[r.wait] += took
	case r.phase != "":
		r.phases[r.phase] += took
	}
	r.since = at
}

// Phase must be called when a phase of a run begins.
func (m *runMetrics) Phase(run, phase string, at time.Time) {
	m.change(run, at, func(r *runTimes) { r.phase, r.wait = phase, "" })
}

// Wait must be called when a run, or an event that has not begun, begins to wait. within: the wait is part of its phase.
func (m *runMetrics) Wait(run, reason string, within bool, at time.Time) {
	m.change(run, at, func(r *runTimes) {
		if r.wait = reason; within {
			r.wait = ""
		}
	})
}

func (m *runMetrics) change(run string, at time.Time, change func(*runTimes)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs[run]
	if r == nil {
		r = &runTimes{since: at, phases: map[string]time.Duration{}, waits: map[string]time.Duration{}}
		m.runs[run] = r
	}
	r.until(at)
	change(r)
}

// TriedAgain counts a failed try that will be repeated, by its cause.
func (m *runMetrics) TriedAgain(cause string) { m.retries.WithLabelValues(cause).Inc() }

// ScriptEnded counts what a script has used: seconds of processor time, and bytes of memory (0: not known). script is its name.
func (m *runMetrics) ScriptEnded(script string, cpu float64, memory int64) {
	m.cpu.WithLabelValues(script).Add(cpu)
	if memory > 0 {
		m.memory.WithLabelValues(script).Observe(float64(memory))
	}
}

// RunEnded must be called when a run has ended, or the operator ends. ended is false if the run goes on in another life.
func (m *runMetrics) RunEnded(run string, ended bool, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs[run]
	if r == nil {
		return
	}
	delete(m.runs, run)
	if !ended {
		return
	}
	r.until(at)
	for phase, took := range r.phases {
		m.phases.WithLabelValues(phase).Observe(took.Seconds())
	}
	for reason, took := range r.waits {
		m.waits.WithLabelValues(reason).Observe(took.Seconds())
	}
}
