package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/config"
	"octo-operator/handlers"
	"octo-operator/hub"
	"octo-operator/web"
)

// daemon wires the rooms: hub → runs → handlers → hub.
type daemon struct {
	settings  config.Config
	wrong     error // why nothing may be connected with these settings; nil: all is well
	log       *slog.Logger
	client    *hub.Client
	handlers  atomic.Pointer[handlers.Handlers] // nil while the state directory cannot be used
	readiness *readiness
	signals   chan os.Signal
}

func run(*cobra.Command, []string) error {
	settings, log, wrong := load(os.Stderr)
	d := &daemon{settings: settings, wrong: wrong, log: log, signals: make(chan os.Signal, 2)}
	d.readiness = &readiness{away: d.away, log: log}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	signal.Notify(d.signals, syscall.SIGTERM, syscall.SIGINT) // before it says that it starts: it may be told to end at once
	log.Info("octo-operator starts", "version", version, "controller", settings.ControllerURI)
	d.tellCapacity(config.ThisMachine())
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

// gcPercent makes the garbage collector work sooner than Go's 100: beside helm's its time does not count, and its memory does.
const gcPercent = 50

// memoryLimit is in bytes. The worst that one event may be (room bounds) needs some 70 MiB for a moment: from here on garbage is collected
// at once, not when there is half as much again. It is no hard limit.
const memoryLimit = 80 << 20

// tellCapacity logs how much is done at a time, and why.
func (d *daemon) tellCapacity(machine config.Machine) {
	capacity := d.settings.Capacity(machine)
	d.log.Info("helm at a time", "helms", capacity.Slots, "memory_limit", config.FormatMemory(capacity.Memory), "cores", machine.Cores)
	if capacity.Warning != "" {
		d.log.Warn("more helms at a time than the memory bears", "reason", capacity.Warning)
	}
}

// run serves the controller until SIGTERM or SIGINT, and ends within the grace period: see Handlers.Shutdown.
func (d *daemon) run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go d.obeySignals(stop)

	// What the cluster asks for is answered before anything else begins, and until everything has ended: without the admission
	// webhooks no pool can be made or changed in the whole cluster.
	answering, endAnswering := context.WithCancel(context.Background())
	defer endAnswering()
	metrics := web.NewMetrics(web.State{
		Generation: func() string { return d.client.Generation().String() }, Pools: d.client.RegisteredPools, Able: d.readiness.able,
		Leads: func() bool { leads, _ := d.leads(); return leads },
	})
	d.readiness.server = web.New(web.Options{
		HTTP: d.settings.HTTPAddress, HTTPS: d.settings.HTTPS.Address,
		CertificateFile: d.settings.HTTPS.CertificateFile, KeyFile: d.settings.HTTPS.KeyFile,
		Ready: d.readiness.tell, Metrics: metrics, LogLevel: &logLevel, Log: d.log,
	})
	d.readiness.server.Listen(answering)
	h := d.open(ctx)
	if h == nil {
		return nil // ended before it could begin
	}
	h.Ended = metrics.EventEnded
	d.handlers.Store(h)
	return errors.Join(d.serve(ctx, h), h.Close())
}

// serve stands by until this operator leads, and works until ctx ends. The error is why the operator is to be started again.
func (d *daemon) serve(ctx context.Context, h *handlers.Handlers) error {
	ctx, stop := context.WithCancelCause(ctx)
	keeping, endKeeping := context.WithCancel(context.Background())
	var background, last sync.WaitGroup
	last.Go(func() { h.Prune(keeping) })
	background.Go(func() { h.WatchCluster(ctx) })
	background.Go(func() { d.readiness.watch(ctx, h.Ready) })
	err := h.Lead(ctx)
	if err != nil {
		err = nil // it was told to end before it led
	} else {
		err = d.lead(ctx, stop, h)
	}
	stop(nil)
	endKeeping()
	background.Wait()
	last.Wait()
	return err
}

// lead works until ctx ends, or until this operator does not lead any more, and brings everything to its end. The error is why the operator
// is to be started again: its state directory cannot be read, or it does not lead any more.
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
		endKeeping()
		copying.Wait() // the last copies
		letGo()
		leading.Wait()
		h.Release()
	}()
	if err := h.Resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	copying.Go(func() { h.RunJournal(keeping) }) // what there is in the cluster is known by now
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
	case <-time.After(disconnectTime): // it asks for a token, say, of an issuer that does not answer
	}
	return lost
}

// lostLeadership is why the operator has ended by itself; nil: it was told to.
func lostLeadership(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// away says who cannot be reached: the API server, the controller.
func (d *daemon) away() error {
	var cluster, controller error
	h := d.handlers.Load()
	if h != nil {
		cluster = h.ClusterAway()
	}
	if leads, who := d.leads(); h != nil && !leads {
		return errors.Join(cluster, fmt.Errorf("standing by: %s leads", cmp.Or(who, "another operator, or nobody,")))
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

// leads tells whether this operator is the one that works; if it is not, who is who does: "" if that is not known.
func (d *daemon) leads() (leads bool, who string) {
	if h := d.handlers.Load(); h != nil {
		return h.Leads()
	}
	return false, ""
}

var errPaused = errors.New("no work starts: the Lease that says that this operator leads could not be renewed")

var errNoController = errors.New("there is no controller to connect to: set OPERATOR__COMMUNICATIONCONTROLLERURI")

// connect serves the controller until ctx ends. Without one the rest goes on: the reference operator's chart names none by default.
func (d *daemon) connect(ctx context.Context) {
	if d.settings.ControllerURI == "" {
		d.log.Warn("no events are taken", "reason", errNoController)
		return
	}
	d.client.Run(ctx)
}

const disconnectTime = 500 * time.Millisecond

const openInterval = 5 * time.Second

// open waits until the state directory can be used. Ending instead would be a crash loop, in which nobody finds out why:
// like this, readiness says it. With wrong settings it waits for the end: they do not change in a process' life. nil: ctx has ended.
func (d *daemon) open(ctx context.Context) *handlers.Handlers {
	if d.wrong != nil {
		d.readiness.newest.Store(&d.wrong)
		d.log.Error("the operator connects to nothing", "reason", d.wrong)
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

// abortTime is what processes get to die of SIGKILL.
const abortTime = 300 * time.Millisecond

// obeySignals begins the end with the first signal. Who sends a second one wants it at once.
func (d *daemon) obeySignals(stop context.CancelFunc) {
	<-d.signals
	d.readiness.ending.Store(true)
	stop()
	<-d.signals
	d.log.Warn("octo-operator ends at once: what runs is killed, and resumed by its next life")
	if h := d.handlers.Load(); h != nil {
		h.Abort()
		time.Sleep(abortTime)
	}
	os.Exit(1)
}
