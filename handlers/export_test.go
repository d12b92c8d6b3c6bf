package handlers

import "net/http"

// Golden is golden for the tests that drive the handlers from outside.
var Golden = golden

// Reach lets requests for repositories go to another transport, which gets the usual one for what it does not know.
func (h *Handlers) Reach(by func(usual http.RoundTripper) http.RoundTripper) {
	h.charts.client.Transport = by(h.charts.client.Transport)
}
