package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"octo-operator/kube"
)

// A pool without its resource gets no workloads, and nobody sends its event again. So it is tried until it has worked: what the
// cluster lacks (a webhook's endpoint, the CustomResourceDefinition, a permission, the namespace) may come any time. Only what
// the event itself has wrong is final.

const (
	// lastPoolRetry bounds the wait for what somebody must change. The endpoint of the official chart's webhooks, which the operator
	// serves itself, comes 15 s after its start.
	lastPoolRetry = 30 * time.Second
	// poolRetryInterval is how far apart tries are when hundreds of pools wait: one of them finds out as well as all, and then wakes
	// the others.
	poolRetryInterval = 500 * time.Millisecond
)

// stillDeletingError is a resource that somebody has deleted, and that is still there.
type stillDeletingError struct{ pool kube.Pool }

func (e *stillDeletingError) Error() string {
	return fmt.Sprintf("%s %s in namespace %s is being deleted, and finalizers hold it: %q: it is made anew when it is gone",
		e.pool.Kind, e.pool.Name, e.pool.Namespace, e.pool.Finalizers)
}

// poolTrouble is why a pool's event is tried again, given what its error tells of the API server.
func poolTrouble(err error, told trouble, ofCluster bool) (why trouble, asked bool) {
	status, failed := (*kube.StatusError)(nil), (*scriptError)(nil)
	switch {
	case errors.As(err, new(*stillDeletingError)):
		return beingDeleted, false
	case told == outage || told == webhookAway || told == doubtful && !errors.As(err, &status):
		return told, ofCluster
	case errors.As(err, &status) && (status.Code == http.StatusBadRequest || status.Code == http.StatusUnprocessableEntity):
		return none, false
	case errors.As(err, &failed) && refusedForGood.MatchString(failed.reason.Error()):
		return none, false
	case status != nil, failed != nil:
		return notTaken, true
	}
	return none, false // the operator's own: the event is wrong
}

// refusedForGood is how kubectl says that the API server, a webhook or a policy does not take the object as it is.
var refusedForGood = regexp.MustCompile(`" is invalid: |denied the request|denied request: |\(BadRequest\)|\(Invalid\)`)

// poolTries are the pools' events that wait for their next try.
type poolTries struct {
	mu      sync.Mutex
	waiting int
	woken   chan struct{} // closed when it is time
}

func newPoolTries() *poolTries { return &poolTries{woken: make(chan struct{})} }

// begin is to be called before each try: what wakes those that wait during the try counts for it.
func (p *poolTries) begin() (woken <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.woken
}

// pause waits: not longer than that, unless many do, and not if one of them has worked or an old resource has gone since begin.
func (p *poolTries) pause(ctx context.Context, wait time.Duration, woken <-chan struct{}) error {
	p.mu.Lock()
	p.waiting++
	wait = max(wait, time.Duration(p.waiting)*poolRetryInterval)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
	}()
	select {
	case <-woken:
		return nil
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake lets everybody try again now.
func (p *poolTries) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.woken)
	p.woken = make(chan struct{})
}
