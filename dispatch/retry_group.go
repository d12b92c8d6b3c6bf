package dispatch

import (
	"context"
	"sync"
	"time"
)

// retryInterval is the time between two tries of a group in which hundreds of events wait: one of them is enough to find out that the cluster
// accepts them now, and then wakes the others.
const retryInterval = 500 * time.Millisecond

// RetryGroup is a group of events that are retried without end and most likely wait for the same thing. With a nil group each event waits by
// itself.
type RetryGroup struct {
	mu      sync.Mutex
	waiting int           // events between two tries
	woken   chan struct{} // closed by Wake
}

// NewRetryGroup makes one for the handlers of the same kind of event.
func NewRetryGroup() *RetryGroup { return &RetryGroup{woken: make(chan struct{})} }

// begin is to be called before each try: a Wake during the try counts for the pause after it.
func (g *RetryGroup) begin() (woken <-chan struct{}) {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.woken
}

// pause waits, longer where many do, but not if Wake was called since begin. The error is ctx's.
func (g *RetryGroup) pause(ctx context.Context, wait time.Duration, woken <-chan struct{}) error {
	if g == nil {
		return Sleep(ctx, wait)
	}
	g.mu.Lock()
	g.waiting++
	wait = max(wait, time.Duration(g.waiting)*retryInterval)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.waiting--
		g.mu.Unlock()
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

// Wake lets all events of the group try again now: one of them has succeeded, or what they wait for has come.
func (g *RetryGroup) Wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.woken)
	g.woken = make(chan struct{})
}
