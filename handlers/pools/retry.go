package pools

import (
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

// Trouble is why a pool's event is tried again, given what its error tells of the API server.
func Trouble(err error, told dispatch.Trouble, ofCluster bool) (why dispatch.Trouble, asked bool) {
	status, failed := (*kube.StatusError)(nil), (*dispatch.ScriptError)(nil)
	switch {
	case errors.As(err, new(*stillDeletingError)):
		return dispatch.BeingDeleted, false
	case told == dispatch.Outage || told == dispatch.WebhookAway || told == dispatch.Doubtful && !errors.As(err, &status):
		return told, ofCluster
	case errors.As(err, &status) && (status.Code == http.StatusBadRequest || status.Code == http.StatusUnprocessableEntity):
		return dispatch.None, false
	case errors.As(err, &failed) && refusedForGood.MatchString(failed.Words()):
		return dispatch.None, false
	case status != nil, failed != nil:
		return dispatch.NotTaken, true
	}
	return dispatch.None, false // the operator's own: the event is wrong
}

// refusedForGood is how kubectl says that the API server, a webhook or a policy does not take the object as it is.
var refusedForGood = regexp.MustCompile(`" is invalid: |denied the request|denied request: |\(BadRequest\)|\(Invalid\)`)
