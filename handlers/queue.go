package handlers

import (
	"context"
	"errors"
	"slices"
)

// kind decides which queued or running events a newer event of its lane makes pointless.
type kind int

const (
	other kind = iota
	deploy
	undeploy
	scale
)

// job is an event in its lane.
type job struct {
	lane   string // a release or a pool
	owner  string // whose it is, exactly: two workloads may have one release name, and neither may touch the other's events
	tenant string
	kind   kind
	alone  bool // nothing else of the tenant may run beside it
	pool   bool // it is a pool's: it has slots of its own, and is tried until it has worked
	begun  bool // of a deploy: an earlier life may have changed the cluster for it
	asks   ask  // of a deploy
	run    func(context.Context)
	// superseded is called instead of run, with the reason.
	superseded func(error)
}

// ask is what a deploy asks for. Two that are equal would deploy the same.
type ask struct {
	reconciliation bool   // nobody has asked for it: the controller sends again what it takes for missing
	says           string // everything but the version; empty: unknown
	version        string // of the chart; empty: for a reconciliation the one that is installed, otherwise the newest
}

// repeats tells whether a reconciliation says what an older deploy says already.
func (a ask) repeats(older ask) bool {
	return a.reconciliation && a.says != "" && a.says == older.says && (a.version == "" || a.version == older.version)
}

var (
	// errSuperseded ends an event before it could start, or while it waited to be tried again or for its pods.
	errSuperseded = errors.New("superseded: a newer event for the same release or pool came")
	// errRepeated ends a reconciliation.
	errRepeated = errors.New("superseded: a deploy that says the same is queued or running already")
)

// dropped is a job that is not to be run.
type dropped struct {
	*job
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
func arrange(running *job, queue []*job, j *job) (kept []*job, gone []dropped) {
	if last := lastOf(running, queue); last != nil && last.kind == deploy && j.kind == deploy && j.asks.repeats(last.asks) {
		return queue, []dropped{{j, errRepeated}}
	}
	kept = append(slices.Clone(queue), j)
	for i := len(kept) - 2; i >= 0; i-- {
		if newer := replacement(kept[i], kept[i+1:]); newer {
			gone = append(gone, dropped{kept[i], errSuperseded})
			kept = slices.Delete(kept, i, i+1)
		}
	}
	slices.Reverse(gone) // oldest first
	return kept, gone
}

// lastOf is the job that decides whether the release will be there, and how: the last deploy or undeploy.
func lastOf(running *job, queue []*job) *job {
	for _, j := range slices.Backward(queue) {
		if j.kind == deploy || j.kind == undeploy {
			return j
		}
	}
	return running
}

// replacement tells whether one of the jobs after an older one makes it pointless.
func replacement(older *job, after []*job) bool {
	for _, newer := range after {
		switch {
		case older.kind == other, newer.owner != older.owner:
			return false
		case newer.kind == undeploy:
			return true
		case older.kind == undeploy:
			// only another undeploy does that
		case older.begun && newer.kind == deploy:
			return false
		case newer.kind == older.kind:
			return older.kind == scale || !newer.asks.reconciliation || older.asks.reconciliation
		case older.kind == deploy && newer.kind == scale:
			return false
		}
	}
	return false
}

// stops tells whether a new job ends what runs: an undeploy ends a deploy; and one that only waits, to be tried again or for
// its pods, makes way for whatever a user asks for. A pool's event may be tried for ever: while it waits, the newest one counts.
func stops(j, running *job, resting bool) error {
	switch {
	case running == nil:
		return nil
	case running.pool && running.kind == deploy && j.kind == undeploy:
		return errPoolUndeployed
	case running.pool && resting:
		return errSuperseded
	case running.kind != deploy || running.pool:
		return nil
	case j.kind == undeploy:
		return errUndeployed
	case j.kind == deploy && resting && !j.asks.reconciliation:
		return errSuperseded
	}
	return nil
}
