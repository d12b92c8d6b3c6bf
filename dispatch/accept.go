package dispatch

import (
	"context"
	"errors"
	"log/slog"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// acceptor accepts events: it checks each, writes it to disk and queues it in its lane. An event that it refuses is reported to the controller.
type acceptor struct {
	settings   config.Config
	handlers   map[string]Handler
	check      Check
	controller Controller
	runs       *runs.Store
	log        *slog.Logger
	ended      func(callback, outcome string, seconds float64)

	disk       *disk
	journal    *copies
	runner     *runner
	lanes      *queue.Lanes
	unfinished *unfinished

	accepted accepted
}

// AcceptAll writes events to disk and queues them, in their order. It returns when they would survive a crash; many take little longer than one.
// An event that is wrong or cannot be written is refused, and the controller is told.
func (a *acceptor) AcceptAll(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		if a.ignores(event) {
			continue
		}
		if arrived, err := a.arrive(event, nil); err == nil {
			arrived.tellHandler()
			all = append(all, arrived)
		}
	}
	if len(all) > 0 {
		_ = a.keep(all) // whoever is concerned has been told
	}
}

// Accept is AcceptAll for one event. outcome, if not nil, is called when the event has ended; after an error it is never called.
func (a *acceptor) Accept(event hub.Event, outcome func(runs.Result)) error {
	if a.ignores(event) {
		return nil
	}
	arrived, err := a.arrive(event, outcome)
	if err != nil {
		return err
	}
	arrived.tellHandler()
	return a.keep([]arrival{arrived})
}

// Request is Accept for an event that the operator itself wants: Handler.Ignored and Handler.OnArrival do not count for it.
func (a *acceptor) Request(event hub.Event, outcome func(runs.Result)) error {
	arrived, err := a.arrive(event, outcome)
	if err != nil {
		return err
	}
	return a.keep([]arrival{arrived})
}

// ignores tells whether events of this callback are not for this operator (Handler.Ignored).
func (a *acceptor) ignores(event hub.Event) bool {
	why := a.handlers[event.Callback].Ignored
	if why != "" {
		a.log.Info("event ignored: "+why, "callback", event.Callback)
	}
	return why != ""
}

// arrival is an event that is being accepted.
type arrival struct {
	handler Handler
	event   hub.Event
	where   Place
	outcome func(runs.Result) // is called at its end; nil: nobody asks
}

func (a arrival) tellHandler() {
	if a.handler.OnArrival != nil {
		a.handler.OnArrival(a.event)
	}
}

// arrive checks an event. A wrong one is refused here, and nothing of it is kept.
func (a *acceptor) arrive(event hub.Event, outcome func(runs.Result)) (arrival, error) {
	h, ok := a.handlers[event.Callback]
	if !ok {
		err := &hub.UnknownCallbackError{Name: text.Shown(event.Callback)}
		a.log.Error("event refused", "reason", err, "next", "update the operator, if the controller needs it")
		return arrival{}, err
	}
	arrived := arrival{h, event, a.placeOf(h, event, a.controller.Generation()), outcome}
	if err := arrived.where.refused; err != nil {
		a.log.With(arrived.where.Attrs...).Error("event refused", "callback", event.Callback, "reason", err, "next", "nothing is kept of it: correct it at the controller, which is told, and send it again")
		a.refuse(arrived, err.Error())
		return arrival{}, err
	}
	return arrived, nil
}

// placeOf finds an event's lane, and whether the event is refused. An event that an earlier version accepted may be refused now: it gets a lane
// of its own, in which it fails and is reported, and replaces no other event. generation is as for Check.
func (a *acceptor) placeOf(h Handler, event hub.Event, generation hub.Generation) Place {
	refused := a.check(event, generation)
	where, err := h.Place(a.settings, event)
	if refused == nil {
		refused = err
	}
	if refused != nil {
		where.Subject, where.refused = "", refused
	}
	if err != nil { // else the lane stays: an event that was kept, and is refused now, has its copy in the cluster there
		where.Lane = "invalid/" + names.ShortHash(event.Callback, string(event.Argument))
	}
	return where
}

