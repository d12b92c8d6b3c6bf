package dispatch

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/dispatch/runs"
)

const (
	firstRetry = time.Second
	lastRetry  = 15 * time.Second
	// A chart's repository is somebody else's server: it is asked less often.
	lastRepositoryRetry = time.Minute
	// lastEndlessRetry bounds the wait for what somebody must change. The endpoint of the official chart's webhooks, which the operator
	// serves itself, comes 15 s after its start.
	lastEndlessRetry = 30 * time.Second
	// maxTries bounds the tries of an event that fails as if a connection was lost although the API server answers: those words
	// may be the chart's own. Tries that failed because the API server was away do not count.
	maxTries = 5
)

// retries decides whether and when one event is tried again.
type retries struct {
	repositoryTime time.Duration // how long a repository that does not answer is asked again
	endless        bool          // maxTries does not count
	backoff        *backoff.ExponentialBackOff
	counted        int        // the tries so far of which there are at most maxTries
	last           RetryCause // of the try before
	lastSince      time.Time  // when the first try of those began that failed because of last
}

func newRetries(repositoryTime time.Duration) *retries {
	r := &retries{repositoryTime: repositoryTime, backoff: backoff.NewExponentialBackOff()}
	r.backoff.InitialInterval = firstRetry
	return r
}

// next returns how long to wait before the next try, after one that began at began and has failed now because of cause; again is false if there
// is none.
func (r *retries) next(cause RetryCause, began, now time.Time) (wait time.Duration, again bool) {
	if cause != r.last {
		r.last, r.lastSince = cause, began
		r.backoff.Reset()
	}
	longest := lastRetry
	switch cause {
	case Final:
		return 0, false
	case MaybeOutage, WebhookAway, BeingDeleted, Refused:
		if r.counted++; r.counted >= maxTries && !r.endless {
			return 0, false
		}
	case repositoryAway:
		longest = lastRepositoryRetry
	}
	if r.endless && cause != Outage {
		longest = lastEndlessRetry
	}
	r.backoff.MaxInterval = longest
	wait = min(r.backoff.NextBackOff(), longest)
	if cause == repositoryAway && now.Add(wait).Sub(r.lastSince) > r.repositoryTime {
		return 0, false
	}
	return wait, true
}

// run calls the handler until the event has succeeded or failed for good, and undoes one that has failed. The error is then
// the message for the controller's users.
func (t *Task) run(ctx context.Context) error {
	err := t.Retry(ctx, func() error { return t.handler.Run(ctx, t) })
	if err == nil || ctx.Err() != nil {
		return err
	}
	f := t.failureOf(ctx, err)
	if t.handler.Undo != nil {
		t.handler.Undo(ctx, t, f)
	}
	return f.Error(err)
}

// Retry calls work until it succeeds, fails for good (see RetryCause), or ctx ends. It returns the last error. Between two tries the event has no
// slot, and a newer event may replace it. The exception is a deploy that may have changed the cluster: if the newer one were then refused before
// it changes anything, half of this one would stay.
func (t *Task) Retry(ctx context.Context, work func() error) error {
	tries := newRetries(t.engine.settings.Helm.Timeout)
	group := t.handler.Endless
	tries.endless = group != nil && t.engine.daemon // who runs a single event waits for its end
	before := ""
	for {
		started, woken := time.Now(), group.begin()
		err := work()
		if err == nil || ctx.Err() != nil {
			return err
		}
		cause := t.retryCause(ctx, err, started)
		wait, again := tries.next(cause, started, time.Now())
		if !again {
			return err
		}
		reason, _, _ := strings.Cut(t.Redacted(t.failureOf(ctx, err).Message()), "\n")
		level := slog.LevelWarn
		if group != nil && reason == before {
			level = slog.LevelDebug // it may be the same for days
		}
		before = reason
		t.Log.Log(ctx, level, "event tried again: "+cause.String(), "reason", reason, "retry_in", wait.Round(time.Millisecond).String())
		next := time.Now().Add(wait)
		t.Progress(cause.String() + ": next try at " + next.UTC().Format("15:04:05 UTC") + ": " + reason)
		waits := runs.Moment{Name: runs.WaitRetry, Text: cause.String() + ": " + reason, Until: &next}
		if err := t.park(ctx, waits, cause, !t.MayHaveChanged, func() error { return group.pause(ctx, wait, woken) }); err != nil {
			return err
		}
	}
}

// Sleep waits for a duration, or until ctx ends: then the error is ctx's.
func Sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
