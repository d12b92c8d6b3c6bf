package handlers

import (
	"context"
	"errors"
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
	Explain(*failure)
}

// failureOf is what an event's error says of it, in the words that a person gets.
func (t *task) failureOf(ctx context.Context, err error) *failure {
	f := &failure{words: wordsOf(err), timeout: t.engine.settings.Helm.Timeout, account: t.account}
	step, explained := stepError(nil), explainer(nil)
	switch {
	case errors.As(err, new(*limitError)): // it says all there is to say
	case errors.As(err, &explained):
		explained.Explain(f)
	case errors.As(err, &step):
		f.step = step.Step()
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
	if step := stepError(nil); errors.As(err, &step) {
		return step.Words()
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
