package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/exec"
	"octo-operator/kube"
	"octo-operator/scripts"
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

// Trouble is a cause of a failure that lies outside the event, so that trying again may help.
type Trouble int

const (
	None           Trouble = iota
	Outage                 // the API server is away: the event is tried for as long as that takes
	Doubtful               // it may have been: maxTries
	WebhookAway            // the API server cannot ask a webhook: maxTries
	repositoryAway         // the chart's repository does not answer: as long as helm's own timeout
	BeingDeleted           // the pool's old resource is: as long as that takes, in a daemon
	NotTaken               // the cluster does not take the pool as things are: until somebody changes them, in a daemon
)

var TroubleNames = map[Trouble]string{
	Outage:         "the API server cannot be reached",
	Doubtful:       "the API server seems not to have answered",
	WebhookAway:    "a webhook that the API server asks cannot be reached",
	repositoryAway: "the chart's repository does not answer",
	BeingDeleted:   "the pool's old resource is still being deleted",
	NotTaken:       "the cluster does not take the pool as things are",
}

// retry is what has been tried for one event.
type retry struct {
	patience time.Duration // with a repository
	endless  bool          // maxTries does not count
	waits    *backoff.ExponentialBackOff
	last     Trouble
	tries    int       // that were doubtful
	since    time.Time // when the repository's trouble began
}

func newRetry(patience time.Duration) *retry {
	r := &retry{patience: patience, waits: backoff.NewExponentialBackOff()}
	r.waits.InitialInterval = firstRetry
	return r
}

// next is how long to wait before an event is tried again, after a try that began at began has failed because of t; false: it is not
// tried again.
func (r *retry) next(t Trouble, began, now time.Time) (wait time.Duration, again bool) {
	if t != r.last {
		r.last, r.since = t, began
		r.waits.Reset()
	}
	longest := lastRetry
	switch t {
	case None:
		return 0, false
	case Doubtful, WebhookAway, BeingDeleted, NotTaken:
		if r.tries++; r.tries >= maxTries && !r.endless {
			return 0, false
		}
	case repositoryAway:
		longest = lastRepositoryRetry
	}
	if r.endless && t != Outage {
		longest = lastEndlessRetry
	}
	r.waits.MaxInterval = longest
	wait = min(r.waits.NextBackOff(), longest)
	if t == repositoryAway && now.Add(wait).Sub(r.since) > r.patience {
		return 0, false
	}
	return wait, true
}

// try runs an event until it has ended for a reason of its own, and takes back what is left of one that has failed.
func (t *Task) try(ctx context.Context) error {
	err := t.Insist(ctx, func() error { return t.handler.Run(ctx, t) })
	if err == nil || ctx.Err() != nil {
		return err
	}
	f := t.failureOf(ctx, err)
	if t.handler.Undo != nil {
		t.handler.Undo(ctx, t, f)
	}
	return f.Error(err)
}

// Insist does something until it has worked or has failed for a reason of its own. Until the next try it keeps nobody from
// working, and the event makes way for a newer one; but not a deploy that may have changed the cluster: if the newer one is refused
// before it touches anything, half of this one would stay.
func (t *Task) Insist(ctx context.Context, work func() error) error {
	tries := newRetry(t.engine.Settings.Helm.Timeout)
	others := t.handler.Tries
	tries.endless = others != nil && t.engine.Unlock != nil // who runs a single event waits for its end
	said := ""
	for {
		started, woken := time.Now(), others.begin()
		err := work()
		if err == nil || ctx.Err() != nil {
			return err
		}
		why := t.troubleOf(ctx, err, started)
		wait, again := tries.next(why, started, time.Now())
		if !again {
			return err
		}
		reason, _, _ := strings.Cut(t.Redact.String(t.failureOf(ctx, err).Message()), "\n")
		level := slog.LevelWarn
		if others != nil && reason == said {
			level = slog.LevelDebug // it may say so for days
		}
		said = reason
		t.Log.Log(ctx, level, "event tried again: "+TroubleNames[why], "reason", reason, "retry_in", wait.Round(time.Millisecond).String())
		t.Progress(TroubleNames[why] + ": next try at " + time.Now().Add(wait).UTC().Format("15:04:05 UTC") + ": " + reason)
		pause := func() error { return Sleep(ctx, wait) }
		if others != nil {
			pause = func() error { return others.pause(ctx, wait, woken) }
		}
		if err := t.Rest(ctx, !t.Installs, pause); err != nil {
			return err
		}
	}
}

func Sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// troubleOf tells whose fault a failure is.
func (t *Task) troubleOf(ctx context.Context, err error, started time.Time) Trouble {
	why, ofCluster := TroubleOf(err)
	if t.handler.Trouble != nil {
		why, ofCluster = t.handler.Trouble(err, why, ofCluster)
	}
	switch {
	case !ofCluster:
		return why
	case errors.Is(t.engine.Kubectl.Ready(ctx), kube.ErrUnreachable):
		return Outage
	case t.engine.Kubectl.LastOutage().After(started) && why == None:
		return Doubtful
	}
	return why
}

// TroubleOf is what an error itself tells; ofCluster: it came from work with the API server. Only the tool's own words count: what
// pods say of themselves ("connection refused", of a probe) tells nothing of the API server.
func TroubleOf(err error) (t Trouble, ofCluster bool) {
	step, words := stepError(nil), ""
	exit, stopped := (*exec.ExitError)(nil), (*exec.StoppedError)(nil)
	switch {
	case errors.Is(err, kube.ErrUnreachable):
		return Outage, false
	case errors.Is(err, ErrHangs), errors.As(err, new(*limitError)):
		return None, false // it has been given all the time, or all of what else there is
	case errors.Is(err, errNoAnswer):
		return repositoryAway, false
	case errors.As(err, &step) && step.Step() == scripts.ChartPull:
		return repositoryTrouble(step.Words()), false
	case step != nil:
		words = step.Words()
	case errors.As(err, &exit): // a question to helm
		words = exit.Stderr
	case kube.Denied(err), errors.As(err, &stopped) && stopped.TimedOut:
		// A token that is being renewed, a role that is being upgraded; a question to helm without an answer.
		return Doubtful, true
	default:
		return None, false
	}
	switch {
	case webhookFailed.MatchString(words): // first: it names a connection too
		return WebhookAway, true
	case connectionTrouble.MatchString(words):
		return Doubtful, true
	}
	return None, true
}

// webhookFailed is how the API server says that it could not ask a webhook: it runs nowhere, does not answer in time, or its
// certificate is not the right one.
var webhookFailed = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// connectionTrouble is how helm and kubectl say that a server was gone in the middle of their work. They are told
// apart by these words alone: both exit with 1, whatever it was.
var connectionTrouble = regexp.MustCompile(`connection refused|connection reset|connection lost|broken pipe|no route to host|i/o timeout|` +
	`TLS handshake timeout|unexpected EOF|: EOF|cluster unreachable|etcdserver: |currently unable to handle the request|` +
	`unable to return a response in the time allotted|Too Many Requests|ServiceUnavailable`)

// noRepository is what else helm says when a chart's repository cannot answer now. An answer like 404 is its last word.
var noRepository = regexp.MustCompile(`no such host|server misbehaving|network is unreachable|Client\.Timeout|context deadline exceeded|` +
	`stream error|\b(429|500|502|503|504) [A-Z][a-z]+|response status code (429|5\d\d)|status code:? (429|5\d\d)`)

func repositoryTrouble(words string) Trouble {
	if connectionTrouble.MatchString(words) || noRepository.MatchString(words) {
		return repositoryAway
	}
	return None
}
