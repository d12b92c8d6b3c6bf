// Package pools makes and deletes the custom resource and the broker secret of each pool, and keeps registered at the controller the
// pools that have a resource.
//
// Pools is all that other packages see. Behind it each job has a file: what the watches saw last (resources.go), who is registered for it
// (registration.go), what people read in a resource's status (status.go), the reference operator's finalizers (finalizers.go), and what
// the controller has deployed (deployed.go). An event of a pool finds the name (locate.go), waits for it (turns.go), makes or removes the
// objects (deploy.go, undeploy.go), which manifests.go writes, and is tried again for the reasons in retry.go.
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

// Pools makes and deletes pools, and keeps registered those whose custom resources the cluster has. All methods may be called at the
// same time. Make one with New.
type Pools struct {
	// Tries are those of all events of pools: Wake lets each that waits for its next try begin it.
	Tries *dispatch.RetryGroup

	settings     config.Config
	kubectl      *kube.Kubectl
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

// New makes Pools that ask for nothing before Watch. request accepts the deploy of a pool that the operator itself wants (see Ensure);
// its error is why the event is not kept.
func New(settings config.Config, kubectl *kube.Kubectl, controller Controller, request func(hub.Event) error, log *slog.Logger) *Pools {
	tries, resources := dispatch.NewRetryGroup(), newResources()
	statuses := newStatuses(kubectl, resources, log)
	finalizers := newFinalizers(kubectl, resources, log)
	return &Pools{
		Tries: tries, settings: settings, kubectl: kubectl, log: log, request: request,
		resources: resources, statuses: statuses, finalizers: finalizers,
		registration: newRegistration(controller, resources, statuses, finalizers.look, tries.Wake, log),
		deployed:     newDeployed(), turns: turns{byName: map[string]*turn{}}, registered: make(chan struct{}, 1),
	}
}

// Watch keeps registered what has a custom resource, whoever made it, until ctx ends.
func (ps *Pools) Watch(ctx context.Context) {
	changes := kube.PoolChanges{All: ps.registration.all, Changed: ps.registration.changed, Deleted: ps.registration.deleted}
	var watches sync.WaitGroup
	for _, kind := range []kube.PoolKind{kube.CommunicationPool, kube.DeploymentSite} {
		watches.Go(func() { ps.kubectl.WatchPools(ctx, kind, ps.settings.WatchNamespace, changes) })
	}
	watches.Go(func() { ps.finalizers.keepRemoved(ctx) })
	ps.statuses.keepWritten(ctx)
	watches.Wait()
}

// StatusChanged is told how a pool's registration goes, one of hub.Status…, and writes it into the pool's resources.
func (ps *Pools) StatusChanged(pool hub.Pool, status string) {
	ps.statuses.note(pool, status)
	if status == hub.StatusRegistered {
		fill(ps.registered)
	}
	for _, resource := range ps.resources.of(pool) {
		ps.statuses.write(resource, status)
	}
}

// Registered has a token when a pool was registered since the last one was taken.
func (ps *Pools) Registered() <-chan struct{} { return ps.registered }

// All are the resources of pools as the watches saw them last, of both kinds, with their newest status; sorted by tenant and pool.
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
