package main

import (
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/web"
)

// metrics creates the daemon's metrics.
func (d *daemon) metrics() *web.Metrics {
	return web.NewMetrics(web.State{
		Generation: func() string { return d.client.Generation().String() }, Pools: d.client.RegisteredPools, Able: d.readiness.able,
		Leads:   func() bool { leads, _ := d.leads(); return leads },
		Reports: d.client.WaitingReports,
		Queue: func() web.Queue {
			if h := d.handlers.Load(); h != nil {
				return queueOf(h.Work(), time.Now())
			}
			return web.Queue{}
		},
	}, knownLabels())
}

func knownLabels() web.Labels {
	known := web.Labels{Callbacks: hub.Callbacks, Outcomes: []string{"refused"}, Waits: runs.Waits}
	for _, outcome := range runs.Outcomes {
		known.Outcomes = append(known.Outcomes, string(outcome))
	}
	for _, cause := range dispatch.RetryCauses {
		known.RetryCauses = append(known.RetryCauses, cause.Label())
	}
	return known
}

// queueOf counts the unfinished events: those that run, and those that wait, by what they wait for.
func queueOf(work []dispatch.Work, now time.Time) web.Queue {
	queue := web.Queue{Waiting: map[string]web.Waiting{}}
	for _, w := range work {
		if w.Wait == "" {
			queue.Running++
			continue
		}
		waiting := queue.Waiting[w.Wait]
		waiting.Events++
		waiting.Oldest = max(waiting.Oldest, now.Sub(w.Came))
		queue.Waiting[w.Wait] = waiting
	}
	return queue
}

// measure returns a function that records each happening in the metrics.
func measure(m *web.Metrics) func(dispatch.Happening) {
	return func(h dispatch.Happening) {
		switch h.Kind {
		case runs.KindPhase:
			m.Phase(h.Run.ID, h.Name, h.Time)
		case runs.KindWait:
			m.Wait(h.Run.ID, h.Name, h.Name == runs.WaitPods, h.Time)
			if h.Cause != dispatch.Final {
				m.TriedAgain(h.Cause.Label())
			}
		case runs.KindExit:
			m.ScriptEnded(h.Name, h.CPU, h.Memory)
		case runs.KindStopped, runs.KindEnd:
			m.RunEnded(h.Run.ID, h.Kind == runs.KindEnd, h.Time)
		}
	}
}

// tellBoth returns a function that calls both, one after the other.
func tellBoth(first, second func(dispatch.Happening)) func(dispatch.Happening) {
	return func(h dispatch.Happening) { first(h); second(h) }
}