// known finds the lane of a run of an earlier life.
func (a *acceptor) known(run *runs.Run) (Handler, Place, bool) {
	event, err := run.Event()
	if err != nil {
		a.log.Error("run not resumed", "run", run.ID, "reason", err, "next", "the controller must send the event again")
		return Handler{}, Place{}, false
	}
	c, known := a.handlers[event.Callback]
	if !known { // of a newer version, perhaps
		a.log.Error("run not resumed", "run", run.ID, "reason", &hub.UnknownCallbackError{Name: text.Shown(event.Callback)}, "next", "an operator of the version that took the event carries it out")
		return Handler{}, Place{}, false
	}
	where := a.placeOf(c, event, 0)
	run.Callback, run.Lane = event.Callback, where.Lane
	return c, where, known
}

// keep writes events to disk, and queues them. Those that cannot all be kept are kept one by one: only what really has no room is
// refused.
func (a *acceptor) keep(all []arrival) error {
	events := make([]runs.New, len(all))
	for i, arrived := range all {
		events[i] = runs.New{Event: arrived.event, Lane: arrived.where.Lane}
	}
	var created []*runs.Run
	err := a.disk.write(func() (err error) { created, err = a.runs.CreateAll(events); return err })
	switch {
	case err == nil:
		a.enqueue(all, created)
		return nil
	case len(all) == 1:
		a.log.Error("event refused: it could not be kept", "callback", all[0].event.Callback, "reason", err, "next", "make room in the state directory, then send it again: the controller is told")
		a.refuse(all[0], "the operator cannot take the event: "+err.Error()+": send it again when its state directory can be written to")
		return err
	}
	var errs []error
	for i := range all {
		errs = append(errs, a.keep(all[i:i+1]))
	}
	return errors.Join(errs...)
}

// refuse tells the controller that an event is not kept, because it is wrong or the disk is full.
func (a *acceptor) refuse(arrived arrival, message string) {
	a.ended(arrived.event.Callback, "refused", 0)
	if !hasReportableOwner(arrived.event) {
		return
	}
	if r := arrived.handler.status(arrived.event, false, bounded(message)); r != nil {
		a.controller.Report(hub.Report{Method: r.Method, Key: r.Key, Arguments: []any{r.Argument}})
	}
}

// hasReportableOwner tells whether a status can name the workload: a name of megabytes would never be sent.
func hasReportableOwner(event hub.Event) bool {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	return len(w.TenantID) <= names.MaxTenantID && len(w.WorkloadRtID) <= names.MaxTenantID && w.WorkloadRtID+w.WorkloadName != ""
}

// enqueue puts runs into their lanes, and copies into the cluster.
func (a *acceptor) enqueue(all []arrival, created []*runs.Run) {
	jobs := make([]*queue.Job, len(all))
	for i, arrived := range all {
		run := created[i]
		a.journal.add(run)
		log := a.log.With("run", run.ID).With(arrived.where.Attrs...)
		log.Info("event received", "callback", run.Callback)
		a.unfinished.add(run, arrived.where).note(runs.Moment{Time: run.Created(), Kind: runs.KindAccepted})
		a.accepted.note(arrived.where, arrived.handler.Kind, run.ID, true)
		jobs[i] = a.job(arrived.handler, run, arrived.where, log, arrived.outcome)
	}
	a.lanes.Add(jobs...)
}

// job is a run as the lanes know it. outcome is called when it has ended, however; nil: nobody asks.
func (a *acceptor) job(h Handler, run *runs.Run, where Place, log *slog.Logger, outcome func(runs.Result)) *queue.Job {
	if outcome == nil {
		outcome = func(runs.Result) {}
	}
	a.accepted.note(where, h.Kind, run.ID, false)
	if where.refused != nil { // an earlier version has kept it
		h.Kind, h.Alone, h.Undo, h.MayHaveChanged = queue.Other, false, nil, nil
		h.Run = func(context.Context, *Task) error { return where.refused }
	}
	course := a.unfinished.add(run, where)
	return &queue.Job{
		Waits: course.waitsInLane,
		Lane:  where.Lane, Subject: where.Subject, Tenant: where.Tenant, Kind: h.Kind, Alone: h.Alone, Pool: h.Endless != nil, Asks: where.Asks,
		Run:        func(ctx context.Context) { outcome(a.runner.carryOut(ctx, h, run, log)) },
		Superseded: func(reason error) { outcome(a.runner.supersede(h, run, log, reason)) },
	}
}
