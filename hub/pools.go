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

// poolSet holds every pool that this operator serves. The controller routes workload events only to the connection that registered the
// pool. So each pool is registered on every new connection, and a rejected registration is tried again for as long as it takes: a
// controller that is starting up rejects for minutes.
type poolSet struct {
	mu     sync.Mutex
	wanted map[PoolKey]Pool
	active map[PoolKey]*registration                          // the newest registration of each pool on the current connection; nil: not connected
	start  func(pool Pool, leaving bool, after *registration) // begins a registration on the current connection
}

// PoolKey identifies a pool in all generations: the pool of G3 and the deployment site of G4 with the same id have the same key.
type PoolKey struct{ Tenant, ID string }

// Key returns the pool's PoolKey.
func (p Pool) Key() PoolKey { return PoolKey{p.TenantID, p.ID()} }

// registration registers one pool on one connection or, if leaving, unregisters it. Registrations of one pool run one after the other, so
// that an unregistration cannot overtake the registration that follows it.
type registration struct {
	leaving  bool
	stop     context.CancelFunc
	accepted atomic.Bool
	ended    chan struct{}
}

// RegisterPool registers a pool, now and on every later connection. It returns at once; Options.PoolStatus says how it goes.
func (c *Client) RegisterPool(pool Pool) {
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	c.pools.add(pool)
}

// add puts a pool into the set and, if connected, begins to register it. p.mu is held.
func (p *poolSet) add(pool Pool) {
	if p.wanted == nil {
		p.wanted = map[PoolKey]Pool{}
	}
	p.wanted[pool.Key()] = pool
	if current := p.active[pool.Key()]; p.active != nil && (current == nil || current.leaving) {
		p.start(pool, false, current)
	}
}

// UnregisterPool unregisters a pool and does not register it again. It returns at once; a failure is only logged, because the tenant may be gone.
func (c *Client) UnregisterPool(pool Pool) {
	c.pools.mu.Lock()
	defer c.pools.mu.Unlock()
	c.pools.remove(pool)
}

// remove takes a pool out of the set and, if connected, begins to unregister it. p.mu is held.
func (p *poolSet) remove(pool Pool) {
	delete(p.wanted, pool.Key())
	if current := p.active[pool.Key()]; current != nil && !current.leaving {
		current.stop()
		p.start(pool, true, current)
	}
}

// ReregisterTenant unregisters the tenant's pools and registers them again. It returns nil when the controller has accepted all of them.
// If ctx ends before, it returns an error, and the operator goes on trying. A pool that is unregistered meanwhile stays unregistered.
func (c *Client) ReregisterTenant(ctx context.Context, tenantID string) error {
	for _, pool := range c.pools.renew(tenantID) {
		c.pools.mu.Lock()
		r := c.pools.active[pool.Key()]
		c.pools.mu.Unlock()
		if r == nil {
			continue // not connected: the next connection registers it
		}
		select {
		case <-r.ended:
		case <-ctx.Done():
			return fmt.Errorf("pool %s of tenant %s is not registered again yet: the operator goes on trying", pool.ID(), tenantID)
		}
	}
	return nil
}

// renew begins to register a tenant's pools again, and returns them. It holds the lock all the time: with a list made before, a pool that
// is unregistered meanwhile would come back.
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

// RegisteredPools returns how many pools the controller has accepted on the current connection.
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

// keepPoolsRegistered registers every pool on this connection, also those that are added later, until ctx ends.
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
	c.allInProgress()
}

// allInProgress sets the status of all pools to StatusInProgress: the connection has ended, and the next one will register them.
func (c *Client) allInProgress() {
	c.pools.mu.Lock()
	pools := slices.Collect(maps.Values(c.pools.wanted))
	c.pools.mu.Unlock()
	for _, pool := range pools {
		c.poolStatus(pool, StatusInProgress)
	}
}

// register tries until the controller accepts the pool. The waits grow from 1 s to longest; longest 0: it tries once.
func (c *Client) register(ctx context.Context, s *session, pool Pool, longest time.Duration, r *registration) {
	log := c.log.With("tenant", pool.TenantID, "pool", pool.ID())
	if s.generation == G1 != pool.Named() {
		// The controller would reject it for ever. Such pool resources remain after an upgrade of the operator or the controller.
		log.Warn("pool not registered: this controller knows pools by another kind of identity", "generation", s.generation.String(), "next", "delete its resource, or connect to a controller of its generation")
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
		wait := min(waits.NextBackOff(), longest) // the library adds its jitter to MaxInterval
		log.Warn("pool not registered yet", "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		c.poolStatus(pool, "Failed: "+strings.TrimSpace(err.Error()))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// Statuses of a pool, in the reference operator's words. Any other status is "Failed: " and the reason.
const (
	StatusInProgress = "In Progress" // not registered yet, or not connected
	StatusRegistered = "Registered"  // the controller has accepted the registration
)

func (c *Client) poolStatus(pool Pool, status string) {
	if c.options.PoolStatus != nil {
		c.options.PoolStatus(pool, status)
	}
}
