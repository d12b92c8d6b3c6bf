package handlers

import (
	"errors"

	"octo-operator/hub"
	"octo-operator/runs"
)

// AcceptAll puts events on disk and into their lanes, in their order. It returns once they would survive a crash: many take
// little longer than one. One that cannot be kept is refused, which the controller is told.
func (h *Handlers) AcceptAll(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		if h.ignores(event) {
			continue
		}
		if a, err := h.arrivalOf(event, nil); err != nil {
			h.log.Error("event refused", "callback", event.Callback, "reason", err)
		} else {
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
	return h.accept(event, outcome)
}

// ignores tells of an event that is not this operator's business, and learns from every other one.
func (h *Handlers) ignores(event hub.Event) bool {
	if !h.settings.AutoManagePools && (event.Callback == hub.PoolDeployed || event.Callback == hub.PoolUndeployed) {
		h.log.Info("event ignored: pools are not managed in edge mode", "callback", event.Callback)
		return true
	}
	h.pools.deployed.note(event)
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

func (h *Handlers) arrivalOf(event hub.Event, outcome func(runs.Result)) (arrival, error) {
	c, ok := callbacks[event.Callback]
	if !ok {
		return arrival{}, &hub.UnknownCallbackError{Name: event.Callback}
	}
	return arrival{c, event, h.placeOf(c, event), outcome}, nil
}

// placeOf finds an event's lane. One whose owner cannot be made out still becomes a run: its handler reports what is wrong
// with it. It has a lane of its own: nothing takes its place, and it keeps nobody waiting.
func (h *Handlers) placeOf(c callback, event hub.Event) place {
	where, err := c.place(h.settings, event)
	if err != nil {
		where.lane, where.invalid = "invalid/"+shortHash(event.Callback, string(event.Argument)), true
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
		h.refuse(all[0], err)
		return err
	}
	var errs []error
	for i := range all {
		errs = append(errs, h.keep(all[i:i+1]))
	}
	return errors.Join(errs...)
}

// refuse tells the controller of an event that could not even be written down: the disk is full, say.
func (h *Handlers) refuse(a arrival, reason error) {
	h.log.Error("event refused: it could not be kept", "callback", a.event.Callback, "reason", reason)
	message := bounded("the operator cannot take the event: " + reason.Error() + ": send it again when its state directory can be written to")
	if r := a.statusOf(a.event, false, message); r != nil {
		h.controller.Report(hub.Report{Method: r.Method, Key: r.Key, Arguments: []any{r.Argument}})
	}
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
