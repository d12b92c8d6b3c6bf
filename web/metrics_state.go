package web

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State are functions that are called at each scrape. None may be nil.
type State struct {
	Generation func() string // of the controller, such as "G3"; "": not connected
	Pools      func() int    // number of registered pools
	Able       func() bool   // the operator can work
	Leads      func() bool   // this operator is the leader
	Queue      func() Queue  // the unfinished events
	Reports    func() int    // number of reports that the controller has not accepted yet
}

// Queue counts the unfinished events.
type Queue struct {
	Running int                // that are carried out at this moment
	Waiting map[string]Waiting // that wait, by what they wait for
}

// Waiting are events that wait for the same.
type Waiting struct {
	Events int
	Oldest time.Duration // time since the oldest of them was accepted
}

// stateCollector makes metrics from a State.
type stateCollector struct {
	State
	waits []string // what an event may wait for
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("octo_operator_"+name, help, labels, nil)
}

var (
	connectedDesc = gauge("connected", "1 while registered at a controller, with its generation.", "generation")
	poolsDesc     = gauge("pools_registered", "Pools that the controller has accepted.")
	ableDesc      = gauge("able_to_work", "1 while it can work: state directory, helm, kubectl, scripts and webhooks are in order. /health/ready says what is not.")
	leaderDesc    = gauge("leader", "1 while this operator leads: of the others of the same controller none works.")
	runningDesc   = gauge("running_events", "Events that are being carried out and do not wait.")
	waitingDesc   = gauge("waiting_events", "Events that wait, by what they wait for: "+
		"the event before it in its lane, a slot, the tenant's update, the leader's Lease, the copy in the cluster, pods, or the next try (retry).", "reason")
	oldestDesc  = gauge("waiting_oldest_seconds", "How long ago the oldest of the events that wait was accepted, by what it waits for; 0: none waits.", "reason")
	reportsDesc = gauge("waiting_reports", "Reports of how events ended that the controller has not accepted yet.")
	expiryDesc  = gauge("certificate_expiry_timestamp_seconds", "When the certificate of the admission webhooks that is served ends, in Unix time; only with HTTPS.")
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectedDesc, poolsDesc, ableDesc, leaderDesc, runningDesc, waitingDesc, oldestDesc, reportsDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(metrics chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	generation := c.Generation()
	set(connectedDesc, oneIf(generation != ""), generation)
	set(poolsDesc, float64(c.Pools()))
	set(ableDesc, oneIf(c.Able()))
	set(leaderDesc, oneIf(c.Leads()))
	set(reportsDesc, float64(c.Reports()))
	queue := c.Queue()
	set(runningDesc, float64(queue.Running))
	for _, reason := range c.waits {
		waiting := queue.Waiting[reason]
		set(waitingDesc, float64(waiting.Events), reason)
		set(oldestDesc, waiting.Oldest.Seconds(), reason)
	}
}

// certificateCollector makes a metric of the expiry of the certificate that is served.
type certificateCollector struct{ of *Metrics }

// Describe implements prometheus.Collector.
func (c *certificateCollector) Describe(descs chan<- *prometheus.Desc) { descs <- expiryDesc }

// Collect implements prometheus.Collector.
func (c *certificateCollector) Collect(metrics chan<- prometheus.Metric) {
	if c.of.certificateEnd == nil {
		return
	}
	if end := c.of.certificateEnd(); !end.IsZero() {
		metrics <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(end.Unix()))
	}
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
