package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// poolSet is every pool this operator serves. Workload events are routed only to the connection that registered the
// pool, so each pool is registered on every new connection, and again after a rejection for as long as it takes: a
// controller that is warming up rejects for minutes.
type poolSet struct {
	mu     sync.Mutex
	wanted map[PoolKey]Pool
	active map[PoolKey]*registration                          // the newest of each pool on the connection that is up; nil: none is
	start  func(pool Pool, leaving bool, after *registration) // begins one on that connection
}

// PoolKey is the same for a pool whatever it is called: what G3 knows as a pool is a deployment site to G4.
type PoolKey struct{ Tenant, ID string }

// Key of a pool: see PoolKey.
func (p Pool) Key() PoolKey { return PoolKey{p.TenantID, p.ID()} }

// registration is a pool's way to be registered on one connection, or to be unregistered. Those of one pool follow each
// other: an unregistration must not overtake the registration after it.
type registration struct {
	leaving  bool
	stop     context.CancelFunc
	accepted atomic.Bool
	ended    chan struct{}
}

// RegisterPool serves a pool from now on. It returns at once.
func (c *Client) RegisterPool(pool Pool) {
	p := &c.pools
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == nil {
		p.wanted = map[PoolKey]Pool{}
	}
	p.wanted[pool.Key()] = pool
	if current := p.active[pool.Key()]; p.active != nil && (current == nil || current.leaving) {
		p.start(pool, false, current)
	}
}

// UnregisterPool serves a pool no longer. Best effort: the tenant may be gone.
func (c *Client) UnregisterPool(pool Pool) {
	p := &c.pools
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.wanted, pool.Key())
	if current := p.active[pool.Key()]; current != nil && !current.leaving {
		current.stop()
		p.start(pool, true, current)
	}
}

// ReregisterTenant unregisters the tenant's pools and registers them again. It returns when the controller has accepted
// all of them, or when ctx ends; then the operator goes on trying.
func (c *Client) ReregisterTenant(ctx context.Context, tenantID string) error {
	pools := c.poolsOf(tenantID)
	for _, pool := range pools {
		c.UnregisterPool(pool)
		c.RegisterPool(pool)
	}
	for _, pool := range pools {
		c.pools.mu.Lock()
		r := c.pools.active[pool.Key()]
		c.pools.mu.Unlock()
		if r == nil {
			continue // no connection: the next one registers it
		}
		select {
		case <-r.ended:
		case <-ctx.Done():
			return fmt.Errorf("pool %s of tenant %s is not registered again yet: the operator goes on trying", pool.ID(), tenantID)
		}
	}
	return nil
}

func (c *Client) poolsOf(tenantID string) []Pool {
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	var pools []Pool
	for _, pool := range c.pools.wanted {
		if pool.TenantID == tenantID {
			pools = append(pools, pool)
		}
	}
	return pools
}

// RegisteredPools counts the pools that the controller has accepted on the connection that is up.
func (c *Client) RegisteredPools() int {
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	count := 0
	for _, r := range c.pools.active {
		if r.accepted.Load() {
			count++
		}
	}
	return count
}

// keepPoolsRegistered registers every pool on this connection, those added later too, until ctx ends.
func (c *Client) keepPoolsRegistered(ctx context.Context, s *session) {
	longest := time.Duration(c.settings.PoolRetrySeconds * float64(time.Second))
	var registrations sync.WaitGroup
	p := &c.pools
	p.mu.Lock()
	p.active = map[PoolKey]*registration{}
	p.start = func(pool Pool, leaving bool, after *registration) {
		poolContext, stop := context.WithCancel(ctx)
		r := &registration{leaving: leaving, stop: stop, ended: make(chan struct{})}
		p.active[pool.Key()] = r
		registrations.Go(func() {
			defer close(r.ended)
			if after != nil {
				<-after.ended
			}
			if leaving {
				_, err := s.invoke(poolContext, s.generation.method(methodUnregister), pool.TenantID, pool.ID())
				c.log.Info("pool unregistered", "tenant", pool.TenantID, "pool", pool.ID(), "accepted", err == nil)
				return
			}
			c.register(poolContext, s, pool, longest, r)
		})
	}
	for _, pool := range p.wanted {
		p.start(pool, false, nil)
	}
	p.mu.Unlock()

	<-ctx.Done()
	p.mu.Lock()
	p.active, p.start = nil, nil
	p.mu.Unlock()
	registrations.Wait()
}

// register tries until the controller accepts the pool: first after 1 s, then slower up to the set interval. Without an interval it
// tries once.
func (c *Client) register(ctx context.Context, s *session, pool Pool, longest time.Duration, r *registration) {
	log := c.log.With("tenant", pool.TenantID, "pool", pool.ID())
	if s.generation == G1 != pool.Named() {
		// It would be rejected for ever: an operator upgrade, or the controller's, leaves such resources behind.
		log.Warn("pool not registered: this controller knows pools by another kind of identity", "generation", s.generation.String())
		c.poolStatus(pool, "Failed: a controller of generation "+s.generation.String()+" does not know pools by this kind of identity")
		return
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval = min(time.Second, longest)
	waits.MaxInterval = longest
	for {
		_, err := s.invoke(ctx, s.generation.method(methodRegister), pool.TenantID, pool.ID())
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			r.accepted.Store(true)
			log.Info("pool registered")
			c.poolStatus(pool, StatusRegistered)
			return
		}
		if longest == 0 {
			log.Warn("pool not registered: the next connection tries again", "reason", err, "setting", "OPERATOR__POOLREGISTRATIONRETRYSECONDS")
			c.poolStatus(pool, "Failed: "+strings.TrimSpace(err.Error()))
			return
		}
		wait := min(waits.NextBackOff(), longest) // the jitter comes on top of the library's own maximum
		log.Warn("pool not registered yet", "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		c.poolStatus(pool, "Failed: "+strings.TrimSpace(err.Error()))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// StatusRegistered is the status of a pool that the controller has accepted.
const StatusRegistered = "Registered"

func (c *Client) poolStatus(pool Pool, status string) {
	if c.options.PoolStatus != nil {
		c.options.PoolStatus(pool, status)
	}
}
