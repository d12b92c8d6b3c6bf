package pools

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Connecting is to be called before each connection to the controller is opened: what was told on the last one no longer counts.
func (ps *Pools) Connecting() {
	ps.deployed.forget()
	select {
	case <-ps.registered:
	default:
	}
}

// EventArrived is to be called with each event of a pool before it is accepted, in the order in which the controller sent them.
func (ps *Pools) EventArrived(event hub.Event) { ps.deployed.note(event) }

// Ensure deploys those of the pools that lack their custom resource or broker secret; the controller has all of them as deployed. It waits for
// the first list of resources, at most longestListWait. Errors are logged: the next connection tries again.
func (ps *Pools) Ensure(ctx context.Context, deployed []hub.Pool) {
	ps.deployed.answered(deployed)
	ps.registration.awaitList(ctx)
	secrets, err := ps.cluster.SecretNames(ctx, ps.settings.PoolNamespace, names.ManagedByLabel+"="+names.ManagedBy)
	if ctx.Err() != nil {
		return // the next connection looks again
	}
	if err != nil {
		ps.log.Warn("broker secrets not looked up: they are applied again", "reason", err)
	}
	for _, pool := range deployed {
		err := ps.deployed.ifStill(pool, func() error { return ps.ensure(pool, secrets) })
		if err != nil {
			ps.log.Error("pool may lack its resource or its broker secret", "tenant", pool.TenantID, "pool", pool.ID(), "reason", err, "next", "the next connection looks again")
		}
	}
}

// ensure asks for a deploy of a pool that lacks its resource or its broker secret, as the controller's event would. secrets are the names of
// the broker secrets that there are.
func (ps *Pools) ensure(pool hub.Pool, secrets map[string]bool) error {
	name, err := names.DNSName(pool.TenantID, pool.ID())
	if err != nil {
		return err
	}
	known := append(names.ReferencePools(pool), name)
	needsSecret := ps.hasBrokerSecret()
	if slices.ContainsFunc(ps.resources.of(pool), func(r kube.Pool) bool {
		return slices.Contains(known, r.Name) && r.Namespace == ps.settings.PoolNamespace && r.PoolKind == Kind(pool) &&
			(secrets[names.BrokerSecret(r.Name)] || !needsSecret)
	}) {
		return nil
	}
	argument, err := json.Marshal(pool)
	if err != nil {
		return err
	}
	return ps.request(hub.Event{Callback: hub.PoolDeployed, Argument: argument})
}

// Owned returns the pools that the controller has deployed and those that have a resource which is not being deleted, ordered by tenant and id.
func (ps *Pools) Owned() []hub.Pool {
	owned := ps.deployed.all()
	for _, r := range ps.resources.all() {
		same := func(p hub.Pool) bool { return p.Key() == names.HubPool(r).Key() }
		if ps.resources.isLive(r) && !slices.ContainsFunc(owned, same) {
			owned = append(owned, names.HubPool(r))
		}
	}
	slices.SortFunc(owned, func(a, b hub.Pool) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.ID(), b.ID()))
	})
	return owned
}

// deployed are the pools that the controller has deployed, as far as one connection has told: by the answer to the operator's registration,
// and by the events before and after it. An event of a pool and what Ensure does for it must not run at the same time: a pool that was
// undeployed meanwhile would come back.
type deployed struct {
	mu         sync.Mutex
	pools      map[hub.PoolKey]hub.Pool
	undeployed map[hub.PoolKey]bool // by events before the answer, which may be older; nil: the answer has come
}

func newDeployed() *deployed {
	d := &deployed{}
	d.forget()
	return d
}

func (d *deployed) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pools, d.undeployed = map[hub.PoolKey]hub.Pool{}, map[hub.PoolKey]bool{}
}

// note learns from an event before it is accepted.
func (d *deployed) note(event hub.Event) {
	if event.Callback != hub.PoolDeployed && event.Callback != hub.PoolUndeployed {
		return
	}
	pool, _, err := Decode(event)
	if err != nil {
		return // its handler says why
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if event.Callback == hub.PoolDeployed {
		delete(d.undeployed, pool.Key())
		d.pools[pool.Key()] = pool
		return
	}
	delete(d.pools, pool.Key())
	if d.undeployed != nil {
		d.undeployed[pool.Key()] = true
	}
}

// answered learns from the answer to the operator's registration. An undeploy that came before it counts more.
func (d *deployed) answered(pools []hub.Pool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pool := range pools {
		if !d.undeployed[pool.Key()] {
			d.pools[pool.Key()] = pool
		}
	}
	d.undeployed = nil
}

// ifStill calls f if the pool was not undeployed meanwhile. An event of a pool that comes now waits for the end of f.
func (d *deployed) ifStill(pool hub.Pool, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, still := d.pools[pool.Key()]; !still {
		return nil
	}
	return f()
}

// all are in no order.
func (d *deployed) all() []hub.Pool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.pools))
}
