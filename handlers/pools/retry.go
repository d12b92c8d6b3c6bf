package pools

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"octo-operator/dispatch"
	"octo-operator/kube"
)

// A pool without its resource gets no workloads, and nobody sends its event again. So it is tried until it has worked: what the
// cluster lacks (a webhook's endpoint, the CustomResourceDefinition, a permission, the namespace) may come any time. Only what
// the event itself has wrong is final.

// stillDeletingError is a resource that somebody has deleted, and that is still there.
type stillDeletingError struct{ pool kube.Pool }

func (e *stillDeletingError) Error() string {
	return fmt.Sprintf("%s %s in namespace %s is being deleted, and finalizers hold it: %q: it is made anew when it is gone",
		e.pool.Kind, e.pool.Name, e.pool.Namespace, e.pool.Finalizers)
}

// Retried is run with errors that say whether the pool's event is to be tried again.
func Retried(run func(context.Context, *dispatch.Task) error) func(context.Context, *dispatch.Task) error {
	return func(ctx context.Context, t *dispatch.Task) error { return withCause(run(ctx, t)) }
}

// withCause is the error with the reason for another try, where the engine would not see it; nil: of nil.
func withCause(err error) error {
	told := dispatch.CauseOf(err)
	status, failed := (*kube.StatusError)(nil), (*dispatch.ScriptError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*stillDeletingError)):
		return &dispatch.RetryError{Cause: dispatch.BeingDeleted, Err: err}
	case told == dispatch.Outage || told == dispatch.WebhookAway || told == dispatch.MaybeOutage && !errors.As(err, &status):
		return err
	case errors.As(err, &status) && (status.Code == http.StatusBadRequest || status.Code == http.StatusUnprocessableEntity):
		return &dispatch.RetryError{Cause: dispatch.Final, Err: err}
	case errors.As(err, &failed) && refusedForGood.MatchString(failed.Words()):
		return &dispatch.RetryError{Cause: dispatch.Final, Err: err}
	case status != nil, failed != nil:
		return &dispatch.RetryError{Cause: dispatch.Refused, Err: err}
	}
	return &dispatch.RetryError{Cause: dispatch.Final, Err: err} // the operator's own: the event is wrong
}

// refusedForGood is how kubectl says that the API server, a webhook or a policy does not take the object as it is.
var refusedForGood = regexp.MustCompile(`" is invalid: |denied the request|denied request: |\(BadRequest\)|\(Invalid\)`)
