package main

import (
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

	"github.com/spf13/cobra"

	"octo-operator/config"
	"octo-operator/handlers"
	"octo-operator/hub"
	"octo-operator/web"
)

// daemon wires the rooms: hub → runs → handlers → hub.
type daemon struct {
	settings config.Config
	log      *slog.Logger
	client   *hub.Client
	handlers atomic.Pointer[handlers.Handlers] // nil while the state directory cannot be used
	why      atomic.Pointer[error]             // it cannot
	ending   atomic.Bool
	signals  chan os.Signal
}

func run(*cobra.Command, []string) error {
	settings, log, err := load(os.Stderr)
	if err != nil {
		return err
	}
	if settings.ControllerURI == "" {
		return errors.New("cannot connect: OPERATOR__COMMUNICATIONCONTROLLERURI is not set")
	}
	d := &daemon{settings: settings, log: log, signals: make(chan os.Signal, 2)}
	signal.Notify(d.signals, syscall.SIGTERM, syscall.SIGINT) // before it says that it starts: it may be told to end at once
	log.Info("octo-operator starts", "version", version, "controller", settings.ControllerURI, "state", settings.StateDir)
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

// run serves the controller until SIGTERM or SIGINT, and ends within the grace period: see Handlers.Shutdown.
func (d *daemon) run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go d.obeySignals(stop)

	probes, endProbes := context.WithCancel(context.Background())
	defer endProbes()
	metrics := web.NewMetrics(func() string { return d.client.Generation().String() }, d.client.RegisteredPools)
	if err := web.Serve(probes, d.settings.HTTPAddress, d.ready, metrics); err != nil {
		return err
	}
	h := d.open(ctx)
	if h == nil {
		return nil // ended before it could begin
	}
	h.Ended = metrics.EventEnded
	d.handlers.Store(h)
	return errors.Join(d.serve(ctx, h), h.Close())
}

// serve works until ctx ends, and then brings everything to its end.
func (d *daemon) serve(ctx context.Context, h *handlers.Handlers) error {
	var background, last sync.WaitGroup
	keeping, endKeeping := context.WithCancel(context.Background())
	defer last.Wait()
	defer endKeeping()
	last.Go(func() { h.Prune(keeping) })
	if err := h.Resume(); err != nil {
		return err
	}
	last.Go(func() { h.RunJournal(keeping) }) // what the disk has is known by now, and comes first
	background.Go(func() { h.WatchPools(ctx) })
	background.Go(func() { h.WatchCluster(ctx) })
	disconnected := make(chan struct{})
	go func() { d.client.Run(ctx); close(disconnected) }()

	<-ctx.Done()
	d.log.Info("octo-operator ends: no more events are taken", "grace", d.settings.ShutdownGrace.String())
	h.Shutdown(d.settings.ShutdownGrace)
	background.Wait()
	select {
	case <-disconnected:
	case <-time.After(disconnectTime): // it asks for a token, say, of an issuer that does not answer
	}
	return nil
}

const disconnectTime = 500 * time.Millisecond

const openInterval = 5 * time.Second

// open waits until the state directory can be used. Ending instead would be a crash loop, in which nobody finds out why:
// like this, readiness says it. nil: ctx has ended.
func (d *daemon) open(ctx context.Context) *handlers.Handlers {
	for ctx.Err() == nil {
		h, err := handlers.Open(d.settings, os.Environ(), d.client, d.log)
		if err == nil {
			return h
		}
		d.why.Store(&err)
		d.log.Error("the operator cannot begin", "reason", err, "retry_in", openInterval.String())
		select {
		case <-time.After(openInterval):
		case <-ctx.Done():
		}
	}
	return nil
}

// ready is what the readiness probe says.
func (d *daemon) ready() error {
	if d.ending.Load() {
		return errors.New("the operator is ending: it takes no more events")
	}
	h := d.handlers.Load()
	if h == nil {
		if why := d.why.Load(); why != nil {
			return *why
		}
		return errors.New("the operator is starting")
	}
	err := h.Ready()
	if !d.client.Connected() {
		err = errors.Join(err, fmt.Errorf("not registered at the controller %s", d.settings.ControllerURI))
	}
	return err
}

// abortTime is what processes get to die of SIGKILL.
const abortTime = 300 * time.Millisecond

// obeySignals begins the end with the first signal. Who sends a second one wants it at once.
func (d *daemon) obeySignals(stop context.CancelFunc) {
	<-d.signals
	d.ending.Store(true)
	stop()
	<-d.signals
	d.log.Warn("octo-operator ends at once: what runs is killed, and resumed by its next life")
	if h := d.handlers.Load(); h != nil {
		h.Abort()
		time.Sleep(abortTime)
	}
	os.Exit(1)
}
