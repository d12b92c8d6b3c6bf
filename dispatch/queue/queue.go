// Package queue decides when events run. Within a lane, Lanes runs jobs one after the other, and a newer job may replace an older one
// (arrange, preempts). Different lanes run at the same time, as slots allow, and fairly between tenants (turns). The package does not
// know what a job does.
package queue

import (
	"context"
	"errors"
	"slices"
)

// Kind decides which queued or running events of its lane a newer event replaces.
type Kind int

// The kinds.
const (
	Other    Kind = iota // replaces no other event and is replaced by none
	Deploy               // of a workload or pool
	Undeploy             // of a workload or pool
	Scale                // of a workload
)

// Job is an event in its lane. Lane, Run and Superseded must be set.
type Job struct {
	Lane           string // its name: that of a release or a pool
	Subject        string // the exact workload or pool: two workloads may have the same release name, and their events must not replace each other
	Tenant         string
	Kind           Kind
	Alone          bool // nothing else of the tenant may run beside it
	Pool           bool // a pool's event: pools have slots of their own, and are tried until they succeed
	MayHaveChanged bool // of a deploy: an earlier life may have changed the cluster for it
	Asks           Ask  // of a deploy
	// Run carries the event out. It must stop when its context ends; context.Cause tells why. TurnOf returns its turn.
	Run func(context.Context)
	// Superseded is called instead of Run, with the reason: ErrSuperseded or ErrRepeated.
	Superseded func(reason error)
	// Waits, if not nil, is called whenever the job, before it runs, begins to wait for something else. It must not block.
	Waits func(Wait)

	told Wait // the last argument of Waits
}

// Wait is what a job waits for.
type Wait struct {
	For  string // one of the For…, or what Prepare waits for
	Text string // in words
}

// What jobs wait for. Package runs has the same words for its timelines.
const (
	ForLane   = "lane"   // the job before it
	ForSlot   = "slot"   // all slots are taken
	ForTenant = "tenant" // the tenant's update, or what the tenant has in flight
)

var behindAnother = Wait{ForLane, "the event before it, of the same release or pool"}

// Ask is what a deploy asks for. Equal Asks deploy the same.
type Ask struct {
	Reconciliation bool   // not asked for by a user: the controller repeats a deploy that it believes to be missing
	Says           string // everything but the version; empty: unknown
	Version        string // of the chart; empty: for a reconciliation the one that is installed, otherwise the newest
}

// repeats tells whether a is a reconciliation that asks for the same as an older deploy.
func (a Ask) repeats(older Ask) bool {
	return a.Reconciliation && a.Says != "" && a.Says == older.Says && (a.Version == "" || a.Version == older.Version)
}

var (
	// ErrSuperseded ends an event that has not started, or that waits for its next try or for its pods.
	ErrSuperseded = errors.New("superseded: a newer event for the same release or pool came")
	// ErrRepeated ends a reconciliation that has not started.
	ErrRepeated = errors.New("superseded: a deploy that says the same is queued or running already")
)

// superseded is a job that will not run, and why.
type superseded struct {
	*Job
	reason error
}

// arrange appends a job to a lane's queue, and removes the jobs that it replaces. running may be nil.
//
//   - Of deploys, and of scalings, only the newest stays; an undeploy replaces them all. A deploy does not replace an undeploy, because
//     the release must be a fresh one after both. It does not replace a deploy that is followed by a scaling, because on a fresh release
//     there would be nothing to scale. It does not replace a deploy that an earlier life has begun: if the newer one were refused before
//     it touches anything, half of the older one would stay in the cluster.
//   - A reconciliation replaces only an older reconciliation, and is dropped itself if the last deploy or undeploy of the lane is a
//     deploy that asks for the same.
//   - If another workload with the same release name has an event in the queue, a job behind that event replaces nothing before it: the
//     workload that came first gets the name, and the other one is refused when its deploy looks whose release it is.
func arrange(running *Job, queue []*Job, j *Job) (kept []*Job, gone []superseded) {
	if last := lastOf(running, queue); last != nil && last.Kind == Deploy && j.Kind == Deploy && j.Asks.repeats(last.Asks) {
		return queue, []superseded{{j, ErrRepeated}}
	}
	kept = append(slices.Clone(queue), j)
	for i := len(kept) - 2; i >= 0; i-- {
		if newer := replacement(kept[i], kept[i+1:]); newer {
			gone = append(gone, superseded{kept[i], ErrSuperseded})
			kept = slices.Delete(kept, i, i+1)
		}
	}
	slices.Reverse(gone) // oldest first
	return kept, gone
}

// lastOf returns the job that decides how the lane leaves the release: the last deploy or undeploy.
func lastOf(running *Job, queue []*Job) *Job {
	for _, j := range slices.Backward(queue) {
		if j.Kind == Deploy || j.Kind == Undeploy {
			return j
		}
	}
	return running
}

// replacement tells whether one of the jobs behind an older one replaces it.
func replacement(older *Job, after []*Job) bool {
	for _, newer := range after {
		switch {
		case older.Kind == Other, newer.Subject != older.Subject:
			return false
		case newer.Kind == Undeploy:
			return true
		case older.Kind == Undeploy:
			// replaced only by another undeploy
		case older.MayHaveChanged && newer.Kind == Deploy:
			return false
		case newer.Kind == older.Kind:
			return older.Kind == Scale || !newer.Asks.Reconciliation || older.Asks.Reconciliation
		case older.Kind == Deploy && newer.Kind == Scale:
			return false
		}
	}
	return false
}

// preempts returns why a queued job stops the running one of its lane; nil: it does not, or running is nil. An undeploy stops a deploy. A
// deploy that is parked, waiting for its next try or its pods, is also stopped by any deploy that a user asks for. A pool's event may be
// tried forever: while it is parked, any newer event stops it.
func preempts(j, running *Job, parked bool) error {
	switch {
	case running == nil:
		return nil
	case running.Pool && running.Kind == Deploy && j.Kind == Undeploy:
		return ErrPoolUndeployed
	case running.Pool && parked:
		return ErrSuperseded
	case running.Kind != Deploy || running.Pool:
		return nil
	case j.Kind == Undeploy:
		return ErrUndeployed
	case j.Kind == Deploy && parked && !j.Asks.Reconciliation:
		return ErrSuperseded
	}
	return nil
}
