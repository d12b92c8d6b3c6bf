package pools

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// registration keeps registered at the controller each pool that has a live resource.
type registration struct {
	controller   Controller
	resources    *resources
	statuses     *statuses
	deletingSeen func() // called when a resource that is being deleted was seen
	gone         func() // called when a resource is gone: a deploy may wait for that
	log          *slog.Logger

	deciding sync.Mutex // what is decided from the resources is done before anybody else decides

	listed    chan struct{} // closed when the first list of CommunicationPools has come
	closeOnce sync.Once
}

func newRegistration(controller Controller, resources *resources, statuses *statuses, deletingSeen, gone func(), log *slog.Logger) *registration {
	return &registration{
		controller: controller, resources: resources, statuses: statuses, deletingSeen: deletingSeen, gone: gone, log: log,
		listed: make(chan struct{}),
	}
}

// all takes a complete list of one kind.
func (rg *registration) all(kind kube.PoolKind, all []kube.Pool) {
	for _, p := range all {
		rg.changed(p)
	}
	for _, known := range rg.resources.all() {
		same := func(p kube.Pool) bool { return keyOf(p) == keyOf(known) }
		if known.Kind == kind.Kind && !slices.ContainsFunc(all, same) {
			rg.deleted(known)
		}
	}
	if kind == kube.CommunicationPool {
		rg.closeOnce.Do(func() { close(rg.listed) })
	}
}

// longestListWait bounds how long Ensure waits for the first list of pools, which does not come while the API server is away.
const longestListWait = 10 * time.Second

// awaitList returns when the first list of pools has come, or after longestListWait, or with ctx.
func (rg *registration) awaitList(ctx context.Context) {
	select {
	case <-rg.listed:
	case <-time.After(longestListWait):
	case <-ctx.Done():
	}
}

// changed registers the pool of a resource, unless the resource is being deleted: nothing brings such a one back, and a pool that is
// registered gets workloads.
func (rg *registration) changed(p kube.Pool) {
	rg.deciding.Lock()
	defer rg.deciding.Unlock()
	before, known := rg.resources.see(p)
	if known && (names.HubPool(before) != names.HubPool(p) || before.UID != p.UID) {
		rg.unregisterUnlessLive(before)
	}
	switch err := names.HubPool(p).Check(); {
	case p.Deleting:
		rg.unregisterUnlessLive(p)
		rg.deletingSeen()
	case err != nil:
		rg.log.Warn("pool not registered: its resource is not valid", "namespace", p.Namespace, "name", p.Name, "reason", err, "next", "correct the resource: it is registered when it has changed")
		rg.statuses.write(p, "Failed: "+err.Error())
	case rg.resources.isLive(p):
		rg.register(p)
	}
}

// deleted forgets a resource that is gone.
func (rg *registration) deleted(p kube.Pool) {
	rg.deciding.Lock()
	defer rg.deciding.Unlock()
	rg.resources.forget(p)
	rg.unregisterUnlessLive(p)
	rg.gone()
}

// register registers the pool of a resource, and writes into the resource how that goes. deciding is held.
func (rg *registration) register(p kube.Pool) {
	rg.controller.RegisterPool(names.HubPool(p))
	status := rg.statuses.last(names.HubPool(p))
	if status == "" {
		status = hub.StatusInProgress
	}
	rg.statuses.write(p, status)
}

// unregister unregisters a pool. deciding is held.
func (rg *registration) unregister(pool hub.Pool) {
	rg.statuses.note(pool, "")
	rg.controller.UnregisterPool(pool)
}

// unregisterUnlessLive unregisters a resource's pool, unless another resource stands for it: a controller's upgrade may leave a pool with
// one of each kind. deciding is held.
func (rg *registration) unregisterUnlessLive(p kube.Pool) {
	if pool := names.HubPool(p); len(rg.resources.of(pool)) == 0 {
		rg.unregister(pool)
	}
}

// stop unregisters a pool. Its resources that are there now do not register it again, however long they stay.
func (rg *registration) stop(pool hub.Pool) {
	rg.deciding.Lock()
	defer rg.deciding.Unlock()
	for _, p := range rg.resources.of(pool) {
		rg.resources.setUndeployed(p.UID, true)
	}
	rg.unregister(pool)
}

// resume registers again the pool of the resource with that uid, if stop has ended its registration and it is still there.
func (rg *registration) resume(uid string) {
	rg.deciding.Lock()
	defer rg.deciding.Unlock()
	if !rg.resources.setUndeployed(uid, false) {
		return
	}
	for _, p := range rg.resources.all() {
		if p.UID == uid && rg.resources.isLive(p) {
			rg.register(p)
		}
	}
}
