package handlers

import (
	"context"

	"octo-operator/config"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/runs"
)

// handler is how the events of one callback are carried out. Only kind, place and run must be set.
type handler struct {
	kind    kind
	alone   bool   // nothing else of the tenant runs beside it
	pool    bool   // see job
	ignored string // why events are not carried out at all; "": they are
	// tries, if not nil, are those of all events of such handlers: a daemon tries each until it has worked.
	tries *tries
	// arrived, if not nil, is told of each event before it is kept, in the order of the wire.
	arrived func(hub.Event)
	place   func(config.Config, hub.Event) (place, error)
	run     func(context.Context, *task) error
	// undo takes back what is left of an event that has failed for good, and adds to the failure what it has seen and done. nil:
	// nothing is left.
	undo func(context.Context, *task, *failure)
	// recover makes usable again what an earlier life may have been killed at. nil: there is nothing.
	recover func(context.Context, *task) error
	// facts adds to a failure what is known of the event; nil: nothing.
	facts func(*task, *failure)
	// guarded is what a step's helm and kubectl may ask the API server through the guard, given the step and its variables; a nil
	// guard.Run: whatever they like. nil: no step is guarded.
	guarded func(event hub.Event, step string, variables map[string]string) (*guard.Run, error)
	// trouble corrects why an event failed, given what the error tells by itself, and whether the API server may be the reason; nil: it stays.
	trouble func(err error, told trouble, ofCluster bool) (trouble, bool)
	// begun tells whether an earlier life may have changed the cluster for a run: nil: it never has.
	begun func(*runs.Run) bool
	// clean takes what is secret out of what stays of a run's directory, besides the secret files. nil: nothing is.
	clean func(*task)
	// public is the event as it may stay on disk, and whether it is another one. nil: as it came.
	public func(hub.Event) (hub.Event, bool)
	// status is what the controller is told of an event's end, progress what it is told meanwhile; nil: the contract has nothing.
	status   func(event hub.Event, success bool, message string) *report
	progress func(event hub.Event, message string) *report
}

func (c handler) statusOf(event hub.Event, success bool, message string) *report {
	if c.status == nil {
		return nil
	}
	return c.status(event, success, message)
}

// place says whose an event is.
type place struct {
	lane    string
	owner   string // see job
	tenant  string
	asks    ask   // of a deploy
	attrs   []any // for every log record of the run
	refused error // why the event is not carried out; nil: it is
}
