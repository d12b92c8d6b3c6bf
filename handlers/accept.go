package handlers

import (
	"errors"

	"octo-operator/hub"
	"octo-operator/runs"
)

// AcceptAll puts events on disk and into their lanes, in their order. It returns once they would survive a crash: many take
// little longer than one. One that is wrong or cannot be kept is refused, which the controller is told.
func (d *dispatcher) AcceptAll(events []hub.Event) {
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
func (d *dispatcher) Accept(event hub.Event, outcome func(runs.Result)) error {
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
func (d *dispatcher) ignores(event hub.Event) bool {
	why := d.handlers[event.Callback].ignored
	if why != "" {
		d.log.Info("event ignored: "+why, "callback", event.Callback)
	}
	return why != ""
}

// request is Accept for what the operator itself wants done.
func (d *dispatcher) request(event hub.Event, outcome func(runs.Result)) error {
	a, err := d.arrivalOf(event, outcome)
	if err != nil {
		return err
	}
	return d.keep([]arrival{a})
}

// arrival is an event that is being accepted.
type arrival struct {
	handler
	event   hub.Event
	where   place
	outcome func(runs.Result)
}

// arrivalOf is the event that has passed the wall. One that has not is refused here: nothing of it is kept.
func (d *dispatcher) arrivalOf(event hub.Event, outcome func(runs.Result)) (arrival, error) {
	c, ok := d.handlers[event.Callback]
	if !ok {
		err := &hub.UnknownCallbackError{Name: shown(event.Callback)}
		d.log.Error("event refused", "reason", err)
		return arrival{}, err
	}
	a := arrival{c, event, d.placeOf(c, event, d.controller.Generation()), outcome}
	if err := a.where.refused; err != nil {
		d.log.With(a.where.attrs...).Error("event refused", "callback", event.Callback, "reason", err)
		d.refuse(a, err.Error())
		return arrival{}, err
	}
	return a, nil
}

// placeOf finds an event's lane. A run whose event was accepted once, and is refused by now, still has an end, which its owner is told: it
// fails, and replaces nothing. generation is as in check.
func (d *dispatcher) placeOf(c handler, event hub.Event, generation hub.Generation) place {
	refused := d.check(event, generation)
	where, err := c.place(d.settings, event)
	if refused == nil {
		refused = err
	}
	if refused != nil {
		where.owner, where.refused = "", refused
	}
	if err != nil { // else the lane stays: an event that was kept, and is refused now, has its copy in the cluster there
		where.lane = "invalid/" + shortHash(event.Callback, string(event.Argument))
	}
	return where
}

// keep writes events to disk, and queues them. Those that cannot all be kept are kept one by one: only what really has no room is
// refused.
func (d *dispatcher) keep(all []arrival) error {
	events := make([]runs.New, len(all))
	for i, a := range all {
		events[i] = runs.New{Event: a.event, Lane: a.where.lane}
	}
	var created []*runs.Run
	err := d.withSpace(func() (err error) { created, err = d.runs.CreateAll(events); return err })
	switch {
	case err == nil:
		d.enqueue(all, created)
		return nil
	case len(all) == 1:
		d.log.Error("event refused: it could not be kept", "callback", all[0].event.Callback, "reason", err)
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
func (d *dispatcher) refuse(a arrival, message string) {
	if d.Ended != nil {
		d.Ended(a.event.Callback, "refused", 0)
	}
	if !addressable(a.event) {
		return
	}
	if r := a.statusOf(a.event, false, bounded(message)); r != nil {
		d.controller.Report(hub.Report{Method: r.Method, Key: r.Key, Arguments: []any{r.Argument}})
	}
}

// addressable tells whether a status can say whose it is: one that is megabytes long would never be sent.
func addressable(event hub.Event) bool {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	return len(w.TenantID) <= maxTenantID && len(w.WorkloadRtID) <= maxTenantID && w.WorkloadRtID+w.WorkloadName != ""
}

// note tells the handler of an event that has passed the wall.
func (a arrival) note(event hub.Event) {
	if a.arrived != nil {
		a.arrived(event)
	}
}

// enqueue puts runs into their lanes.
func (d *dispatcher) enqueue(all []arrival, created []*runs.Run) {
	jobs := make([]*job, len(all))
	for i, a := range all {
		run := created[i]
		d.journal.Add(d.journalLane(a.where.lane), run)
		log := d.log.With("run", run.ID).With(a.where.attrs...)
		log.Info("event received", "callback", run.Callback)
		jobs[i] = d.job(a.handler, run, a.where, log, a.outcome)
	}
	d.lanes.add(jobs...)
}
