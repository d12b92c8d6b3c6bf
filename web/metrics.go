package web

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what /metrics tells. The zero value is not usable: see NewMetrics.
type Metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// State tells how the operator is at the moment of a scrape.
type State struct {
	Generation func() string // of the controller; "" while there is no connection
	Pools      func() int    // that are registered
	Able       func() bool   // nothing keeps the operator from its work
	Leads      func() bool   // it is the one of several operators that works
}

// NewMetrics makes the metrics. state is asked at each scrape.
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

// EventEnded counts an event.
func (m *Metrics) EventEnded(callback, outcome string, seconds float64) {
	m.events.WithLabelValues(callback, outcome).Inc()
	m.seconds.WithLabelValues(callback).Observe(seconds)
}

// More requests at a time than this are answered with 503, and one that takes longer too: each holds all metrics in memory.
const (
	metricsInFlight = 3
	metricsTimeout  = 5 * time.Second
)

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: metricsInFlight, Timeout: metricsTimeout,
		DisableCompression: true, // a compressor takes 1 MiB for each of the clients
	})
}

// stateCollector makes metrics of a State.
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
