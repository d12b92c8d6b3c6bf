// Package dispatch is the engine. It accepts events, keeps each in a run directory, queues it in its lane, carries it out by the handler of its
// callback, retries what may succeed later, and reports how it ended, also after restarts and changes of the leader. It knows callbacks only by a
// table of Handler.
//
// A daemon calls New, OpenJournal, Lead and Resume, and then AcceptAll for the controller's events; Prune, KeepLeading and RunJournal run beside
// it. It ends with Shutdown (or Yield, if another operator leads), GiveUpLease and Close. A single event needs only Accept and Wait.
package dispatch

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/journal"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// Controller is the connection to the controller, as package hub's client has it.
type Controller interface {
	// Report delivers a status, now or when the controller is connected.
	Report(hub.Report)
	// Generation of the controller on the connection that is up; 0: none is, or it is not known yet.
	Generation() hub.Generation
	// Withdraw drops the report of that method and key that is not delivered yet.
	Withdraw(method, key string)
}

// Options are what a dispatcher works with. All must be set, but Unlock.
type Options struct {
	Settings    config.Config
	Capacity    config.Capacity    // how much is done at a time
	Handlers    map[string]Handler // by callback
	Check       Check
	FreeDisk    func(full bool) // removes what is kept for speed alone: what was not used for long, or all of it where the disk is full
	Runs        *runs.Store
	Scripts     scripts.Set
	Cluster     *kube.Client // closed by Wait and Close
	Controller  Controller
	SecretFiles []string // names of files that are in a run directory only while the event is carried out
	RemadeFiles []string // names of files that hold secrets, and that an event which is resumed makes anew
	Log         *slog.Logger
	Env         []string     // of every script and command, as NAME=value
	Unlock      func() error // unlocks the state directory; nil: this is no daemon, but carries out a single event
}

// Check refuses an event, with the error as the reason, before anything of it is kept. The generation is the controller's; 0: unknown.
type Check func(hub.Event, hub.Generation) error

// Dispatcher is the engine as the daemon and the handlers see it. It accepts events, and carries each out to its end or leaves it to the next
// leader.
type Dispatcher struct {
	// Ended is called for each event that has ended. outcome is one of package runs, or "refused". It must be set before the first event; it may
	// be nil.
	Ended func(callback, outcome string, seconds float64)

	// Observe is called for each moment of an event: in their order for one event, by several goroutines for different events. It must not block.
	// It must be set before the first event; it may be nil.
	Observe func(Happening)

	*acceptor
	settings config.Config
	runs     *runs.Store
	cluster  *kube.Client
	log      *slog.Logger
	unlock   func() error

	disk       *disk
	journal    *copies
	reports    *reports
	runner     *runner
	lanes      *queue.Lanes
	unfinished *unfinished

	leader     *journal.Leader // nil: this operator is alone
	othersLed  bool            // since this disk's last life led
	handOver   *handOver
	resumed    resumed
	recovering chan struct{} // slots for recovering releases

	stopWork context.CancelFunc
	ends     atomic.Pointer[time.Time] // when the operator's last copies are to be in the cluster; nil: it does not end
}

// New makes a dispatcher whose events run until ctx ends. It starts nothing.
func New(ctx context.Context, o Options) *Dispatcher {
	ctx, stopWork := context.WithCancel(ctx)
	d := &Dispatcher{
		settings: o.Settings, runs: o.Runs, cluster: o.Cluster, log: o.Log, unlock: o.Unlock, stopWork: stopWork,
		disk:       newDisk(o),
		journal:    &copies{poolNamespace: o.Settings.PoolNamespace, platformNamespace: o.Settings.PlatformNamespace},
		lanes:      queue.New(ctx, o.Capacity.Slots, o.Capacity.Most),
		recovering: make(chan struct{}, o.Capacity.Slots),
	}
	ended := func(callback, outcome string, seconds float64) {
		if d.Ended != nil {
			d.Ended(callback, outcome, seconds)
		}
	}
	mayWork := func(ctx context.Context, waits func(queue.Wait)) error {
		if !d.leader.MayStart() {
			waits(forLeader)
		}
		return d.leader.Wait(ctx)
	}
	d.unfinished = newUnfinished(func(h Happening) {
		if d.Observe != nil {
			d.Observe(h)
		}
	})
	d.reports = newReports(o.Controller, d.disk, d.journal)
	d.runner = newRunner(o, d.disk, d.journal, d.reports, d.unfinished, mayWork, ended)
	d.acceptor = &acceptor{
		settings: o.Settings, handlers: o.Handlers, check: o.Check, controller: o.Controller, runs: o.Runs, log: o.Log, ended: ended,
		disk: d.disk, journal: d.journal, runner: d.runner, lanes: d.lanes, unfinished: d.unfinished,
	}
	d.handOver = &handOver{runs: o.Runs, journal: d.journal, acceptor: d.acceptor, runner: d.runner, reports: d.reports, log: o.Log}
	return d
}

// Busy tells whether something is queued or running in a lane.
func (d *Dispatcher) Busy(lane string) bool { return d.lanes.Busy(lane) }

// Prune keeps the disk tidy until ctx ends: it removes old runs, and tries writes again that have failed.
func (d *Dispatcher) Prune(ctx context.Context) { d.disk.tidy(ctx) }

// NewTask is a run as its handler sees it.
func (d *Dispatcher) NewTask(h Handler, run *runs.Run, log *slog.Logger) *Task {
	return d.runner.newTask(h, run, log)
}

// WithScratchTask calls work with a task that belongs to no run, for a preview. Its directory is removed afterwards. secrets are removed from
// what is logged. The error is that of work, or of the disk.
func (d *Dispatcher) WithScratchTask(event hub.Event, secrets []string, work func(*Task) error) error {
	return d.runner.withScratchTask(d.handlers[event.Callback], event, secrets, work)
}
