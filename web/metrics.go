package web

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are served at /metrics. Make them with NewMetrics.
type Metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// State are functions that are called at each scrape. None may be nil.
type State struct {
	Generation func() string // of the controller, such as "G3"; "": not connected
	Pools      func() int    // number of registered pools
	Able       func() bool   // the operator can work
	Leads      func() bool   // this operator is the leader
}

// NewMetrics returns the metrics of the operator and of its process.
func NewMetrics(state State) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "octo_operator_events_total", Help: "Events that have ended, by callback and outcome.",
		}, []string{"callback", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "octo_operator_event_seconds", Help: "How long events ran.",
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600},
		}, []string{"callback"}),
	}
	m.registry.MustRegister(m.events, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&stateCollector{state})
	return m
}

// EventEnded counts an event that has ended, and the seconds that it ran. callback is one of hub.Callbacks, outcome one of package runs.
func (m *Metrics) EventEnded(callback, outcome string, seconds float64) {
	m.events.WithLabelValues(callback, outcome).Inc()
	m.seconds.WithLabelValues(callback).Observe(seconds)
}

// Bounds for requests of metrics, each of which holds all metrics in memory: 503 is the answer to more at a time, and to one that takes
// longer.
const (
	metricsInFlight = 3
	metricsTimeout  = 5 * time.Second
)

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: metricsInFlight, Timeout: metricsTimeout,
		DisableCompression: true, // compressing takes 1 MiB for each client
	})
}

// stateCollector makes metrics from a State.
type stateCollector struct{ State }

var (
	connectedDesc = prometheus.NewDesc("octo_operator_connected", "1 while registered at a controller, with its generation.", []string{"generation"}, nil)
	poolsDesc     = prometheus.NewDesc("octo_operator_pools_registered", "Pools that the controller has accepted.", nil, nil)
	ableDesc      = prometheus.NewDesc("octo_operator_able_to_work",
		"1 while it can work: state directory, helm, kubectl, scripts and webhooks are in order. /health/ready says what is not.", nil, nil)
	leaderDesc = prometheus.NewDesc("octo_operator_leader", "1 while this operator leads: of the others of the same controller none works.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- connectedDesc
	descs <- poolsDesc
	descs <- ableDesc
	descs <- leaderDesc
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(metrics chan<- prometheus.Metric) {
	generation := c.Generation()
	metrics <- prometheus.MustNewConstMetric(connectedDesc, prometheus.GaugeValue, oneIf(generation != ""), generation)
	metrics <- prometheus.MustNewConstMetric(poolsDesc, prometheus.GaugeValue, float64(c.Pools()))
	metrics <- prometheus.MustNewConstMetric(ableDesc, prometheus.GaugeValue, oneIf(c.Able()))
	metrics <- prometheus.MustNewConstMetric(leaderDesc, prometheus.GaugeValue, oneIf(c.Leads()))
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
