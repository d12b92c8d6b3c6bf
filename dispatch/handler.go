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

// Handler is all that the dispatcher knows of a callback. Kind, Place and Run must be set; another field that is nil or "" means that there is
// nothing to do. The fields stand in the order in which they are used in the life of an event.
type Handler struct {
	// Kind decides which other events of the lane this one replaces, and which replace it.
	Kind queue.Kind
	// Alone: no other event of the tenant runs at the same time.
	Alone bool
	// Endless, if not nil: a daemon retries an event until it succeeds, in slots apart from the others, and together with the other events of the
	// group.
	Endless *RetryGroup
	// Ignored, if not "", is why events of this callback are not accepted, for the log.
	Ignored string
	// OnArrival is called for each event that is not refused, before it is on disk, in the order in which the controller sent them.
	OnArrival func(hub.Event)
	// Place finds an event's lane, from the event alone. An error refuses the event.
	Place func(config.Config, hub.Event) (Place, error)
	// MayHaveChanged tells whether a run of an earlier life may have changed the cluster.
	MayHaveChanged func(*runs.Run) bool
	// Recover repairs what a killed operator may have left half done, before anything else is done in the lane.
	Recover func(context.Context, *Task) error
	// Run carries an event out. It is called again if its error has a RetryCause (see CauseOf); to choose the cause itself it returns a
	// RetryError.
	Run func(context.Context, *Task) error
	// Guard returns which requests helm and kubectl may send to the API server in a step with these variables; nil: any.
	Guard func(event hub.Event, step string, variables map[string]string) (*guard.Scope, error)
	// Progress makes the report of what an event waits for; nil: there is none.
	Progress func(event hub.Event, message string) *Report
	// Explain adds facts about the event to a failure.
	Explain func(*Task, *reason.Failure)
	// Undo undoes an event that has failed for good, and adds to the failure how that went.
	Undo func(context.Context, *Task, *reason.Failure)
	// Status makes the report of how an event ended; nil: there is none.
	Status func(event hub.Event, success bool, message string) *Report
	// Clean removes secrets from the files that stay in the run directory (Options.SecretFiles are removed anyway). It returns the event without
	// secrets; nil: the event may stay as it came.
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
	Subject  string // the exact workload or pool, see queue.Job
	Tenant   string // its id as the event has it
	Workload string // its name, and that of its release, as they may be shown; "": it is no workload's
	Release  string
	Asks     queue.Ask // what a deploy asks for
	Attrs    []any     // for every log record of the run, as for slog.Logger.With
	refused  error     // why the event is not carried out; nil: it is
}

func (p Place) tenantShown() string { return text.Shown(p.Tenant) }
