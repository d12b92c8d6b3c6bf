package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	c.pools.add(pool)
}

// add wants a pool. p.mu is held.
func (p *poolSet) add(pool Pool) {
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
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	c.pools.remove(pool)
}

// remove wants a pool no longer. p.mu is held.
func (p *poolSet) remove(pool Pool) {
	delete(p.wanted, pool.Key())
	if current := p.active[pool.Key()]; current != nil && !current.leaving {
		current.stop()
		p.start(pool, true, current)
	}
}

// ReregisterTenant unregisters the tenant's pools and registers them again. It returns when the controller has accepted
// all of them, or when ctx ends; then the operator goes on trying. A pool that nobody wants any more by then stays out.
func (c *Client) ReregisterTenant(ctx context.Context, tenantID string) error {
	for _, pool := range c.pools.renew(tenantID) {
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

// renew begins to register a tenant's pools again, and returns them. All in one step: of a list that was made before, a pool
// might have been unregistered meanwhile, and would come back.
func (p *poolSet) renew(tenantID string) (pools []Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pool := range p.wanted {
		if pool.TenantID == tenantID {
			pools = append(pools, pool)
		}
	}
	for _, pool := range pools {
		p.remove(pool)
		p.add(pool)
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
	c.unsettle()
}

// unsettle says of all pools that they are registered no longer, and will be again.
func (c *Client) unsettle() {
	c.pools.mu.Lock()
	pools := slices.Collect(maps.Values(c.pools.wanted))
	c.pools.mu.Unlock()
	for _, pool := range pools {
		c.poolStatus(pool, StatusInProgress)
	}
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
	c.poolStatus(pool, StatusInProgress)
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

// The statuses of a pool, in the reference operator's words. Any other is "Failed: " and the reason.
const (
	StatusInProgress = "In Progress" // the controller is to accept it: as soon as it is asked, or is there again
	StatusRegistered = "Registered"  // the controller has accepted it
)

func (c *Client) poolStatus(pool Pool, status string) {
	if c.options.PoolStatus != nil {
		c.options.PoolStatus(pool, status)
	}
}
