package handlers

import (
	"errors"

	"octo-operator/hub"
	"octo-operator/runs"
)

// AcceptAll puts events on disk and into their lanes, in their order. It returns once they would survive a crash: many take
// little longer than one. One that is wrong or cannot be kept is refused, which the controller is told.
func (h *Handlers) AcceptAll(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		if h.ignores(event) {
			continue
		}
		if a, err := h.arrivalOf(event, nil); err == nil {
			h.pools.deployed.note(event)
			all = append(all, a)
		}
	}
	if len(all) > 0 {
		_ = h.keep(all) // whoever is concerned has been told
	}
}

// Accept is AcceptAll for one event. outcome, if not nil, is called with how it ended; an error means that it never will be.
func (h *Handlers) Accept(event hub.Event, outcome func(runs.Result)) error {
	if h.ignores(event) {
		return nil
	}
	a, err := h.arrivalOf(event, outcome)
	if err != nil {
		return err
	}
	h.pools.deployed.note(event)
	return h.keep([]arrival{a})
}

// ignores tells of an event that is not this operator's business.
func (h *Handlers) ignores(event hub.Event) bool {
	if !h.settings.AutoManagePools && (event.Callback == hub.PoolDeployed || event.Callback == hub.PoolUndeployed) {
		h.log.Info("event ignored: pools are not managed in edge mode", "callback", event.Callback)
		return true
	}
	return false
}

// accept is Accept for what the operator itself wants done.
func (h *Handlers) accept(event hub.Event, outcome func(runs.Result)) error {
	a, err := h.arrivalOf(event, outcome)
	if err != nil {
		return err
	}
	return h.keep([]arrival{a})
}

// arrival is an event that is being accepted.
type arrival struct {
	callback
	event   hub.Event
	where   place
	outcome func(runs.Result)
}

// arrivalOf is the event that has passed the wall. One that has not is refused here: nothing of it is kept.
func (h *Handlers) arrivalOf(event hub.Event, outcome func(runs.Result)) (arrival, error) {
	c, ok := callbacks[event.Callback]
	if !ok {
		err := &hub.UnknownCallbackError{Name: shown(event.Callback)}
		h.log.Error("event refused", "reason", err)
		return arrival{}, err
	}
	a := arrival{c, event, h.placeOf(c, event, h.controller.Generation()), outcome}
	if err := a.where.refused; err != nil {
		h.log.With(a.where.attrs...).Error("event refused", "callback", event.Callback, "reason", err)
		h.refuse(a, err.Error())
		return arrival{}, err
	}
	return a, nil
}

// placeOf finds an event's lane. A run whose event was accepted once, and is refused by now, still has an end, which its owner is told: it
// fails, and replaces nothing. generation is as in checkEvent.
func (h *Handlers) placeOf(c callback, event hub.Event, generation hub.Generation) place {
	refused := checkEvent(event, generation)
	where, err := c.place(h.settings, event)
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
func (h *Handlers) keep(all []arrival) error {
	events := make([]runs.New, len(all))
	for i, a := range all {
		events[i] = runs.New{Event: a.event, Lane: a.where.lane}
	}
	var created []*runs.Run
	err := h.withSpace(func() (err error) { created, err = h.runs.CreateAll(events); return err })
	switch {
	case err == nil:
		h.enqueue(all, created)
		return nil
	case len(all) == 1:
		h.log.Error("event refused: it could not be kept", "callback", all[0].event.Callback, "reason", err)
		h.refuse(all[0], "the operator cannot take the event: "+err.Error()+": send it again when its state directory can be written to")
		return err
	}
	var errs []error
	for i := range all {
		errs = append(errs, h.keep(all[i:i+1]))
	}
	return errors.Join(errs...)
}

// refuse tells the controller of an event that is not kept: it is wrong, or the disk is full, say.
func (h *Handlers) refuse(a arrival, message string) {
	if h.Ended != nil {
		h.Ended(a.event.Callback, "refused", 0)
	}
	if !addressable(a.event) {
		return
	}
	if r := a.statusOf(a.event, false, bounded(message)); r != nil {
		h.controller.Report(hub.Report{Method: r.Method, Key: r.Key, Arguments: []any{r.Argument}})
	}
}

// addressable tells whether a status can say whose it is: one that is megabytes long would never be sent.
func addressable(event hub.Event) bool {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	return len(w.TenantID) <= maxTenantID && len(w.WorkloadRtID) <= maxTenantID && w.WorkloadRtID+w.WorkloadName != ""
}

// enqueue puts runs into their lanes.
func (h *Handlers) enqueue(all []arrival, created []*runs.Run) {
	jobs := make([]*job, len(all))
	for i, a := range all {
		run := created[i]
		h.journal.Add(h.journalLane(a.where.lane), run)
		log := h.log.With("run", run.ID).With(a.where.attrs...)
		log.Info("event received", "callback", run.Callback)
		jobs[i] = h.job(a.callback, run, a.where, log, a.outcome)
	}
	h.lanes.add(jobs...)
}
