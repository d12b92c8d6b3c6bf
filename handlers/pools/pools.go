package pools

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Pools makes and deletes pools, and keeps registered those whose custom resources the cluster has.
type Pools struct {
	Settings   config.Config
	Kubectl    *kube.Kubectl
	controller poolController
	accept     func(hub.Event) error // the deploy of a pool that the operator itself asks for
	log        *slog.Logger

	turns      poolTurns
	Deployed   *deployedPools
	Tries      *dispatch.RetryGroup
	Registered chan struct{} // filled when a pool was registered
	deleting   chan struct{} // filled when a resource that is being deleted was seen

	deciding sync.Mutex // who is registered: what is decided from resources is done before anybody else decides

	// What the watch last saw of the pools' resources:
	mu         sync.Mutex
	resources  map[resourceKey]kube.Pool
	undeployed map[string]bool          // by uid: resources that are not to be registered any more, although they are still there
	last       map[string]string        // how each pool's registration went, by poolLabel
	listed     map[string]chan struct{} // by kind: closed when its first list has come
	statuses   chan statusChange        // to be written
}

type resourceKey struct{ kind, namespace, name string }

func keyOf(p kube.Pool) resourceKey { return resourceKey{p.Kind, p.Namespace, p.Name} }

// poolController is what pools tell the controller.
type poolController interface {
	RegisterPool(hub.Pool)
	UnregisterPool(hub.Pool)
}

func New(settings config.Config, kubectl *kube.Kubectl, controller poolController, accept func(hub.Event) error, log *slog.Logger) *Pools {
	return &Pools{
		Settings: settings, Kubectl: kubectl, controller: controller, accept: accept, log: log, turns: poolTurns{names: map[string]*poolTurn{}},
		Deployed: newDeployedPools(), Tries: dispatch.NewRetryGroup(), Registered: make(chan struct{}, 1), deleting: make(chan struct{}, 1),
		resources: map[resourceKey]kube.Pool{}, undeployed: map[string]bool{}, last: map[string]string{}, statuses: make(chan statusChange, 10_000),
		listed: map[string]chan struct{}{kube.CommunicationPool.Kind: make(chan struct{})},
	}
}

// WatchPools keeps registered what has a custom resource, whoever made it, until ctx ends.
func (ps *Pools) WatchPools(ctx context.Context) {
	changes := kube.PoolChanges{All: ps.allPools, Changed: ps.poolChanged, Deleted: ps.poolDeleted}
	var watches sync.WaitGroup
	for _, kind := range []kube.PoolKind{kube.CommunicationPool, kube.DeploymentSite} {
		watches.Go(func() { ps.Kubectl.WatchPools(ctx, kind, ps.Settings.WatchNamespace, changes) })
	}
	watches.Go(func() { ps.letPoolsGo(ctx) })
	ps.writeStatuses(ctx)
	watches.Wait()
}

func (ps *Pools) allPools(kind kube.PoolKind, all []kube.Pool) {
	for _, p := range all {
		ps.poolChanged(p)
	}
	for _, known := range ps.All() {
		same := func(p kube.Pool) bool { return keyOf(p) == keyOf(known) }
		if known.Kind == kind.Kind && !slices.ContainsFunc(all, same) {
			ps.poolDeleted(known)
		}
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if listed := ps.listed[kind.Kind]; listed != nil {
		close(listed)
		delete(ps.listed, kind.Kind)
	}
}

// poolChanged registers a pool, unless its resource is being deleted: nothing brings such a one back, and a pool that is
// registered gets workloads.
func (ps *Pools) poolChanged(p kube.Pool) {
	ps.deciding.Lock()
	defer ps.deciding.Unlock()
	before, known := ps.see(p)
	if known && (names.HubPool(before) != names.HubPool(p) || before.UID != p.UID) {
		ps.unregisterUnlessLive(before)
	}
	switch err := names.HubPool(p).Check(); {
	case p.Deleting:
		ps.unregisterUnlessLive(p)
		fill(ps.deleting)
	case err != nil:
		ps.log.Warn("pool not registered: its resource is not valid", "namespace", p.Namespace, "name", p.Name, "reason", err)
		ps.writeStatus(p, "Failed: "+err.Error())
	case ps.isLive(p):
		ps.registerSeen(p)
	}
}

// registerSeen registers the pool of a resource. deciding is held.
func (ps *Pools) registerSeen(p kube.Pool) {
	ps.controller.RegisterPool(names.HubPool(p))
	status := ps.lastOf(names.HubPool(p))
	if status == "" {
		status = hub.StatusInProgress
	}
	ps.writeStatus(p, status)
}

// poolDeleted forgets a resource that is gone.
func (ps *Pools) poolDeleted(p kube.Pool) {
	ps.deciding.Lock()
	defer ps.deciding.Unlock()
	ps.mu.Lock()
	delete(ps.resources, keyOf(p))
	delete(ps.undeployed, p.UID)
	ps.mu.Unlock()
	ps.unregisterUnlessLive(p)
	ps.Tries.Wake() // a deploy may wait for this
}

// unregisterUnlessLive unregisters a resource's pool, unless another one stands for it: a controller's upgrade may leave a pool with a
// resource of each kind. deciding is held.
func (ps *Pools) unregisterUnlessLive(p kube.Pool) {
	if len(ps.Of(names.HubPool(p))) == 0 {
		ps.setLast(names.HubPool(p), "")
		ps.controller.UnregisterPool(names.HubPool(p))
	}
}

// Undeploying unregisters a pool. Its resources that are there now do not register it again, however long they stay.
func (ps *Pools) Undeploying(pool hub.Pool) {
	ps.deciding.Lock()
	defer ps.deciding.Unlock()
	for _, p := range ps.Of(pool) {
		ps.mu.Lock()
		ps.undeployed[p.UID] = true
		ps.mu.Unlock()
	}
	ps.setLast(pool, "")
	ps.controller.UnregisterPool(pool)
}

// redeployed takes back an undeploying that has left a resource there.
func (ps *Pools) redeployed(uid string) {
	ps.deciding.Lock()
	defer ps.deciding.Unlock()
	ps.mu.Lock()
	was := ps.undeployed[uid]
	delete(ps.undeployed, uid)
	ps.mu.Unlock()
	for _, p := range ps.All() {
		if was && p.UID == uid && ps.isLive(p) {
			ps.registerSeen(p)
		}
	}
}

// see notes what the watch saw of a resource, and returns what it saw before.
func (p *Pools) see(resource kube.Pool) (before kube.Pool, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known = p.resources[keyOf(resource)]
	p.resources[keyOf(resource)] = resource
	if known && before.UID != resource.UID {
		delete(p.undeployed, before.UID)
	}
	return before, known
}

func (p *Pools) All() []kube.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []kube.Pool
	for _, r := range p.resources {
		all = append(all, r)
	}
	return all
}

// isLive tells whether a resource stands for its pool.
func (p *Pools) isLive(resource kube.Pool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !resource.Deleting && !p.undeployed[resource.UID] && names.HubPool(resource).Check() == nil
}

// Of returns the resources that stand for a pool, whatever it is called.
func (p *Pools) Of(pool hub.Pool) []kube.Pool {
	return slices.DeleteFunc(p.All(), func(r kube.Pool) bool {
		return names.HubPool(r).Key() != pool.Key() || !p.isLive(r)
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

func (p *Pools) waitForList(ctx context.Context) {
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

// Label is a pool as the labels of its releases say it: the same whatever the pool is called.
func Label(pool hub.Pool) string {
	return names.LabelValue(pool.TenantID) + "/" + names.LabelValue(pool.ID())
}
