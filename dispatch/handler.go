package dispatch

import (
	"context"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/reason"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/runs"
)

// Handler is how the events of one callback are carried out. Only kind, place and run must be set.
type Handler struct {
	Kind    queue.Kind
	Alone   bool   // nothing else of the tenant runs beside it
	Pool    bool   // see job
	Ignored string // why events are not carried out at all; "": they are
	// Tries, if not nil, are those of all events of such handlers: a daemon tries each until it has worked.
	Tries *Tries
	// Arrived, if not nil, is told of each event before it is kept, in the order of the wire.
	Arrived func(hub.Event)
	Place   func(config.Config, hub.Event) (Place, error)
	Run     func(context.Context, *Task) error
	// Undo takes back what is left of an event that has failed for good, and adds to the failure what it has seen and done. nil:
	// nothing is left.
	Undo func(context.Context, *Task, *reason.Failure)
	// Recover makes usable again what an earlier life may have been killed at. nil: there is nothing.
	Recover func(context.Context, *Task) error
	// Facts adds to a failure what is known of the event; nil: nothing.
	Facts func(*Task, *reason.Failure)
	// Guarded is what a step's helm and kubectl may ask the API server through the guard, given the step and its variables; a nil
	// guard.Run: whatever they like. nil: no step is guarded.
	Guarded func(event hub.Event, step string, variables map[string]string) (*guard.Run, error)
	// Trouble corrects why an event failed, given what the error tells by itself, and whether the API server may be the reason; nil: it stays.
	Trouble func(err error, told Trouble, ofCluster bool) (Trouble, bool)
	// Begun tells whether an earlier life may have changed the cluster for a run: nil: it never has.
	Begun func(*runs.Run) bool
	// Clean takes what is secret out of what stays of a run's directory, besides the secret files. nil: nothing is.
	Clean func(*Task)
	// Public is the event as it may stay on disk, and whether it is another one. nil: as it came.
	Public func(hub.Event) (hub.Event, bool)
	// Status is what the controller is told of an event's end, progress what it is told meanwhile; nil: the contract has nothing.
	Status   func(event hub.Event, success bool, message string) *Report
	Progress func(event hub.Event, message string) *Report
}

func (c Handler) statusOf(event hub.Event, success bool, message string) *Report {
	if c.Status == nil {
		return nil
	}
	return c.Status(event, success, message)
}

// Place says whose an event is.
type Place struct {
	Lane    string
	Owner   string // see job
	Tenant  string
	Asks    queue.Ask // of a deploy
	Attrs   []any     // for every log record of the run
	refused error     // why the event is not carried out; nil: it is
}
