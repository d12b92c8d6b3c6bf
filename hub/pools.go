package hub

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// poolSet is every pool this operator serves. Workload events are routed only to the connection that registered the
// pool, so each pool is registered on every new connection, and again after a rejection for as long as it takes: a
// controller that is warming up rejects for minutes.
type poolSet struct {
	mu      sync.Mutex
	pools   map[Pool]bool
	current func(Pool) // starts to register a pool on the connection that is up; nil: none is
	cancels map[Pool]context.CancelFunc
}

// RegisterPool serves a pool from now on. It returns at once; a pool that is served already is registered again.
func (c *Client) RegisterPool(pool Pool) {
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	if c.pools.pools == nil {
		c.pools.pools = map[Pool]bool{}
	}
	c.pools.pools[pool] = true
	if c.pools.current != nil {
		c.pools.current(pool)
	}
}

// UnregisterPool serves a pool no longer. Best effort: the tenant may be gone.
func (c *Client) UnregisterPool(pool Pool) {
	c.pools.mu.Lock()
	delete(c.pools.pools, pool)
	if cancel := c.pools.cancels[pool]; cancel != nil {
		cancel()
		delete(c.pools.cancels, pool)
	}
	c.pools.mu.Unlock()
	c.Report(Report{Method: "UnregisterPoolAsync", Arguments: []any{pool.TenantID, pool.ID()}, Transient: true})
}

// keepRegistered registers every pool on this connection, those added later too, until ctx ends.
func (p *poolSet) keepRegistered(ctx context.Context, s *session, retrySeconds int) {
	var registrations sync.WaitGroup
	p.mu.Lock()
	p.cancels = map[Pool]context.CancelFunc{}
	p.current = func(pool Pool) {
		if cancel := p.cancels[pool]; cancel != nil {
			cancel()
		}
		poolContext, cancel := context.WithCancel(ctx)
		p.cancels[pool] = cancel
		registrations.Go(func() { s.registerPool(poolContext, pool, time.Duration(retrySeconds)*time.Second) })
	}
	for pool := range p.pools {
		p.current(pool)
	}
	p.mu.Unlock()

	<-ctx.Done()
	p.mu.Lock()
	p.current = nil
	p.mu.Unlock()
	registrations.Wait()
}

// registerPool tries until the controller accepts the pool: first after 1 s, then slower up to the set interval.
func (s *session) registerPool(ctx context.Context, pool Pool, longest time.Duration) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval = min(time.Second, longest)
	waits.MaxInterval = longest
	for {
		_, err := s.invoke(ctx, "RegisterPoolAsync", pool.TenantID, pool.ID())
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			s.log.Info("pool registered", "tenant", pool.TenantID, "pool", pool.ID())
			return
		}
		wait := waits.NextBackOff()
		s.log.Warn("pool not registered yet", "tenant", pool.TenantID, "pool", pool.ID(), "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
