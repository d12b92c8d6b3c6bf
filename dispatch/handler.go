package dispatch

import (
	"context"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/reason"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube/guard"
	"octo-operator/text"
)

// Handler is what the dispatcher knows of a callback: how its events are carried out. Kind, Place and Run must be set; of the others nil and
// "" mean that there is nothing to do. They stand in the order of an event's life.
type Handler struct {
	// Kind decides which events of the lane an event makes pointless, and which make it pointless.
	Kind queue.Kind
	// Alone: nothing else of the tenant runs beside it.
	Alone bool
	// Endless: a daemon retries an event until it works, together with the others of the group, in slots of their own.
	Endless *RetryGroup
	// Ignored is why events are not accepted, for the log.
	Ignored string
	// OnArrival is told of each event that is not refused, before it is on disk, in the order of the wire.
	OnArrival func(hub.Event)
	// Place finds an event's lane, from the event alone. An error refuses the event.
	Place func(config.Config, hub.Event) (Place, error)
	// MayHaveChanged tells of a run of an earlier life whether the cluster may have been changed for it.
	MayHaveChanged func(*runs.Run) bool
	// Recover repairs what an earlier life may have been killed at, before anything else is done in the lane.
	Recover func(context.Context, *Task) error
	// Run carries an event out. It is called again after an error with a RetryCause; a RetryError has one of the handler's own.
	Run func(context.Context, *Task) error
	// Guard is what helm and kubectl may ask the API server in a step with these variables; a nil guard.Run: anything.
	Guard func(event hub.Event, step string, variables map[string]string) (*guard.Run, error)
	// Progress is what the controller is told while an event waits; nil: nothing.
	Progress func(event hub.Event, message string) *Report
	// Explain adds to a failure what is known of the event.
	Explain func(*Task, *reason.Failure)
	// Undo takes back what an event has changed that failed for good, and adds to the failure what came of that.
	Undo func(context.Context, *Task, *reason.Failure)
	// Status is what the controller is told of an event's end; nil: nothing.
	Status func(event hub.Event, success bool, message string) *Report
	// Clean takes secrets out of what stays in the run directory besides Options.SecretFiles. It returns the event as it may stay there;
	// nil: as it came.
	Clean func(*Task) *hub.Event
}

// status is the report of an event's end; nil: there is none.
func (h Handler) status(event hub.Event, success bool, message string) *Report {
	if h.Status == nil {
		return nil
	}
	return h.Status(event, success, message)
}

// mayHaveChanged tells whether the cluster may have been changed for a run already.
func (h Handler) mayHaveChanged(run *runs.Run) bool {
	return h.MayHaveChanged != nil && h.MayHaveChanged(run)
}

// Place says where an event belongs.
type Place struct {
	Lane     string // the release or pool: its events run one after the other
	Owner    string // the exact workload or pool, see queue.Job
	Tenant   string // its id as the event has it
	Workload string // its name, and that of its release, as they may be shown; "": it is no workload's
	Release  string
	Asks     queue.Ask // what a deploy asks for
	Attrs    []any     // for every log record of the run, as for slog.Logger.With
	refused  error     // why the event is not carried out; nil: it is
}

func (p Place) tenantShown() string { return text.Shown(p.Tenant) }
