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

// Connecting is called before each connection to the controller is opened: what the one before has told does not count any more.
func (ps *Pools) Connecting() {
	ps.Deployed.forget()
	select {
	case <-ps.Registered:
	default:
	}
}

// EnsurePools makes, of the pools that the controller has as deployed, those that lack their custom resource or broker secret.
func (ps *Pools) EnsurePools(ctx context.Context, deployed []hub.Pool) {
	ps.Deployed.answered(deployed)
	ps.waitForList(ctx)
	secrets, err := ps.Kubectl.SecretNames(ctx, ps.Settings.PoolNamespace, names.Group+"/managed-by=communication-operator")
	if ctx.Err() != nil {
		return // the next connection looks again
	}
	if err != nil {
		ps.log.Warn("broker secrets not looked up: they are applied again", "reason", err)
	}
	for _, pool := range deployed {
		err := ps.Deployed.ifStill(pool, func() error { return ps.ensurePool(pool, secrets) })
		if err != nil {
			ps.log.Error("pool may lack its resource or its broker secret", "tenant", pool.TenantID, "pool", pool.ID(), "reason", err)
		}
	}
}

// ensurePool lets a pool that lacks its objects take the way of its event.
func (ps *Pools) ensurePool(pool hub.Pool, secrets map[string]bool) error {
	name, err := names.DNSName(pool.TenantID, pool.ID())
	if err != nil {
		return err
	}
	known := append(names.ReferencePools(pool), name)
	needsSecret := ps.Settings.Broker.User != "" || ps.Settings.Broker.Password != ""
	if slices.ContainsFunc(ps.Of(pool), func(r kube.Pool) bool {
		return slices.Contains(known, r.Name) && r.Namespace == ps.Settings.PoolNamespace && r.PoolKind == Kind(pool) &&
			(secrets[names.BrokerSecret(r.Name)] || !needsSecret)
	}) {
		return nil
	}
	argument, err := json.Marshal(pool)
	if err != nil {
		return err
	}
	return ps.accept(hub.Event{Callback: hub.PoolDeployed, Argument: argument})
}

// deployedPools are the pools that the controller has deployed, as far as one connection has told: by the answer to the
// operator's registration, and by the events before and after it. An event and what is done because of the answer must not
// overtake each other, or a pool that was undeployed meanwhile would come back.
type deployedPools struct {
	mu         sync.Mutex
	pools      map[hub.PoolKey]hub.Pool
	undeployed map[hub.PoolKey]bool // by events before the answer, which may be older; nil: the answer has come
}

func newDeployedPools() *deployedPools {
	d := &deployedPools{}
	d.forget()
	return d
}

func (d *deployedPools) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pools, d.undeployed = map[hub.PoolKey]hub.Pool{}, map[hub.PoolKey]bool{}
}

// Note learns from an event before it is accepted.
func (d *deployedPools) Note(event hub.Event) {
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

// answered learns from the answer to the operator's registration.
func (d *deployedPools) answered(deployed []hub.Pool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pool := range deployed {
		if !d.undeployed[pool.Key()] {
			d.pools[pool.Key()] = pool
		}
	}
	d.undeployed = nil
}

// ifStill calls f if the pool was not undeployed meanwhile. An event of a pool that comes now waits for the end of f.
func (d *deployedPools) ifStill(pool hub.Pool, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, still := d.pools[pool.Key()]; !still {
		return nil
	}
	return f()
}

func (d *deployedPools) all() []hub.Pool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.pools))
}

// OwnedPools are those that the controller has deployed and those that a resource stands for, in a certain order.
func (ps *Pools) OwnedPools() []hub.Pool {
	owned := ps.Deployed.all()
	for _, r := range ps.All() {
		same := func(p hub.Pool) bool { return p.Key() == names.HubPool(r).Key() }
		if ps.isLive(r) && !slices.ContainsFunc(owned, same) {
			owned = append(owned, names.HubPool(r))
		}
	}
	slices.SortFunc(owned, func(a, b hub.Pool) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.ID(), b.ID()))
	})
	return owned
}
