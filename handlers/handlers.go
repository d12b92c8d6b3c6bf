// Package handlers carries out what the controller asks for. Each callback of the contract has a file, which says where its events belong
// (their lane), what is done, and what the controller is told of the end; the table here puts these together. Package dispatch does the rest:
// it keeps the events, runs them in their lanes, tries them again, and reports.
//
// A daemon calls Open, and then what Handlers says; a single event or command needs New alone.
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

// table has how the events of each callback are carried out.
func (h *Handlers) table() map[string]dispatch.Handler {
	return map[string]dispatch.Handler{
		hub.PoolDeployed:   h.ofPools(dispatch.Handler{Kind: queue.Deploy, Place: poolPlace, Run: inOnePhase(pools.Retried(h.poolDeployed))}),
		hub.PoolUndeployed: h.ofPools(dispatch.Handler{Kind: queue.Undeploy, Place: poolPlace, Run: inOnePhase(pools.Retried(h.poolUndeployed))}),
		hub.WorkloadDeploy: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Deploy, Place: deployPlace, Run: h.workloadDeployed, Status: deploymentStatus, Progress: deploymentProgress,
			// Where it fails, or where the operator dies meanwhile:
			MayHaveChanged: release.Installing, Undo: h.releases.Undo, Explain: h.releases.Facts,
			// What stays on disk:
			Clean: cleanDeploy,
		}),
		hub.WorkloadUndeploy: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Undeploy, Place: workloadPlace, Run: inOnePhase(h.workloadUndeployed), Status: undeploymentStatus,
		}),
		hub.ScaleWorkload: h.ofWorkloads(dispatch.Handler{
			Kind: queue.Scale, Place: workloadPlace, Run: inOnePhase(h.scaleWorkload), Status: scaleStatus,
		}),
		hub.PreUpdateTenant: {Place: tenantPlace, Run: inOnePhase(h.preUpdateTenant), Alone: true},
	}
}

// inOnePhase is for a callback that is carried out by a single script.
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

// Handlers takes events and carries them out. Its Dispatcher has what the life of a daemon consists of: Lead, Resume, AcceptAll, Shutdown,
// Close and so on. Besides these a daemon runs WatchPools while it leads, and WatchCluster all the time; and it tells Handlers what happens
// on the connection to the controller: Connecting, Registered, PoolStatus.
type Handlers struct {
	*dispatch.Dispatcher

	settings    config.Config
	kubectl     *kube.Kubectl
	controller  Controller
	runs        *runs.Store
	scripts     scripts.Set
	releases    *release.Deployer
	pools       *pools.Pools
	clusterAway atomic.Pointer[error] // why the cluster cannot be reached; nil: it can, or nobody has looked
	log         *slog.Logger
}

// Controller is what handlers tell the controller.
type Controller interface {
	// RegisterPool, UnregisterPool and Report do not wait for an answer.
	RegisterPool(hub.Pool)
	UnregisterPool(hub.Pool)
	Report(hub.Report)
	// Withdraw drops the report of that method and key that is not delivered yet.
	Withdraw(method, key string)
	// ReregisterTenant returns when the tenant's pools are registered again, or with ctx. An error: not all are.
	ReregisterTenant(ctx context.Context, tenantID string) error
	// Generation of the controller on the connection that is up; 0: none is, or it is not known yet.
	Generation() hub.Generation
	// ReportDeployedState may be tried again after an error, unless it is hub.ErrUnsupported.
	ReportDeployedState(context.Context, []hub.DeployedPool) error
}

// Connecting is to be called before each connection to the controller is opened.
func (h *Handlers) Connecting() { h.pools.Connecting() }

// PoolStatus is to be called when a pool's registration at the controller goes on; status is one of hub.Status….
func (h *Handlers) PoolStatus(pool hub.Pool, status string) { h.pools.StatusChanged(pool, status) }

// Runs are the run directories.
func (h *Handlers) Runs() *runs.Store { return h.runs }

// Pools are the resources of pools as they were seen last, with how their registration goes, sorted by tenant and pool.
func (h *Handlers) Pools() []kube.Pool { return h.pools.All() }

// WatchPools keeps registered at the controller what has a pool's custom resource, until ctx ends.
func (h *Handlers) WatchPools(ctx context.Context) { h.pools.Watch(ctx) }
