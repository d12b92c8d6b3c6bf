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
	tries      *poolTries
	registered chan struct{} // filled when a pool was registered
	deleting   chan struct{} // filled when a resource that is being deleted was seen

	deciding sync.Mutex // who is registered: what is decided from resources is done before anybody else decides

	mu         sync.Mutex
	resources  map[resourceKey]kube.Pool
	undeployed map[string]bool          // by uid: resources that are not to be registered any more, although they are still there
	last       map[string]string        // how each pool's registration went, by poolLabel
	listed     map[string]chan struct{} // by kind: closed when its first list has come
	statuses   chan statusChange        // to be written
}

type resourceKey struct{ kind, namespace, name string }

func keyOf(p kube.Pool) resourceKey { return resourceKey{p.Kind, p.Namespace, p.Name} }

func newPools() *pools {
	return &pools{
		deployed: newDeployedPools(), tries: newPoolTries(), registered: make(chan struct{}, 1), deleting: make(chan struct{}, 1),
		resources: map[resourceKey]kube.Pool{}, undeployed: map[string]bool{}, last: map[string]string{}, statuses: make(chan statusChange, 10_000),
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
	watches.Go(func() { h.letPoolsGo(ctx) })
	h.writeStatuses(ctx)
	watches.Wait()
}

func (h *Handlers) allPools(kind kube.PoolKind, all []kube.Pool) {
	for _, p := range all {
		h.poolChanged(p)
	}
	for _, known := range h.pools.all() {
		same := func(p kube.Pool) bool { return keyOf(p) == keyOf(known) }
		if known.Kind == kind.Kind && !slices.ContainsFunc(all, same) {
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

// poolChanged registers a pool, unless its resource is being deleted: nothing brings such a one back, and a pool that is
// registered gets workloads.
func (h *Handlers) poolChanged(p kube.Pool) {
	h.pools.deciding.Lock()
	defer h.pools.deciding.Unlock()
	before, known := h.pools.see(p)
	if known && (hubPool(before) != hubPool(p) || before.UID != p.UID) {
		h.unregisterUnlessLive(before)
	}
	switch err := hubPool(p).Check(); {
	case p.Deleting:
		h.unregisterUnlessLive(p)
		fill(h.pools.deleting)
	case err != nil:
		h.log.Warn("pool not registered: its resource is not valid", "namespace", p.Namespace, "name", p.Name, "reason", err)
		h.pools.writeStatus(p, "Failed: "+err.Error())
	case h.pools.isLive(p):
		h.registerSeen(p)
	}
}

// registerSeen registers the pool of a resource. deciding is held.
func (h *Handlers) registerSeen(p kube.Pool) {
	h.controller.RegisterPool(hubPool(p))
	status := h.pools.lastOf(hubPool(p))
	if status == "" {
		status = hub.StatusInProgress
	}
	h.pools.writeStatus(p, status)
}

// poolDeleted forgets a resource that is gone.
func (h *Handlers) poolDeleted(p kube.Pool) {
	h.pools.deciding.Lock()
	defer h.pools.deciding.Unlock()
	h.pools.mu.Lock()
	delete(h.pools.resources, keyOf(p))
	delete(h.pools.undeployed, p.UID)
	h.pools.mu.Unlock()
	h.unregisterUnlessLive(p)
	h.pools.tries.wake() // a deploy may wait for this
}

// unregisterUnlessLive unregisters a resource's pool, unless another one stands for it: a controller's upgrade may leave a pool with a
// resource of each kind. deciding is held.
func (h *Handlers) unregisterUnlessLive(p kube.Pool) {
	if len(h.pools.of(hubPool(p))) == 0 {
		h.pools.setLast(hubPool(p), "")
		h.controller.UnregisterPool(hubPool(p))
	}
}

// undeploying unregisters a pool. Its resources that are there now do not register it again, however long they stay.
func (h *Handlers) undeploying(pool hub.Pool) {
	h.pools.deciding.Lock()
	defer h.pools.deciding.Unlock()
	for _, p := range h.pools.of(pool) {
		h.pools.mu.Lock()
		h.pools.undeployed[p.UID] = true
		h.pools.mu.Unlock()
	}
	h.pools.setLast(pool, "")
	h.controller.UnregisterPool(pool)
}

// redeployed takes back an undeploying that has left a resource there.
func (h *Handlers) redeployed(uid string) {
	h.pools.deciding.Lock()
	defer h.pools.deciding.Unlock()
	h.pools.mu.Lock()
	was := h.pools.undeployed[uid]
	delete(h.pools.undeployed, uid)
	h.pools.mu.Unlock()
	for _, p := range h.pools.all() {
		if was && p.UID == uid && h.pools.isLive(p) {
			h.registerSeen(p)
		}
	}
}

// see notes what the watch saw of a resource, and returns what it saw before.
func (p *pools) see(resource kube.Pool) (before kube.Pool, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known = p.resources[keyOf(resource)]
	p.resources[keyOf(resource)] = resource
	if known && before.UID != resource.UID {
		delete(p.undeployed, before.UID)
	}
	return before, known
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

// isLive tells whether a resource stands for its pool.
func (p *pools) isLive(resource kube.Pool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !resource.Deleting && !p.undeployed[resource.UID] && hubPool(resource).Check() == nil
}

// of returns the resources that stand for a pool, whatever it is called.
func (p *pools) of(pool hub.Pool) []kube.Pool {
	return slices.DeleteFunc(p.all(), func(r kube.Pool) bool {
		return hubPool(r).Key() != pool.Key() || !p.isLive(r)
	})
}

// fill puts a token into a channel that has room for one.
func fill(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
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
