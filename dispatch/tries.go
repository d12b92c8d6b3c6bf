package dispatch

import (
	"context"
	"sync"
	"time"
)

// tryInterval is how far apart tries are when hundreds of events wait: one of them finds out as well as all, and then wakes
// the others.
const tryInterval = 500 * time.Millisecond

// Tries are events that wait for their next try, which is without end. nil is of those that each wait alone.
type Tries struct {
	mu      sync.Mutex
	waiting int
	woken   chan struct{} // closed when it is time
}

func NewTries() *Tries { return &Tries{woken: make(chan struct{})} }

// begin is to be called before each try: what wakes those that wait during the try counts for it.
func (p *Tries) begin() (woken <-chan struct{}) {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.woken
}

// pause waits: not longer than that, unless many do, and not if one of them has worked or an old resource has gone since begin.
func (p *Tries) pause(ctx context.Context, wait time.Duration, woken <-chan struct{}) error {
	p.mu.Lock()
	p.waiting++
	wait = max(wait, time.Duration(p.waiting)*tryInterval)
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

// Wake lets everybody try again now.
func (p *Tries) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.woken)
	p.woken = make(chan struct{})
}
