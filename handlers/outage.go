package handlers

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/kube"
	"octo-operator/scripts"
)

const (
	firstRetry = time.Second
	lastRetry  = 15 * time.Second
	// maxTries bounds how often an event is tried that looks like a victim of the connection while the API server answers: it
	// may be a chart whose own words sound like that.
	maxTries = 5
)

// try runs an event until it has ended for a reason of its own: while the API server is away, nothing is the event's fault.
func (h *Handlers) try(ctx context.Context, c callback, t *task) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstRetry, lastRetry
	for try := 1; ; try++ {
		started := time.Now()
		err := c.run(h, ctx, t)
		if err == nil || ctx.Err() != nil || !h.outage(ctx, err, started, try) {
			return err
		}
		wait := min(waits.NextBackOff(), lastRetry)
		t.log.Warn("the API server could not be reached: the event is tried again", "reason", t.message(err), "retry_in", wait.Round(time.Millisecond).String())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// outage tells whether an event failed because the API server could not be reached.
func (h *Handlers) outage(ctx context.Context, err error, started time.Time, try int) bool {
	failed := (*scriptError)(nil)
	ofScript := errors.As(err, &failed)
	if ofScript && (failed.script == scripts.ChartPull || errors.Is(err, errHangs)) {
		return false // the one speaks with the chart's repository; the other has been given all the time there is
	}
	if errors.Is(err, kube.ErrUnreachable) || (ofScript && errors.Is(h.kubectl.Ready(ctx), kube.ErrUnreachable)) {
		return true
	}
	return ofScript && try < maxTries && (connectionTrouble.MatchString(err.Error()) || h.kubectl.LastOutage().After(started))
}

// connectionTrouble is how helm and kubectl say that the API server was gone in the middle of their work. They are told
// apart by these words alone: both exit with 1, whatever it was.
var connectionTrouble = regexp.MustCompile(`connection refused|connection reset|connection lost|broken pipe|no route to host|i/o timeout|` +
	`TLS handshake timeout|unexpected EOF|: EOF|cluster unreachable|etcdserver: |currently unable to handle the request|` +
	`unable to return a response in the time allotted|Too Many Requests|ServiceUnavailable`)
