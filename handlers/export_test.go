package handlers

import (
	"net/http"

	"octo-operator/hub"
)

// Golden is golden for the tests that drive the handlers from outside.
var Golden = golden

// Reach lets requests for repositories go to another transport, which gets the usual one for what it does not know.
func (h *Handlers) Reach(by func(usual http.RoundTripper) http.RoundTripper) {
	h.releases.charts.client.Transport = by(h.releases.charts.client.Transport)
}

// Keep is AcceptAll for events that have passed the wall, wherever they have it from.
func (h *Handlers) Keep(events []hub.Event) {
	var all []arrival
	for _, event := range events {
		c := h.handlers[event.Callback]
		all = append(all, arrival{handler: c, event: event, where: h.placeOf(c, event, 0)})
	}
	_ = h.keep(all)
}

// OwnProgram lets path stand for the operator's own program.
func OwnProgram(path string) { ownProgram = func() (string, error) { return path, nil } }
