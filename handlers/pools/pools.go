// Package pools creates and deletes the custom resource and the broker secret of each pool, and keeps exactly those pools registered at the
// controller that have a resource.
//
// Pools is all that other packages use. Its jobs are in these files: what the watches saw last (resources.go), which pools are registered
// (registration.go), the status in the resources (status.go), the reference operator's finalizers (finalizers.go), and which pools the controller
// has deployed (deployed.go). An event of a pool finds the resource's name (locate.go), waits for its turn with that name (turns.go), creates or
// removes the objects (deploy.go, undeploy.go) from manifests.go, and is retried as retry.go says.
package pools

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Pools creates and deletes pools, and keeps those registered that have a custom resource. Its methods may be called at the same time. Make one
// with New.
type Pools struct {
	// Tries is the group of all events of pools: Wake lets those that wait for their next try begin it.
	Tries *dispatch.RetryGroup

	settings     config.Config
	cluster      *kube.Client
	log          *slog.Logger
	request      func(hub.Event) error
	resources    *resources
	statuses     *statuses
	registration *registration
	finalizers   *finalizers
	deployed     *deployed
	turns        turns
	registered   chan struct{} // see Registered
}

// Controller is what pools tell the controller. Neither method waits for an answer.
type Controller interface {
	RegisterPool(hub.Pool)
	UnregisterPool(hub.Pool)
}

// New makes Pools that do nothing before Watch. request accepts the deploy of a pool that the operator itself wants (see Ensure); its error is
// why the event is not kept.
func New(settings config.Config, cluster *kube.Client, controller Controller, request func(hub.Event) error, log *slog.Logger) *Pools {
	tries, resources := dispatch.NewRetryGroup(), newResources()
	statuses := newStatuses(cluster, resources, log)
	finalizers := newFinalizers(cluster, resources, log)
	return &Pools{
		Tries: tries, settings: settings, cluster: cluster, log: log, request: request,
		resources: resources, statuses: statuses, finalizers: finalizers,
		registration: newRegistration(controller, resources, statuses, finalizers.look, tries.Wake, log),
		deployed:     newDeployed(), turns: turns{byName: map[string]*turn{}}, registered: make(chan struct{}, 1),
	}
}

// Watch keeps exactly those pools registered that have a custom resource, whoever has created it, until ctx ends.
func (ps *Pools) Watch(ctx context.Context) {
	changes := kube.PoolChanges{All: ps.registration.all, Changed: ps.registration.changed, Deleted: ps.registration.deleted}
	var watches sync.WaitGroup
	for _, kind := range []kube.PoolKind{kube.CommunicationPool, kube.DeploymentSite} {
		watches.Go(func() { ps.cluster.WatchPools(ctx, kind, ps.settings.WatchNamespace, changes) })
	}
	watches.Go(func() { ps.finalizers.keepRemoved(ctx) })
	ps.statuses.keepWritten(ctx)
	watches.Wait()
}

// StatusChanged is to be called when the status of a pool's registration changes, to one of hub.Status…. It writes the status into the pool's
// resources.
func (ps *Pools) StatusChanged(pool hub.Pool, status string) {
	ps.statuses.note(pool, status)
	if status == hub.StatusRegistered {
		fill(ps.registered)
	}
	for _, resource := range ps.resources.of(pool) {
		ps.statuses.write(resource, status)
	}
}

// Registered has a token if a pool was registered since the last token was taken.
func (ps *Pools) Registered() <-chan struct{} { return ps.registered }

// All returns the pools' resources of both kinds, as the watches saw them last, with their newest status; sorted by tenant and pool.
func (ps *Pools) All() []kube.Pool {
	return slices.SortedFunc(slices.Values(ps.resources.all()), func(a, b kube.Pool) int {
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(names.HubPool(a).ID(), names.HubPool(b).ID()), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// fill puts a token into a channel that has room for one.
func fill(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
