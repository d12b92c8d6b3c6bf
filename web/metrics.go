package web

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are served at /metrics. Make them with NewMetrics. No label has values that a tenant or a chart chooses: their number would be
// unbounded, and everybody may read them.
type Metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	runMetrics

	certificateEnd func() time.Time // expiry of the certificate that is served, zero: none is; nil: there is no HTTPS
}

// Labels are values of labels that are known from the beginning. Their counters begin with 0, so that the first count is visible as an
// increase.
type Labels struct {
	Callbacks, Outcomes []string // of events
	RetryCauses         []string
	Waits               []string // what an event may wait for
}

// NewMetrics returns the metrics of the operator and of its process.
func NewMetrics(state State, known Labels) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "octo_operator_events_total", Help: "Events that have ended, by callback and outcome.",
		}, []string{"callback", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "octo_operator_event_seconds", Help: "How long events ran that have succeeded or failed.",
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600},
		}, []string{"callback"}),
		runMetrics: newRunMetrics(),
	}
	for _, callback := range known.Callbacks {
		for _, outcome := range known.Outcomes {
			m.events.WithLabelValues(callback, outcome)
		}
	}
	for _, cause := range known.RetryCauses {
		m.retries.WithLabelValues(cause)
	}
	m.registry.MustRegister(m.events, m.seconds, m.phases, m.waits, m.retries, m.cpu, m.memory,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&stateCollector{State: state, waits: known.Waits}, &certificateCollector{m})
	return m
}

// EventEnded counts an event that has ended, and the seconds that it ran. callback is one of hub.Callbacks, outcome one of package runs,
// or "refused". The time of refused and superseded events is not measured: most of them have not run at all, and would make all others
// look quick.
func (m *Metrics) EventEnded(callback, outcome string, seconds float64) {
	m.events.WithLabelValues(callback, outcome).Inc()
	if outcome == "succeeded" || outcome == "failed" {
		m.seconds.WithLabelValues(callback).Observe(seconds)
	}
}

// CertificateEnds must be called before the first scrape. end returns when the certificate that HTTPS serves expires; zero: none is
// served.
func (m *Metrics) CertificateEnds(end func() time.Time) { m.certificateEnd = end }

// Bounds for requests of metrics, each of which holds all metrics in memory. A request beyond the number, or beyond the time, is answered
// with 503.
const (
	metricsInFlight = 3
	metricsTimeout  = 5 * time.Second
)

// Handler answers with all metrics, in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: metricsInFlight, Timeout: metricsTimeout,
		DisableCompression: true, // compressing takes 1 MiB for each client
	})
}
