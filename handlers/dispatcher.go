package handlers

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"octo-operator/config"
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

// options are what a dispatcher works with. All must be set, but unlock.
type options struct {
	settings    config.Config
	capacity    config.Capacity
	handlers    map[string]handler                    // by callback
	check       func(hub.Event, hub.Generation) error // refuses an event before anything of it is kept
	freeDisk    func(full bool)                       // removes what is kept for speed alone: what was not used for long, or where the disk is full, all of it
	runs        *runs.Store
	scripts     scripts.Set
	kubectl     *kube.Kubectl
	controller  reporter
	secretFiles []string // are in a run's directory for the time of the run alone
	remade      []string // of an event that is resumed are made anew
	log         *slog.Logger
	env         []string     // of every script and command
	unlock      func() error // of the state directory; nil: this is no daemon
}

// dispatcher takes events, keeps them, and carries each out by its handler: in lanes, with tries, to its end and its report.
type dispatcher struct {
	// Ended, if set before the first event, is told of each event that has ended.
	Ended func(callback, outcome string, seconds float64)

	options
	guard      *guard.Guard
	recovering chan struct{}    // slots for looking after releases in which something was left
	leader     *journal.Leader  // nil: this operator is alone
	journal    *journal.Journal // nil: events are kept on disk alone
	lanes      *lanes
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

// newDispatcher makes one whose events run until ctx ends.
func newDispatcher(ctx context.Context, o options) *dispatcher {
	ctx, stopWork := context.WithCancel(ctx)
	return &dispatcher{
		options: o, limits: limitsOf(o.settings, o.capacity), guard: guard.New(o.kubectl, o.log),
		lanes:      newLanes(ctx, o.capacity.Slots, o.capacity.Most),
		recovering: make(chan struct{}, o.capacity.Slots),
		reported:   reported{newest: map[string]sent{}},
		pruner:     pruner{due: make(chan struct{}, 1)},
		stopWork:   stopWork, hurry: make(chan struct{}),
	}
}

func (d *dispatcher) job(c handler, run *runs.Run, where place, log *slog.Logger, outcome func(runs.Result)) *job {
	if outcome == nil {
		outcome = func(runs.Result) {}
	}
	d.accepted.note(where.lane, c.kind, run.ID)
	if where.refused != nil { // an earlier version has kept it
		c.kind, c.alone, c.undo, c.begun = other, false, nil, nil
		c.run = func(context.Context, *task) error { return where.refused }
	}
	return &job{
		lane: where.lane, owner: where.owner, tenant: where.tenant, kind: c.kind, alone: c.alone, pool: c.pool, asks: where.asks,
		run:        func(ctx context.Context) { outcome(d.carryOut(ctx, c, run, log)) },
		superseded: func(reason error) { outcome(d.supersede(c, run, log, reason)) },
	}
}

// busy tells whether something is queued or running in a lane.
func (d *dispatcher) busy(lane string) bool { return d.lanes.busy(lane) }
