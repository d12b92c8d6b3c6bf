package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"octo-operator/cli"
	"octo-operator/config"
	"octo-operator/handlers"
	"octo-operator/hub"
	"octo-operator/page"
	"octo-operator/traces"
	"octo-operator/web"
)

// daemon connects the packages: events go from hub to handlers, which keeps them in runs, and reports go back to hub.
type daemon struct {
	settings  config.Config
	wrong     error // why the operator must not connect with these settings; nil: they are right
	log       *slog.Logger
	client    *hub.Client
	handlers  atomic.Pointer[handlers.Handlers] // nil while the state directory cannot be used
	readiness *readiness
	signals   chan os.Signal
	hangups   chan os.Signal

	endsAtOnce atomic.Bool // a second signal has come
}

func run() error {
	settings, log, wrong := cli.Load(os.Stderr)
	d := &daemon{settings: settings, wrong: wrong, log: log, signals: make(chan os.Signal, 2), hangups: make(chan os.Signal, 1)}
	d.readiness = &readiness{away: d.away, log: log}
	limitMemory()
	signal.Notify(d.signals, syscall.SIGTERM, syscall.SIGINT) // before the log says that it starts: somebody who waits for that may send a signal at once
	signal.Notify(d.hangups, syscall.SIGHUP)                  // otherwise SIGHUP would kill the operator
	log.Info("octo-operator starts", "version", version, "controller", settings.ControllerURI)
	d.logCapacity(config.ThisMachine())
	var err error
	d.client, err = hub.New(settings, hub.Options{
		Receive:    func(events []hub.Event) { d.handlers.Load().AcceptAll(events) },
		Connecting: func() { d.handlers.Load().Connecting() },
		Registered: func(ctx context.Context, pools []hub.Pool) { d.handlers.Load().Registered(ctx, pools) },
		PoolStatus: func(pool hub.Pool, status string) { d.handlers.Load().PoolStatus(pool, status) },
	}, log)
	if err != nil {
		return err
	}
	return d.run()
}

// logCapacity logs how many helms may run at a time, and why.
func (d *daemon) logCapacity(machine config.Machine) {
	capacity := d.settings.Capacity(machine)
	d.log.Info("helm at a time", "helms", capacity.Slots, "memory_limit", config.FormatMemory(capacity.Memory), "cores", machine.Cores)
	if capacity.Warning != "" {
		d.log.Warn("more helms at a time than the memory allows", "reason", capacity.Warning, "setting", "OPERATOR__CONCURRENCY")
	}
}

// run serves the controller until SIGTERM or SIGINT, and ends within the grace period: see Handlers.Shutdown.
func (d *daemon) run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go d.obeySignals(stop)
	go d.ignoreHangups()

	// The webhooks are served before anything else begins and until everything else has ended: without them no pool can be created or changed
	// in the whole cluster.
	answering, endAnswering := context.WithCancel(context.Background())
	defer endAnswering()
	metrics := d.metrics()
	d.readiness.server = web.New(web.Options{
		HTTP: d.settings.HTTPAddress, HTTPS: d.settings.HTTPS.Address,
		CertificateFile: d.settings.HTTPS.CertificateFile, KeyFile: d.settings.HTTPS.KeyFile,
		Ready: d.readiness.tell, Metrics: metrics, LogLevel: &cli.LogLevel, Log: d.log,
	})
	d.readiness.server.Listen(answering)
	if at := d.settings.StatusPage; at != "" {
		web.ServeInside(answering, "OPERATOR__STATUSPAGE", at, page.New(d.statusPage()), d.log)
	}
	h := d.open(ctx)
	if h == nil {
		return nil // ctx has ended before the state directory could be used
	}
	h.Ended, h.Observe = metrics.EventEnded, measure(metrics)
	tracing := d.startTraces()
	if tracing != nil {
		h.Observe = tellBoth(h.Observe, tracing.Observe)
	}
	d.handlers.Store(h)
	time.AfterFunc(startTime, giveBackStartPages)
	err := errors.Join(d.serve(ctx, h), h.Close())
	tracing.Close(min(longestFlush, d.settings.ShutdownGrace/10))
	if d.endsAtOnce.Load() {
		select {} // obeySignals ends the process, with its exit code
	}
	return err
}

// startTime is when the start is certainly over: it takes 20 ms.
const startTime = time.Second

// longestFlush bounds how long the end waits until the last traces are sent. A collector that hangs must not use up the grace period.
const longestFlush = time.Second

// startTraces returns nil if no traces are wanted, or if the settings for them are wrong.
func (d *daemon) startTraces() *traces.Traces {
	tracing, err := traces.Start(d.settings, version, d.log)
	if err != nil {
		d.log.Warn("no traces are made", "reason", err, "next", "correct the OTEL_ variables and start the operator again; events are carried out all the same")
	}
	return tracing
}

// serve waits until this operator is the leader, then works until ctx ends. The error says why the operator must be started again.
func (d *daemon) serve(ctx context.Context, h *handlers.Handlers) error {
	ctx, stop := context.WithCancelCause(ctx)
	keeping, endKeeping := context.WithCancel(context.Background())
	var background, last sync.WaitGroup
	last.Go(func() { h.Prune(keeping) })
	background.Go(func() { h.WatchCluster(ctx) })
	background.Go(func() { d.readiness.watch(ctx, h.Ready) })
	err := h.Lead(ctx)
	if err != nil {
		err = nil // ctx has ended before this operator became the leader
	} else {
		err = d.lead(ctx, stop, h)
	}
	stop(nil)
	endKeeping()
	background.Wait()
	last.Wait()
	return err
}

