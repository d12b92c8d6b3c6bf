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
	"octo-operator/dispatch"
	"octo-operator/dispatch/queue"
	"octo-operator/handlers/check"
	"octo-operator/handlers/pools"
	"octo-operator/handlers/release"
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
	*dispatch.Dispatcher
	*pools.Pools
	releases   *release.Deployer
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
	if h.releases, err = release.New(settings, h.kubectl, set, env, program); err != nil {
		return nil, err
	}
	h.Pools = pools.New(settings, h.kubectl, controller, func(event hub.Event) error { return h.Dispatcher.Request(event, nil) }, log)
	h.Dispatcher = dispatch.New(ctx, dispatch.Options{
		Settings: settings, Capacity: capacity, Handlers: h.table(), Check: check.Event, SecretFiles: secretFiles, RemadeFiles: []string{release.ManifestFile}, FreeDisk: h.releases.Charts.Forget,
		Runs: store, Scripts: set, Kubectl: h.kubectl, Controller: controller, Log: log, Env: env, Unlock: unlock,
	})
	return h, nil
}

// table is the callbacks of the contract.
func (h *Handlers) table() map[string]dispatch.Handler {
	ps, rs := h.Pools, h.releases
	ignored := ""
	if !h.settings.AutoManagePools {
		ignored = "pools are not managed in edge mode"
	}
	pool := dispatch.Handler{Endless: ps.Tries, Ignored: ignored, OnArrival: ps.Deployed.Note, Place: poolPlace}
	workload := dispatch.Handler{Place: workloadPlace, Recover: rs.Recover, Guard: release.GuardFor}
	with := func(base dispatch.Handler, edit func(*dispatch.Handler)) dispatch.Handler { edit(&base); return base }
	return map[string]dispatch.Handler{
		hub.PoolDeployed:   with(pool, func(c *dispatch.Handler) { c.Kind, c.Run = queue.Deploy, pools.Retried(h.poolDeployed) }),
		hub.PoolUndeployed: with(pool, func(c *dispatch.Handler) { c.Kind, c.Run = queue.Undeploy, pools.Retried(h.poolUndeployed) }),
		hub.WorkloadDeploy: with(workload, func(c *dispatch.Handler) {
			c.Kind, c.Place, c.MayHaveChanged, c.Run, c.Explain, c.Undo = queue.Deploy, deployPlace, release.Installing, h.workloadDeployed, rs.Facts, rs.Undo
			c.Progress, c.Status, c.Clean = deploymentProgress, deploymentStatus, cleanDeploy
		}),
		hub.WorkloadUndeploy: with(workload, func(c *dispatch.Handler) {
			c.Kind, c.Run, c.Status = queue.Undeploy, h.workloadUndeployed, undeploymentStatus
		}),
		hub.ScaleWorkload:   with(workload, func(c *dispatch.Handler) { c.Kind, c.Run, c.Status = queue.Scale, h.scaleWorkload, scaleStatus }),
		hub.PreUpdateTenant: {Alone: true, Place: tenantPlace, Run: h.preUpdateTenant},
	}
}
