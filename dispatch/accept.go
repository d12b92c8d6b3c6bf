package dispatch

import (
	"errors"

	"octo-operator/dispatch/queue"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/runs"
	"octo-operator/text"
)

// AcceptAll puts events on disk and into their lanes, in their order. It returns once they would survive a crash: many take
// little longer than one. One that is wrong or cannot be kept is refused, which the controller is told.
func (d *Dispatcher) AcceptAll(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		if d.ignores(event) {
			continue
		}
		if a, err := d.arrivalOf(event, nil); err == nil {
			a.note(event)
			all = append(all, a)
		}
	}
	if len(all) > 0 {
		_ = d.keep(all) // whoever is concerned has been told
	}
}

// Accept is AcceptAll for one event. outcome, if not nil, is called with how it ended; an error means that it never will be.
func (d *Dispatcher) Accept(event hub.Event, outcome func(runs.Result)) error {
	if d.ignores(event) {
		return nil
	}
	a, err := d.arrivalOf(event, outcome)
	if err != nil {
		return err
	}
	a.note(event)
	return d.keep([]arrival{a})
}

// ignores tells of an event that is not this operator's business.
func (d *Dispatcher) ignores(event hub.Event) bool {
	why := d.Handlers[event.Callback].Ignored
	if why != "" {
		d.Log.Info("event ignored: "+why, "callback", event.Callback)
	}
	return why != ""
}

// Request is Accept for what the operator itself wants done.
func (d *Dispatcher) Request(event hub.Event, outcome func(runs.Result)) error {
	a, err := d.arrivalOf(event, outcome)
	if err != nil {
		return err
	}
	return d.keep([]arrival{a})
}

// arrival is an event that is being accepted.
type arrival struct {
	Handler
	event   hub.Event
	where   Place
	outcome func(runs.Result)
}

// arrivalOf is the event that has passed the wall. One that has not is refused here: nothing of it is kept.
func (d *Dispatcher) arrivalOf(event hub.Event, outcome func(runs.Result)) (arrival, error) {
	c, ok := d.Handlers[event.Callback]
	if !ok {
		err := &hub.UnknownCallbackError{Name: text.Shown(event.Callback)}
		d.Log.Error("event refused", "reason", err)
		return arrival{}, err
	}
	a := arrival{c, event, d.placeOf(c, event, d.Controller.Generation()), outcome}
	if err := a.where.refused; err != nil {
		d.Log.With(a.where.Attrs...).Error("event refused", "callback", event.Callback, "reason", err)
		d.refuse(a, err.Error())
		return arrival{}, err
	}
	return a, nil
}

// placeOf finds an event's lane. A run whose event was accepted once, and is refused by now, still has an end, which its owner is told: it
// fails, and replaces nothing. generation is as in check.
func (d *Dispatcher) placeOf(c Handler, event hub.Event, generation hub.Generation) Place {
	refused := d.Check(event, generation)
	where, err := c.Place(d.Settings, event)
	if refused == nil {
		refused = err
	}
	if refused != nil {
		where.Owner, where.refused = "", refused
	}
	if err != nil { // else the lane stays: an event that was kept, and is refused now, has its copy in the cluster there
		where.Lane = "invalid/" + names.ShortHash(event.Callback, string(event.Argument))
	}
	return where
}

// keep writes events to disk, and queues them. Those that cannot all be kept are kept one by one: only what really has no room is
// refused.
func (d *Dispatcher) keep(all []arrival) error {
	events := make([]runs.New, len(all))
	for i, a := range all {
		events[i] = runs.New{Event: a.event, Lane: a.where.Lane}
	}
	var created []*runs.Run
	err := d.withSpace(func() (err error) { created, err = d.Runs.CreateAll(events); return err })
	switch {
	case err == nil:
		d.enqueue(all, created)
		return nil
	case len(all) == 1:
		d.Log.Error("event refused: it could not be kept", "callback", all[0].event.Callback, "reason", err)
		d.refuse(all[0], "the operator cannot take the event: "+err.Error()+": send it again when its state directory can be written to")
		return err
	}
	var errs []error
	for i := range all {
		errs = append(errs, d.keep(all[i:i+1]))
	}
	return errors.Join(errs...)
}

// refuse tells the controller of an event that is not kept: it is wrong, or the disk is full, say.
func (d *Dispatcher) refuse(a arrival, message string) {
	if d.Ended != nil {
		d.Ended(a.event.Callback, "refused", 0)
	}
	if !addressable(a.event) {
		return
	}
	if r := a.statusOf(a.event, false, bounded(message)); r != nil {
		d.Controller.Report(hub.Report{Method: r.Method, Key: r.Key, Arguments: []any{r.Argument}})
	}
}

// addressable tells whether a status can say whose it is: one that is megabytes long would never be sent.
func addressable(event hub.Event) bool {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	return len(w.TenantID) <= names.MaxTenantID && len(w.WorkloadRtID) <= names.MaxTenantID && w.WorkloadRtID+w.WorkloadName != ""
}

// note tells the handler of an event that has passed the wall.
func (a arrival) note(event hub.Event) {
	if a.Arrived != nil {
		a.Arrived(event)
	}
}

// enqueue puts runs into their lanes.
func (d *Dispatcher) enqueue(all []arrival, created []*runs.Run) {
	jobs := make([]*queue.Job, len(all))
	for i, a := range all {
		run := created[i]
		d.journal.Add(d.journalLane(a.where.Lane), run)
		log := d.Log.With("run", run.ID).With(a.where.Attrs...)
		log.Info("event received", "callback", run.Callback)
		jobs[i] = d.job(a.Handler, run, a.where, log, a.outcome)
	}
	d.lanes.Add(jobs...)
}
