package dispatch

import (
	"context"
	"errors"

	"octo-operator/dispatch/reason"
)

// stepError is a step that has failed: a script, or what the operator does in its place.
type stepError interface {
	error
	Step() string  // its name, one of package scripts
	Words() string // what helm, kubectl or the script said of it
}

// explainer is an error that knows more of a failure than its text.
type explainer interface {
	error
	Explain(*reason.Failure)
}

// failureOf collects what is known of why an event failed, from its error and from its handler.
func (t *Task) failureOf(ctx context.Context, err error) *reason.Failure {
	f := &reason.Failure{Words: WordsOf(err), Timeout: t.engine.settings.Helm.Timeout, Account: t.account, Hide: t.Redacted}
	step, explained := stepError(nil), explainer(nil)
	switch {
	case errors.As(err, new(*limitError)): // it says all there is to say
	case errors.As(err, &explained):
		explained.Explain(f)
	case errors.As(err, &step):
		f.Step = step.Step()
	}
	if hook := webhookFailed.FindStringSubmatch(f.Words); hook != nil {
		f.Webhook = t.engine.cluster.WebhookConfiguration(ctx, hook[1])
	}
	if t.handler.Explain != nil {
		t.handler.Explain(t, f)
	}
	return f
}

// Explained is an error as the controller's users would read it: what went wrong and what to do, in plain words, and without secrets.
func (t *Task) Explained(ctx context.Context, err error) error {
	f := t.failureOf(ctx, err)
	return errors.New(t.Message(f.Error(err)))
}

// WordsOf is what a script said of its failure, or else the error itself.
func WordsOf(err error) string {
	if step := stepError(nil); errors.As(err, &step) {
		return step.Words()
	}
	return err.Error()
}
