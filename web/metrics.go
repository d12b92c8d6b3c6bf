package web

import (
	"net/http"

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

// NewMetrics makes the metrics. generation is asked at each scrape for the controller's generation ("" while there is no
// connection), pools for the number of pools that are registered.
func NewMetrics(generation func() string, pools func() int) *Metrics {
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
		&connectionCollector{generation, pools})
	return m
}

// EventEnded counts an event.
func (m *Metrics) EventEnded(callback, outcome string, seconds float64) {
	m.events.WithLabelValues(callback, outcome).Inc()
	m.seconds.WithLabelValues(callback).Observe(seconds)
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// connectionCollector tells the state of the connection at the moment of the scrape.
type connectionCollector struct {
	generation func() string
	pools      func() int
}

var (
	connectedDesc = prometheus.NewDesc("octo_operator_connected", "1 while registered at a controller, with its generation.", []string{"generation"}, nil)
	poolsDesc     = prometheus.NewDesc("octo_operator_pools_registered", "Pools that the controller has accepted.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *connectionCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- connectedDesc
	descs <- poolsDesc
}

// Collect implements prometheus.Collector.
func (c *connectionCollector) Collect(metrics chan<- prometheus.Metric) {
	generation := c.generation()
	connected := 0.0
	if generation != "" {
		connected = 1
	}
	metrics <- prometheus.MustNewConstMetric(connectedDesc, prometheus.GaugeValue, connected, generation)
	metrics <- prometheus.MustNewConstMetric(poolsDesc, prometheus.GaugeValue, float64(c.pools()))
}
