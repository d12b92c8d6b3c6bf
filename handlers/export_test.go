package handlers

import "octo-operator/hub"

// Golden is golden for the tests that drive the handlers from outside.
var Golden = golden

// Keep is AcceptAll for events that have passed the wall, wherever they have it from.
func (h *Handlers) Keep(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		c := callbacks[event.Callback]
		all = append(all, arrival{callback: c, event: event, where: h.placeOf(c, event, 0)})
	}
	_ = h.keep(all)
}
