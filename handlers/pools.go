package handlers

import (
	"context"
	"slices"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
)

// pools is what the cluster has of pools: their custom resources, as the watch last saw them.
type pools struct {
	deployed   *deployedPools
	registered chan struct{} // filled when a pool was registered

	mu        sync.Mutex
	resources map[resourceKey]kube.Pool
	last      map[string]string        // how each pool's registration went, by poolLabel
	listed    map[string]chan struct{} // by kind: closed when its first list has come
	statuses  chan kube.Pool           // to be written
}

type resourceKey struct{ kind, namespace, name string }

func keyOf(p kube.Pool) resourceKey { return resourceKey{p.Kind, p.Namespace, p.Name} }

func newPools() *pools {
	return &pools{
		deployed: newDeployedPools(), registered: make(chan struct{}, 1),
		resources: map[resourceKey]kube.Pool{}, last: map[string]string{}, statuses: make(chan kube.Pool, 10_000),
		listed: map[string]chan struct{}{kube.CommunicationPool.Kind: make(chan struct{})},
	}
}

func hubPool(p kube.Pool) hub.Pool {
	return hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID, DeploymentSiteRtID: p.DeploymentSiteRtID}
}

// WatchPools keeps registered what has a custom resource, whoever made it, until ctx ends.
func (h *Handlers) WatchPools(ctx context.Context) {
	changes := kube.PoolChanges{All: h.allPools, Changed: h.poolChanged, Deleted: h.poolDeleted}
	var watches sync.WaitGroup
	for _, kind := range []kube.PoolKind{kube.CommunicationPool, kube.DeploymentSite} {
		watches.Go(func() { h.kubectl.WatchPools(ctx, kind, h.settings.WatchNamespace, changes) })
	}
	h.writeStatuses(ctx)
	watches.Wait()
}

func (h *Handlers) allPools(kind kube.PoolKind, all []kube.Pool) {
	for _, p := range all {
		h.poolChanged(p)
	}
	for _, known := range h.pools.all() {
		gone := func(p kube.Pool) bool { return keyOf(p) == keyOf(known) }
		if known.Kind == kind.Kind && !slices.ContainsFunc(all, gone) {
			h.poolDeleted(known)
		}
	}
	h.pools.mu.Lock()
	defer h.pools.mu.Unlock()
	if listed := h.pools.listed[kind.Kind]; listed != nil {
		close(listed)
		delete(h.pools.listed, kind.Kind)
	}
}

func (h *Handlers) poolChanged(p kube.Pool) {
	if err := hubPool(p).Check(); err != nil {
		h.log.Warn("pool not registered: its resource is not valid", "namespace", p.Namespace, "name", p.Name, "reason", err)
		h.pools.writeStatus(p, "Failed: "+err.Error())
		return
	}
	h.pools.mu.Lock()
	before, known := h.pools.resources[keyOf(p)]
	h.pools.mu.Unlock()
	if known && hubPool(before) != hubPool(p) { // somebody made another pool of it
		h.poolDeleted(before)
	}
	h.pools.mu.Lock()
	h.pools.resources[keyOf(p)] = p
	status := h.pools.last[poolLabel(hubPool(p))]
	h.pools.mu.Unlock()
	h.controller.RegisterPool(hubPool(p))
	if status != "" { // it was registered before its resource was seen
		h.pools.writeStatus(p, status)
	}
}

func (h *Handlers) poolDeleted(p kube.Pool) {
	h.pools.mu.Lock()
	delete(h.pools.resources, keyOf(p))
	h.pools.mu.Unlock()
	if len(h.pools.of(hubPool(p))) == 0 { // a controller's upgrade may leave a pool with a resource of each kind
		h.pools.setLast(hubPool(p), "")
		h.controller.UnregisterPool(hubPool(p))
	}
}

func (p *pools) all() []kube.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []kube.Pool
	for _, r := range p.resources {
		all = append(all, r)
	}
	return all
}

// of returns the resources of a pool, whatever it is called.
func (p *pools) of(pool hub.Pool) []kube.Pool {
	return slices.DeleteFunc(p.all(), func(r kube.Pool) bool {
		return hubPool(r).Key() != pool.Key()
	})
}

// longestListWait bounds how long a registration waits for the first list of pools.
const longestListWait = 10 * time.Second

func (p *pools) waitForList(ctx context.Context) {
	p.mu.Lock()
	listed := p.listed[kube.CommunicationPool.Kind]
	p.mu.Unlock()
	if listed == nil {
		return
	}
	select {
	case <-listed:
	case <-time.After(longestListWait):
	case <-ctx.Done():
	}
}
