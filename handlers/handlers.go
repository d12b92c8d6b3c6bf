// Package handlers carries out the controller's events. Each callback has a file of its own, with the event's lane, what is done, and what the
// controller is told at the end. The table here puts them together. Package dispatch does the rest: it keeps the events, runs them in their
// lanes, retries them, and reports.
//
// A daemon calls Open, and then the methods that Handlers names. For a single event or command, New is enough.
package handlers

import (
	"context"
	"log/slog"
	"sync/atomic"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers/pools"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// table returns the handler of each callback.
func (h *Handlers) table() map[string]dispatch.Handler {
	return map[string]dispatch.Handler{
		hub.PoolDeployed:   h.ofPools(dispatch.Handler{Kind: queue.Deploy, Place: poolPlace, Run: inOnePhase(pools.Retried(h.poolDeployed))}),
		hub.PoolUndeployed: h.ofPools(dispatch.Handler{Kind: queue.Undeploy, Place: poolPlace, Run: inOnePhase(pools.Retried(h.poolUndeployed))}),
		hub.WorkloadDeployedCallback: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Deploy, Place: deployPlace, Run: h.workloadDeployed, Status: deploymentStatus, Progress: deploymentProgress,
			// Where it fails, or where the operator dies meanwhile:
			MayHaveChanged: release.Installing, Undo: h.releases.Undo, Explain: h.releases.Facts,
			// What stays on disk:
			Clean: cleanDeploy,
		}),
		hub.WorkloadUndeployedCallback: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Undeploy, Place: workloadPlace, Run: inOnePhase(h.workloadUndeployed), Status: undeploymentStatus,
		}),
		hub.ScaleWorkload: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Scale, Place: workloadPlace, Run: inOnePhase(h.scaleWorkload), Status: scaleStatus,
		}),
		hub.PreUpdateTenant: {Place: tenantPlace, Run: inOnePhase(h.preUpdateTenant), Alone: true},
	}
}

// inOnePhase is for a callback that runs a single script.
func inOnePhase(run func(context.Context, *dispatch.Task) error) func(context.Context, *dispatch.Task) error {
	return func(ctx context.Context, t *dispatch.Task) error {
		t.Phase(runs.PhaseRun)
		return run(ctx, t)
	}
}

// ofPools adds what all events of pools have in common.
func (h *Handlers) ofPools(handler dispatch.Handler) dispatch.Handler {
	if !h.settings.AutoManagePools {
		handler.Ignored = "pools are not managed in edge mode"
	}
	handler.OnArrival = h.pools.EventArrived
	handler.Endless = h.pools.Tries
	return handler
}

// ofWorkloads adds what all events of workloads have in common.
func (h *Handlers) ofWorkloads(handler dispatch.Handler) dispatch.Handler {
	handler.Guard = release.GuardFor
	handler.Recover = h.releases.Recover
	return handler
}

// Handlers accepts events and carries them out. The embedded Dispatcher has the methods for the life of a daemon: Lead, Resume, AcceptAll,
// Shutdown, Close and so on. A daemon also runs WatchPools while it leads, and WatchCluster always, and calls Connecting, Registered and
// PoolStatus for what happens on the connection to the controller.
type Handlers struct {
	*dispatch.Dispatcher

	settings    config.Config
	cluster     *kube.Client
	controller  Controller
	runs        *runs.Store
	scripts     scripts.Set
	releases    *release.Deployer
	pools       *pools.Pools
	clusterAway atomic.Pointer[error] // why the cluster cannot be reached; nil: it can, or nobody has looked
	log         *slog.Logger
}

// Controller is the connection to the controller, as package hub's client has it.
type Controller interface {
	// RegisterPool, UnregisterPool and Report do not wait for an answer.
	RegisterPool(hub.Pool)
	UnregisterPool(hub.Pool)
	Report(hub.Report)
	// Withdraw drops the report of that method and key that is not delivered yet.
	Withdraw(method, key string)
	// ReregisterTenant registers the tenant's pools again, and returns when that is done. The error is that ctx has ended before.
	ReregisterTenant(ctx context.Context, tenantID string) error
	// Generation of the controller on the connection that is up; 0: none is, or it is not known yet.
	Generation() hub.Generation
	// ReportDeployedState may be tried again after an error, unless it is hub.ErrUnsupported.
	ReportDeployedState(context.Context, []hub.DeployedPool) error
}

// Connecting is to be called before each connection to the controller is opened.
func (h *Handlers) Connecting() { h.pools.Connecting() }

// PoolStatus is to be called when the status of a pool's registration changes; status is one of hub.Status….
func (h *Handlers) PoolStatus(pool hub.Pool, status string) { h.pools.StatusChanged(pool, status) }

// Runs returns the run directories.
func (h *Handlers) Runs() *runs.Store { return h.runs }

// Pools returns the pools' resources as the watches saw them last, with the status of their registration; sorted by tenant and pool.
func (h *Handlers) Pools() []kube.Pool { return h.pools.All() }

// WatchPools keeps exactly those pools registered that have a custom resource, until ctx ends.
func (h *Handlers) WatchPools(ctx context.Context) { h.pools.Watch(ctx) }