// lead works until ctx ends or until this operator is no longer the leader, and then brings everything to its end. The error says why the
// operator must be started again: its state directory cannot be read, or it is no longer the leader.
//
// The order of the end matters: first all work ends, then the last copies are written to the cluster, and only then the Lease is given
// up.
func (d *daemon) lead(ctx context.Context, stop context.CancelCauseFunc, h *handlers.Handlers) error {
	var leading, copying, watching sync.WaitGroup
	holding, letGo := context.WithCancel(context.Background())
	keeping, endKeeping := context.WithCancel(context.Background())
	leading.Go(func() {
		if err := h.KeepLeading(holding); err != nil {
			stop(err)
		}
	})
	defer func() {
		h.RetryWrites() // a result that is written only now must also end its copy
		endKeeping()
		copying.Wait() // the last copies are in the cluster
		letGo()
		leading.Wait()
		h.GiveUpLease()
	}()
	if err := h.Resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	copying.Go(func() { h.RunJournal(keeping) }) // after Resume, which has loaded the copies
	watching.Go(func() { h.WatchPools(ctx) })
	disconnected := make(chan struct{})
	go func() { d.connect(ctx); close(disconnected) }()

	<-ctx.Done()
	lost := lostLeadership(ctx)
	if lost == nil {
		d.log.Info("octo-operator ends: no more events are taken", "grace", d.settings.ShutdownGrace.String())
		h.Shutdown(d.settings.ShutdownGrace)
	} else {
		d.log.Error("octo-operator stops its work and starts again", "reason", lost)
		d.readiness.ending.Store(true)
		h.Yield()
	}
	watching.Wait()
	select {
	case <-disconnected:
	case <-time.After(disconnectTime): // connecting may hang, for example in a token request
	}
	return lost
}

// lostLeadership returns why the operator ends by itself; nil: it ends because of a signal.
func lostLeadership(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// away says what cannot be reached, the API server or the controller, that no work may start, or that this operator is a standby; nil:
// none of these.
func (d *daemon) away() error {
	var cluster, controller error
	h := d.handlers.Load()
	if h != nil {
		cluster = h.ClusterAway()
	}
	if leads, who := d.leads(); h != nil && !leads {
		return errors.Join(cluster, fmt.Errorf("%s: %s leads", standingBy, cmp.Or(who, "another operator, or nobody,")))
	}
	if h != nil && !h.MayStart() {
		cluster = errors.Join(cluster, errPaused)
	}
	if d.settings.ControllerURI == "" {
		controller = errNoController
	} else if !d.client.Connected() {
		controller = fmt.Errorf("not registered at the controller %s", d.settings.ControllerURI)
	}
	return errors.Join(cluster, controller)
}

// leads tells whether this operator is the leader. If not, who is the leader's name; "": not known.
func (d *daemon) leads() (leads bool, who string) {
	if h := d.handlers.Load(); h != nil {
		return h.Leads()
	}
	return false, ""
}

const standingBy = "standing by"

var errPaused = errors.New("no work starts: the Lease that says that this operator leads could not be renewed")

var errNoController = errors.New("there is no controller to connect to: set OPERATOR__COMMUNICATIONCONTROLLERURI")

// connect serves the controller until ctx ends. Without a controller the rest of the operator goes on, because the reference operator's
// chart names none by default.
func (d *daemon) connect(ctx context.Context) {
	if d.settings.ControllerURI == "" {
		d.log.Warn("no events are taken", "reason", errNoController, "setting", "OPERATOR__COMMUNICATIONCONTROLLERURI")
		return
	}
	d.client.Run(ctx)
}

// disconnectTime is how long the end waits for the connection to be closed.
const disconnectTime = 500 * time.Millisecond

// openInterval is how often the state directory is tried again.
const openInterval = 5 * time.Second

// open waits until the state directory can be used; meanwhile readiness says what is wrong. If the operator ended instead, it would crash
// in a loop, and nobody would find out why. If the settings are wrong, it waits until ctx ends, because they do not change while the
// process runs. It returns nil if ctx has ended.
func (d *daemon) open(ctx context.Context) *handlers.Handlers {
	if d.wrong != nil {
		d.readiness.newest.Store(&d.wrong)
		d.log.Error("the operator connects to nothing", "reason", d.wrong, "next", "correct the settings, and start it again")
		<-ctx.Done()
	}
	for ctx.Err() == nil {
		h, err := handlers.Open(d.settings, os.Environ(), d.client, d.log)
		if err == nil {
			return h
		}
		d.readiness.found(err)
		select {
		case <-time.After(openInterval):
		case <-ctx.Done():
		}
	}
	return nil
}

// abortTime bounds how long the operator waits until the scripts that it has killed are gone. That takes milliseconds; on a machine
// without a free processor, seconds.
const abortTime = 5 * time.Second

// obeySignals begins to end the operator at the first signal, and ends it at once at the second.
func (d *daemon) obeySignals(stop context.CancelFunc) {
	<-d.signals
	d.readiness.ending.Store(true)
	stop()
	<-d.signals
	d.log.Warn("octo-operator ends at once: running scripts are killed, and their events are resumed after the restart")
	d.endsAtOnce.Store(true)
	if h := d.handlers.Load(); h != nil {
		h.Abort()
		gone := make(chan struct{})
		go func() { h.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(abortTime):
		}
	}
	os.Exit(1)
}

// ignoreHangups logs each SIGHUP, which has no effect: other programs would read their settings again.
func (d *daemon) ignoreHangups() {
	for range d.hangups {
		d.log.Info("SIGHUP changes nothing", "next", "restart the operator for other settings; octo-operator log-level LEVEL changes the log")
	}
}
