package dispatch

import (
	"context"
	"errors"
	"regexp"
	"time"

	"octo-operator/exec"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// RetryCause is why a failure may go away by itself, so that another try may help.
type RetryCause int

// Why another try may help, and how long an event is retried because of it.
const (
	Final          RetryCause = iota // it will not: there is no other try
	Outage                           // the API server is away: retried for as long as that takes
	MaybeOutage                      // it may have been away: maxTries
	WebhookAway                      // the API server cannot ask a webhook: maxTries
	repositoryAway                   // the chart's repository does not answer: for as long as helm's own timeout
	BeingDeleted                     // a pool's old resource is still being deleted: without end in a daemon, else maxTries
	Refused                          // the cluster does not take a pool as things are: without end in a daemon, else maxTries
)

// String is the cause for the log and for the controller's users.
func (c RetryCause) String() string {
	switch c {
	case Outage:
		return "the API server cannot be reached"
	case MaybeOutage:
		return "the API server seems not to have answered"
	case WebhookAway:
		return "a webhook that the API server asks cannot be reached"
	case repositoryAway:
		return "the chart's repository does not answer"
	case BeingDeleted:
		return "the pool's old resource is still being deleted"
	case Refused:
		return "the cluster does not take the pool as things are"
	}
	return ""
}

// RetryCauses are all but Final.
var RetryCauses = []RetryCause{Outage, MaybeOutage, WebhookAway, repositoryAway, BeingDeleted, Refused}

// Label is the cause for metrics.
func (c RetryCause) Label() string {
	switch c {
	case Outage:
		return "outage"
	case MaybeOutage:
		return "maybe_outage"
	case WebhookAway:
		return "webhook"
	case repositoryAway:
		return "repository"
	case BeingDeleted:
		return "being_deleted"
	case Refused:
		return "refused"
	}
	return ""
}

// RetryError is returned by a handler to choose the cause itself, instead of leaving it to CauseOf.
type RetryError struct {
	Cause RetryCause // Final: none
	Err   error      // why this try failed: never nil
}

func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap returns why the try failed.
func (e *RetryError) Unwrap() error { return e.Err }

// CauseOf tells from the text of err alone why another try may help. Final: it will not, or err does not tell, or err is nil.
func CauseOf(err error) RetryCause {
	cause, _ := classify(err)
	return cause
}

// retryCause is CauseOf for a try that began at started, after a look whether the API server is away, or was meanwhile.
func (t *Task) retryCause(ctx context.Context, err error, started time.Time) RetryCause {
	cause, maybeCluster := classify(err)
	switch {
	case !maybeCluster:
		return cause
	case errors.Is(t.engine.cluster.Ready(ctx), kube.ErrUnreachable):
		return Outage
	case cause == Final && t.engine.cluster.LastOutage().After(started):
		return MaybeOutage
	}
	return cause
}

// classify is CauseOf. maybeCluster: the work was with the API server, so that its absence may be the cause whatever err says. Only the words
// of helm and kubectl count: what pods say of themselves ("connection refused", of a probe) tells nothing of the API server.
func classify(err error) (cause RetryCause, maybeCluster bool) {
	step, words := stepError(nil), ""
	exit, stopped := (*exec.ExitError)(nil), (*exec.StoppedError)(nil)
	decided := (*RetryError)(nil)
	switch {
	case errors.As(err, &decided):
		return decided.Cause, decided.Cause == Refused
	case errors.Is(err, kube.ErrUnreachable):
		return Outage, false
	case errors.Is(err, ErrHangs), errors.As(err, new(*limitError)):
		return Final, false // it has been given all the time, or all of what else there is
	case errors.Is(err, errNoAnswer):
		return repositoryAway, false
	case errors.As(err, &step) && step.Step() == scripts.ChartPull:
		return repositoryCause(step.Words()), false
	case step != nil:
		words = step.Words()
		if last := (*lastWords)(nil); errors.As(step, &last) {
			words = last.asItIs
		}
	case errors.As(err, &exit): // a question to helm
		words = exit.Stderr
	case kube.Denied(err), errors.As(err, &stopped) && stopped.TimedOut:
		// A token that is being renewed, a role that is being upgraded; a question to helm without an answer.
		return MaybeOutage, true
	default:
		return Final, false
	}
	switch {
	case webhookFailed.MatchString(words): // first: it names a connection too
		return WebhookAway, true
	case connectionLost.MatchString(words):
		return MaybeOutage, true
	}
	return Final, true
}

// webhookFailed is how the API server says that it could not ask a webhook: it runs nowhere, does not answer in time, or its
// certificate is not the right one.
var webhookFailed = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// connectionLost is how helm and kubectl say that a server was gone in the middle of their work. They are told
// apart by these words alone: both exit with 1, whatever it was.
var connectionLost = regexp.MustCompile(`connection refused|connection reset|connection lost|broken pipe|no route to host|i/o timeout|` +
	`TLS handshake timeout|unexpected EOF|: EOF|cluster unreachable|etcdserver: |currently unable to handle the request|` +
	`unable to return a response in the time allotted|Too Many Requests|ServiceUnavailable`)

// noRepository is what else helm says when a chart's repository cannot answer now. An answer like 404 is its last word.
var noRepository = regexp.MustCompile(`no such host|server misbehaving|network is unreachable|Client\.Timeout|context deadline exceeded|` +
	`stream error|\b(429|500|502|503|504) [A-Z][a-z]+|response status code (429|5\d\d)|status code:? (429|5\d\d)`)

func repositoryCause(words string) RetryCause {
	if connectionLost.MatchString(words) || noRepository.MatchString(words) {
		return repositoryAway
	}
	return Final
}
