package dispatch

import (
	"cmp"
	"slices"
	"time"

	"octo-operator/dispatch/runs"
)

// Work is an event that is not finished: it waits, or is carried out.
type Work struct {
	ID, Callback, Tenant, Workload, Release, Lane string // names as they may be shown; "": it has none

	Came  time.Time  // when it was accepted
	Since time.Time  // since when it is in this phase, or waits for this
	Phase string     // the last of runs.Phase… that it was in; "": in none yet
	Wait  string     // one of runs.Wait…; "": it is at work
	Text  string     // what it waits for, in words
	Until *time.Time // when its next try is due; nil: it waits for something else
}

// Happening is a moment of an event, as Dispatcher.Observe gets it.
type Happening struct {
	Run                                 *runs.Run
	Callback, Tenant, Workload, Release string // names as they may be shown; "": it has none
	runs.Moment
	Cause RetryCause // of a wait for the next try; else Final
}

// Work returns all events that are not finished, the oldest first.
func (d *Dispatcher) Work() []Work {
	d.lanes.Look() // what a turn waits for may have changed
	courses := d.unfinished.list()
	all := make([]Work, len(courses))
	for i, c := range courses {
		all[i] = c.now()
	}
	slices.SortFunc(all, func(a, b Work) int { return cmp.Compare(a.ID, b.ID) }) // ids begin with the time
	return all
}
