package pools

import (
	"maps"
	"slices"
	"sync"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// resources are the custom resources of pools as the watches saw them last: both kinds, in all namespaces that are watched.
type resources struct {
	mu         sync.Mutex
	seen       map[resourceKey]kube.Pool
	undeployed map[string]bool // by uid: resources that do not register their pool any more, although they are still there
}

type resourceKey struct{ kind, namespace, name string }

func keyOf(p kube.Pool) resourceKey { return resourceKey{p.Kind, p.Namespace, p.Name} }

func newResources() *resources {
	return &resources{seen: map[resourceKey]kube.Pool{}, undeployed: map[string]bool{}}
}

// see notes what a watch saw of a resource, and returns what it saw before.
func (rs *resources) see(resource kube.Pool) (before kube.Pool, known bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	before, known = rs.seen[keyOf(resource)]
	rs.seen[keyOf(resource)] = resource
	if known && before.UID != resource.UID {
		delete(rs.undeployed, before.UID)
	}
	return before, known
}

// update replaces what was seen of a resource, unless it has gone meanwhile.
func (rs *resources) update(resource kube.Pool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if _, known := rs.seen[keyOf(resource)]; known {
		rs.seen[keyOf(resource)] = resource
	}
}

// forget drops a resource that is gone.
func (rs *resources) forget(resource kube.Pool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.seen, keyOf(resource))
	delete(rs.undeployed, resource.UID)
}

// setUndeployed tells that the resource with that uid does not register its pool any more, or does so again. It returns what was so
// before.
func (rs *resources) setUndeployed(uid string, undeployed bool) (before bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	before = rs.undeployed[uid]
	if undeployed {
		rs.undeployed[uid] = true
	} else {
		delete(rs.undeployed, uid)
	}
	return before
}

// all are in no order.
func (rs *resources) all() []kube.Pool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.Collect(maps.Values(rs.seen))
}

// isLive tells whether a resource stands for its pool: it is valid, and neither undeployed nor being deleted.
func (rs *resources) isLive(resource kube.Pool) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return !resource.Deleting && !rs.undeployed[resource.UID] && names.HubPool(resource).Check() == nil
}

// of returns the live resources of a pool, whatever they are called.
func (rs *resources) of(pool hub.Pool) []kube.Pool {
	return slices.DeleteFunc(rs.all(), func(r kube.Pool) bool {
		return names.HubPool(r).Key() != pool.Key() || !rs.isLive(r)
	})
}
