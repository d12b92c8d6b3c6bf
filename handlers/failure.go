package handlers

import (
	"context"
	"errors"

	"octo-operator/scripts"
)

// failureOf is what an event's error says of it, in the words that a person gets.
func (t *task) failureOf(ctx context.Context, reason error) *failure {
	f := &failure{words: wordsOf(reason), timeout: t.engine.settings.Helm.Timeout, account: t.account}
	rollout, failed, pulled := (*rolloutError)(nil), (*scriptError)(nil), (*pullError)(nil)
	switch {
	case errors.As(reason, new(*limitError)): // it says all there is to say
	case errors.As(reason, &rollout):
		f.step, f.words = scripts.WorkloadDeploy, ""
		f.hopeless, f.waiting, f.seen = rollout.hopeless, rollout.waiting, rollout.seen
	case errors.As(reason, &failed):
		f.step = failed.script
	case errors.As(reason, &pulled):
		f.step = scripts.ChartPull
	}
	if hook := webhookFailed.FindStringSubmatch(f.words); hook != nil {
		f.webhook = t.engine.kubectl.WebhookConfiguration(ctx, hook[1])
	}
	if t.handler.facts != nil {
		t.handler.facts(t, f)
	}
	return f
}

// wordsOf are what a script itself said of its failure, or what the operator says.
func wordsOf(err error) string {
	if failed := (*scriptError)(nil); errors.As(err, &failed) {
		return failed.reason.Error()
	}
	if pulled := (*pullError)(nil); errors.As(err, &pulled) {
		return pulled.words
	}
	return err.Error()
}

// see adds what was found in the cluster.
func (f *failure) see(found []string) { f.seen = append(f.seen, found...) }

// error is the failure as the event's own error, which still tells what it came from.
func (f *failure) error(cause error) error { return &explainedError{f.message(), cause} }

type explainedError struct {
	text  string
	cause error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.cause }
