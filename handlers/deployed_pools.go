package handlers

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"octo-operator/hub"
	"octo-operator/kube"
)

// Connecting is called before each connection to the controller is opened: what the one before has told does not count any more.
func (h *Handlers) Connecting() {
	h.pools.deployed.forget()
	select {
	case <-h.pools.registered:
	default:
	}
}

// Registered is called after each registration at the controller, with the pools that are deployed, and returns with the
// connection. In central mode each of them must have its custom resource and broker secret, and the controller is told what
// is deployed.
func (h *Handlers) Registered(ctx context.Context, deployed []hub.Pool) {
	if !h.settings.AutoManagePools {
		return
	}
	h.pools.deployed.answered(deployed)
	h.ensurePools(ctx, deployed)
	keepTold(ctx, h.pools.registered, h.reportDeployedState, h.log)
}

func (h *Handlers) ensurePools(ctx context.Context, deployed []hub.Pool) {
	h.pools.waitForList(ctx)
	secrets, err := h.kubectl.SecretNames(ctx, h.settings.PoolNamespace, group+"/managed-by=communication-operator")
	if ctx.Err() != nil {
		return // the next connection looks again
	}
	if err != nil {
		h.log.Warn("broker secrets not looked up: they are applied again", "reason", err)
	}
	for _, pool := range deployed {
		err := h.pools.deployed.ifStill(pool, func() error { return h.ensurePool(pool, secrets) })
		if err != nil {
			h.log.Error("pool may lack its resource or its broker secret", "tenant", pool.TenantID, "pool", pool.ID(), "reason", err)
		}
	}
}

// ensurePool lets a pool that lacks its objects take the way of its event.
func (h *Handlers) ensurePool(pool hub.Pool, secrets map[string]bool) error {
	name, err := dnsName(pool.TenantID, pool.ID())
	if err != nil {
		return err
	}
	names := append(referencePools(pool), name)
	needsSecret := h.settings.Broker.User != "" || h.settings.Broker.Password != ""
	if slices.ContainsFunc(h.pools.of(pool), func(r kube.Pool) bool {
		return slices.Contains(names, r.Name) && r.Namespace == h.settings.PoolNamespace && r.PoolKind == poolKind(pool) &&
			(secrets[brokerSecret(r.Name)] || !needsSecret)
	}) {
		return nil
	}
	argument, err := json.Marshal(pool)
	if err != nil {
		return err
	}
	return h.accept(hub.Event{Callback: hub.PoolDeployed, Argument: argument}, nil)
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

// note learns from an event before it is accepted.
func (d *deployedPools) note(event hub.Event) {
	if event.Callback != hub.PoolDeployed && event.Callback != hub.PoolUndeployed {
		return
	}
	pool, _, err := decodePool(event)
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
