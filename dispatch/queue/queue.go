// Package queue decides when events run. Lanes queues jobs in lanes: within a lane one after the other, and a newer job may make an older one
// pointless (arrange, preempts); lanes beside each other, as slots allow and fairly between tenants (turns). It knows nothing of what a job
// does.
package queue

import (
	"context"
	"errors"
	"slices"
)

// Kind decides which queued or running events a newer event of its lane makes pointless.
type Kind int

// The kinds.
const (
	Other    Kind = iota // makes no other event pointless, and none makes it
	Deploy               // of a workload or pool
	Undeploy             // of a workload or pool
	Scale                // of a workload
)

// Job is an event in its lane. Lane, Run and Superseded must be set.
type Job struct {
	Lane           string // a release or a pool
	Subject        string // the exact workload or pool: two workloads may have one release name, and neither may touch the other's events
	Tenant         string
	Kind           Kind
	Alone          bool // nothing else of the tenant may run beside it
	Pool           bool // it is a pool's: it has slots of its own, and is tried until it has worked
	MayHaveChanged bool // of a deploy: an earlier life may have changed the cluster for it
	Asks           Ask  // of a deploy
	// Run carries the event out. Its context ends when it is to stop, and context.Cause tells why; TurnOf gives its turn.
	Run func(context.Context)
	// Superseded is called instead of Run, with the reason: ErrSuperseded or ErrRepeated.
	Superseded func(reason error)
	// Waits, if not nil, is told whenever the job begins to wait for something else before it runs. It must not block.
	Waits func(Wait)

	told Wait // Waits was, last
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

// Ask is what a deploy asks for. Two that are equal would deploy the same.
type Ask struct {
	Reconciliation bool   // nobody has asked for it: the controller sends again what it takes for missing
	Says           string // everything but the version; empty: unknown
	Version        string // of the chart; empty: for a reconciliation the one that is installed, otherwise the newest
}

// repeats tells whether a reconciliation says what an older deploy says already.
func (a Ask) repeats(older Ask) bool {
	return a.Reconciliation && a.Says != "" && a.Says == older.Says && (a.Version == "" || a.Version == older.Version)
}

var (
	// ErrSuperseded ends an event before it could start, or while it waited to be tried again or for its pods.
	ErrSuperseded = errors.New("superseded: a newer event for the same release or pool came")
	// ErrRepeated ends a reconciliation before it could start.
	ErrRepeated = errors.New("superseded: a deploy that says the same is queued or running already")
)

// superseded is a job that is not to be run, and why.
type superseded struct {
	*Job
	reason error
}

// arrange puts a job at the end of a lane's queue, in place of those that it makes pointless. running may be nil.
//
//   - Of deploys, and of scalings, only the newest counts; an undeploy ends them all. A deploy never takes an undeploy's
//     place: after both, the release is a fresh one. Nor that of a deploy before a scaling: on a fresh release there would be
//     nothing to scale. Nor that of a deploy that an earlier life has begun: if the newer one is refused before it touches
//     anything, half of the older one would stay in the cluster.
//   - A reconciliation takes the place of nothing but an older reconciliation, and is itself pointless when the lane ends with
//     a deploy that says the same.
//   - What stands behind another workload's event, one with the same release name, replaces nothing before it: who came first gets
//     the name, and the other one is refused by the look at whose release it is.
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

// lastOf is the job that decides whether the release will be there, and how: the last deploy or undeploy.
func lastOf(running *Job, queue []*Job) *Job {
	for _, j := range slices.Backward(queue) {
		if j.Kind == Deploy || j.Kind == Undeploy {
			return j
		}
	}
	return running
}

// replacement tells whether one of the jobs after an older one makes it pointless.
func replacement(older *Job, after []*Job) bool {
	for _, newer := range after {
		switch {
		case older.Kind == Other, newer.Subject != older.Subject:
			return false
		case newer.Kind == Undeploy:
			return true
		case older.Kind == Undeploy:
			// only another undeploy does that
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

// preempts is why a queued job stops the running one of its lane; nil: it does not, or running is nil. An undeploy stops a deploy; and a deploy
// that is parked, waiting for its next try or its pods, is stopped by whatever deploy a user asks for. A pool's event may be tried for ever:
// while it is parked, the newest one counts.
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
