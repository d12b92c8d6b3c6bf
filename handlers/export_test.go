package handlers

import (
	"net/http"
	"time"
)

// Reach lets requests for repositories go to another transport, which gets the usual one for what it does not know.
func (h *Handlers) Reach(by func(usual http.RoundTripper) http.RoundTripper) {
	h.releases.Charts.Client.Transport = by(h.releases.Charts.Client.Transport)
}

// InspectEvery is Deployer.InspectEvery.
func (h *Handlers) InspectEvery(interval time.Duration) { h.releases.InspectEvery(interval) }

// OwnProgram lets path stand for the operator's own program.
func OwnProgram(path string) { ownProgram = func() (string, error) { return path, nil } }
