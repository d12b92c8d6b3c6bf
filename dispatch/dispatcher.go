package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/journal"
	"octo-operator/kube"
	"octo-operator/runs"
	"octo-operator/scripts"
)

// reporter takes what the controller is told of events.
type reporter interface {
	Report(hub.Report)
	// Generation of the controller on the connection that is up; 0: none is, or it is not known yet.
	Generation() hub.Generation
	// Withdraw drops the report of that method and key that is not delivered yet.
	Withdraw(method, key string)
}

// Options are what a dispatcher works with. All must be set, but unlock.
type Options struct {
	Settings    config.Config
	Capacity    config.Capacity
	Handlers    map[string]Handler                    // by callback
	Check       func(hub.Event, hub.Generation) error // refuses an event before anything of it is kept
	FreeDisk    func(full bool)                       // removes what is kept for speed alone: what was not used for long, or where the disk is full, all of it
	Runs        *runs.Store
	Scripts     scripts.Set
	Kubectl     *kube.Kubectl
	Controller  reporter
	SecretFiles []string // are in a run's directory for the time of the run alone
	Remade      []string // of an event that is resumed are made anew
	Log         *slog.Logger
	Env         []string     // of every script and command
	Unlock      func() error // of the state directory; nil: this is no daemon
}

// Dispatcher takes events, keeps them, and carries each out by its handler: in lanes, with tries, to its end and its report.
type Dispatcher struct {
	// Ended, if set before the first event, is told of each event that has ended.
	Ended func(callback, outcome string, seconds float64)

	Options
	guard      *guard.Guard
	recovering chan struct{}    // slots for looking after releases in which something was left
	leader     *journal.Leader  // nil: this operator is alone
	journal    *journal.Journal // nil: events are kept on disk alone
	lanes      *queue.Lanes
	unclean    unclean
	resumed    resumed
	accepted   accepted
	othersLed  bool // since this disk's last life led
	reported   reported
	pruner     pruner
	unkept     unkept
	limits     limits // of every script

	stopWork context.CancelFunc
	ends     atomic.Pointer[time.Time] // when the operator's last copies are to be in the cluster; nil: it does not end
	hurry    chan struct{}             // closed when what is being stopped has no time left
	hurrying sync.Once
}

// New makes one whose events run until ctx ends.
func New(ctx context.Context, o Options) *Dispatcher {
	ctx, stopWork := context.WithCancel(ctx)
	return &Dispatcher{
		Options: o, limits: limitsOf(o.Settings, o.Capacity), guard: guard.New(o.Kubectl, o.Log),
		lanes:      queue.New(ctx, o.Capacity.Slots, o.Capacity.Most),
		recovering: make(chan struct{}, o.Capacity.Slots),
		reported:   reported{newest: map[string]sent{}},
		pruner:     pruner{due: make(chan struct{}, 1)},
		stopWork:   stopWork, hurry: make(chan struct{}),
	}
}

func (d *Dispatcher) job(c Handler, run *runs.Run, where Place, log *slog.Logger, outcome func(runs.Result)) *queue.Job {
	if outcome == nil {
		outcome = func(runs.Result) {}
	}
	d.accepted.note(where.Lane, c.Kind, run.ID)
	if where.refused != nil { // an earlier version has kept it
		c.Kind, c.Alone, c.Undo, c.Begun = queue.Other, false, nil, nil
		c.Run = func(context.Context, *Task) error { return where.refused }
	}
	return &queue.Job{
		Lane: where.Lane, Owner: where.Owner, Tenant: where.Tenant, Kind: c.Kind, Alone: c.Alone, Pool: c.Pool, Asks: where.Asks,
		Run:        func(ctx context.Context) { outcome(d.carryOut(ctx, c, run, log)) },
		Superseded: func(reason error) { outcome(d.supersede(c, run, log, reason)) },
	}
}

// Busy tells whether something is queued or running in a lane.
func (d *Dispatcher) Busy(lane string) bool { return d.lanes.Busy(lane) }
