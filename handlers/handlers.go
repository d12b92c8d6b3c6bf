// Package handlers does what the controller asks for: one file per callback. Each event becomes a run directory, waits
// in its lane, and a script runs in it.
package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/runs"
	"octo-operator/scripts"
)

// Controller is what handlers tell the controller.
type Controller interface {
	RegisterPool(hub.Pool)
	UnregisterPool(hub.Pool)
	// ReregisterTenant returns when the tenant's pools are registered again, or with ctx.
	ReregisterTenant(ctx context.Context, tenantID string) error
	Report(hub.Report)
	// Generation of the controller on the connection that is up; 0: none is, or it is not known yet.
	Generation() hub.Generation
	// Withdraw drops the report of that method and key that is not delivered yet.
	Withdraw(method, key string)
	// ReportDeployedState may be tried again after an error, unless it is hub.ErrUnsupported.
	ReportDeployedState(context.Context, []hub.DeployedPool) error
}

// Handlers takes events and carries them out.
type Handlers struct {
	*dispatcher
	*pools
	releases   *releases
	settings   config.Config
	kubectl    *kube.Kubectl
	controller Controller
	runs       *runs.Store
	scripts    scripts.Set
	cluster    atomic.Pointer[error] // why it cannot be reached; nil: it can
	log        *slog.Logger
}

// New prepares the state directory for events that are carried out once, without a daemon. They run until ctx ends.
func New(ctx context.Context, settings config.Config, environ []string, controller Controller, log *slog.Logger) (*Handlers, error) {
	store, err := openStore(&settings, log)
	if err != nil {
		return nil, err
	}
	return prepare(ctx, settings, environ, store, controller, log, nil)
}

// ownProgram is os.Executable, but in tests.
var ownProgram = os.Executable

// openStore finds out where the state is kept, sets it, and opens it.
func openStore(settings *config.Config, log *slog.Logger) (*runs.Store, error) {
	dir, instead, err := runs.Dir(settings.StateDir)
	if err != nil {
		return nil, err
	}
	if instead != nil {
		log.Warn("the state is kept elsewhere than usual", "dir", dir, "reason", instead, "setting", "OPERATOR__STATEDIR")
	}
	settings.StateDir = dir
	return runs.Open(dir)
}

// prepare makes Handlers whose commands have marks in their environment besides.
func prepare(ctx context.Context, settings config.Config, environ []string, store *runs.Store, controller Controller, log *slog.Logger, unlock func() error, marks ...string) (*Handlers, error) {
	set, err := scripts.Install(settings.StateDir, settings.ScriptsDir)
	if err != nil {
		return nil, err
	}
	capacity := settings.Capacity(config.ThisMachine())
	env, err := toolEnv(environ, settings, capacity)
	if err != nil {
		return nil, err
	}
	env = append(env, marks...)
	program, err := ownProgram()
	if err != nil {
		return nil, fmt.Errorf("cannot find the operator's own program, which looks at manifests: %w", err)
	}
	socketDir := filepath.Join(settings.StateDir, "kube")
	if err := os.MkdirAll(socketDir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a directory for kubectl: %w", err)
	}
	h := &Handlers{
		settings: settings, kubectl: kube.NewKubectl(env, socketDir, log), controller: controller, runs: store, scripts: set, log: log,
	}
	if h.releases, err = newReleases(settings, h.kubectl, set, env, program, log); err != nil {
		return nil, err
	}
	h.pools = newPools(settings, h.kubectl, controller, func(event hub.Event) error { return h.dispatcher.request(event, nil) }, log)
	h.dispatcher = newDispatcher(ctx, options{
		settings: settings, capacity: capacity, handlers: h.table(), check: checkEvent, secretFiles: secretFiles, remade: []string{manifestFile}, freeDisk: h.releases.charts.forget,
		runs: store, scripts: set, kubectl: h.kubectl, controller: controller, log: log, env: env, unlock: unlock,
	})
	return h, nil
}

// table is the callbacks of the contract.
func (h *Handlers) table() map[string]handler {
	ps, rs := h.pools, h.releases
	ignored := ""
	if !h.settings.AutoManagePools {
		ignored = "pools are not managed in edge mode"
	}
	pool := handler{pool: true, ignored: ignored, tries: ps.tries, arrived: ps.deployed.note, place: poolPlace, trouble: poolTrouble}
	workload := handler{place: workloadPlace, recover: rs.recoverLeft, guarded: guarded}
	with := func(base handler, edit func(*handler)) handler { edit(&base); return base }
	return map[string]handler{
		hub.PoolDeployed:   with(pool, func(c *handler) { c.kind, c.run = deploy, h.poolDeployed }),
		hub.PoolUndeployed: with(pool, func(c *handler) { c.kind, c.run = undeploy, h.poolUndeployed }),
		hub.WorkloadDeploy: with(workload, func(c *handler) {
			c.kind, c.place, c.run, c.begun, c.undo, c.facts = deploy, deployPlace, h.workloadDeployed, installing, rs.undoDeploy, rs.facts
			c.clean, c.public, c.status, c.progress = keepManifest, withoutSecrets, deploymentStatus, deploymentProgress
		}),
		hub.WorkloadUndeploy: with(workload, func(c *handler) { c.kind, c.run, c.status = undeploy, h.workloadUndeployed, undeploymentStatus }),
		hub.ScaleWorkload:    with(workload, func(c *handler) { c.kind, c.run, c.status = scale, h.scaleWorkload, scaleStatus }),
		hub.PreUpdateTenant:  {alone: true, place: tenantPlace, run: h.preUpdateTenant},
	}
}
