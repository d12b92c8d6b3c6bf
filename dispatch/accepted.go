package dispatch

import (
	"sync"

	"octo-operator/dispatch/queue"
)

// accepted is the newest event of each kind that this life has queued for a workload or pool, of the last so many of them.
type accepted struct {
	mu             sync.Mutex
	after          string // the operator that led before, since when all is known; "": not all is, since whoever led
	newest, before map[acceptedKind]acceptedEvent
}

type acceptedKind struct {
	lane, subject  string // another workload's event, which has the same release name, takes no place of this one's
	kind           queue.Kind
	reconciliation bool // of a deploy
}

type acceptedEvent struct {
	id   string // of its run; ids of one machine sort in the order of the events
	wire bool   // the controller has sent it to this life: it is newer than all that others hand over, whatever their clocks say
}

// maxAccepted bounds what is remembered, twice: tenants may ask for any number of releases. What is handed over is some seconds old.
const maxAccepted = 5000

func (a *accepted) note(where Place, k queue.Kind, id string, wire bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil || len(a.newest) >= maxAccepted {
		if a.before != nil {
			a.after = "" // some are forgotten
		}
		a.newest, a.before = map[acceptedKind]acceptedEvent{}, a.newest
	}
	key := acceptedKind{where.Lane, where.Subject, k, where.Asks.Reconciliation}
	last := a.last(key)
	a.newest[key] = acceptedEvent{max(last.id, id), last.wire || wire}
}

// last is zero where there is none. a.mu is held.
func (a *accepted) last(key acceptedKind) acceptedEvent {
	if event, has := a.newest[key]; has {
		return event
	}
	return a.before[key]
}

// allSince tells whether all is known that was accepted since an operator led.
func (a *accepted) allSince(operator string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return operator == a.after
}

// superseded tells whether a newer event replaces this one, which may even have been carried out already. A newer deploy does not replace a
// scaling, because a deploy keeps the number of replicas. A newer reconciliation does not replace a user's deploy, because it may ask for less.
// handedOver: another operator has accepted this event.
func (a *accepted) superseded(where Place, k queue.Kind, id string, handedOver bool) bool {
	newer := func(k queue.Kind, reconciliation bool) bool { return a.newer(where, k, reconciliation, id, handedOver) }
	switch k {
	case queue.Deploy:
		return newer(queue.Undeploy, false) || newer(queue.Deploy, false) || where.Asks.Reconciliation && newer(queue.Deploy, true)
	case queue.Undeploy:
		return newer(queue.Undeploy, false) || newer(queue.Deploy, false) || newer(queue.Deploy, true)
	case queue.Scale:
		return newer(queue.Undeploy, false) || newer(queue.Scale, false)
	}
	return false
}

// newer tells whether an event of that kind was accepted after the event with that run id.
func (a *accepted) newer(where Place, k queue.Kind, reconciliation bool, id string, handedOver bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.last(acceptedKind{where.Lane, where.Subject, k, reconciliation})
	return last.id > id || handedOver && last.wire
}
