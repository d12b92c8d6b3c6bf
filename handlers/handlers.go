// Package handlers does what the controller asks for: one file per callback. Each event becomes a run directory, waits
// in its lane, and a script runs in it.
package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/journal"
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
	// Ended, if set before the first event, is told of each event that has ended.
	Ended func(callback, outcome string, seconds float64)

	settings   config.Config
	runs       *runs.Store
	scripts    scripts.Set
	kubectl    *kube.Kubectl
	guard      *guard.Guard
	helm       helmVersion
	charts     *charts
	controller Controller
	leader     *journal.Leader  // nil: this operator leads
	othersLed  bool             // since this one, or an earlier life on its disk, last did
	journal    *journal.Journal // nil: events are kept on disk alone
	lanes      *lanes
	pools      *pools
	unclean    unclean
	poolTurns  poolTurns
	resumed    resumed
	accepted   accepted
	reported   reported
	recovering chan struct{}         // slots for looking after releases in which something was left
	cluster    atomic.Pointer[error] // why it cannot be reached; nil: it can
	pruner     pruner
	unkept     unkept
	log        *slog.Logger
	env        []string // of every script and command
	limits     limits   // of every script
	program    string   // the operator's own, for octo-operator look

	stopWork context.CancelFunc
	ends     atomic.Pointer[time.Time] // when the operator's last copies are to be in the cluster; nil: it does not end
	hurry    chan struct{}             // closed when what is being stopped has no time left
	hurrying sync.Once
	unlock   func() error // of the state directory; a daemon's
}

// New prepares the state directory for events that are carried out once, without a daemon. They run until ctx ends.
func New(ctx context.Context, settings config.Config, environ []string, controller Controller, log *slog.Logger) (*Handlers, error) {
	store, err := openStore(&settings, log)
	if err != nil {
		return nil, err
	}
	return prepare(ctx, settings, environ, store, controller, log)
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
func prepare(ctx context.Context, settings config.Config, environ []string, store *runs.Store, controller Controller, log *slog.Logger, marks ...string) (*Handlers, error) {
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
	ctx, stopWork := context.WithCancel(ctx)
	h := &Handlers{
		settings: settings, runs: store, scripts: set, controller: controller, log: log, env: env, limits: limitsOf(settings, capacity), program: program,
		kubectl:    kube.NewKubectl(env, socketDir, log),
		helm:       helmVersion{env: env},
		lanes:      newLanes(ctx, capacity.Slots, capacity.Most),
		recovering: make(chan struct{}, capacity.Slots),
		pools:      newPools(),
		poolTurns:  poolTurns{names: map[string]*poolTurn{}},
		reported:   reported{newest: map[string]sent{}},
		pruner:     pruner{due: make(chan struct{}, 1)},
		stopWork:   stopWork, hurry: make(chan struct{}),
	}
	h.guard = guard.New(h.kubectl, log)
	h.charts, err = openCharts(settings, env)
	return h, err
}

// toolEnv is the environment of helm and kubectl: an allowlist, because the operator's own holds secrets, and homes of
// their own, because the user's may not be writable or may hold plugins.
func toolEnv(environ []string, settings config.Config, capacity config.Capacity) ([]string, error) {
	home := filepath.Join(settings.StateDir, "helm")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a home for helm: %w", err)
	}
	env := append(exec.AllowEnv(environ, exec.DefaultEnv...),
		"HELM_CACHE_HOME="+filepath.Join(home, "cache"),
		"HELM_CONFIG_HOME="+filepath.Join(home, "config"),
		"HELM_DATA_HOME="+filepath.Join(home, "data"),
		"KUBECACHEDIR="+filepath.Join(settings.StateDir, "kube"),
		// helm and kubectl live for a second: with the default of 100 a quarter of helm's time goes into collecting garbage. Where
		// memory is short it is.
		"GOGC="+strconv.Itoa(capacity.GOGC),
	)
	if capacity.GOMemLimit > 0 {
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(capacity.GOMemLimit, 10))
	}
	for i, variable := range env {
		if home, ok := strings.CutPrefix(variable, "HOME="); ok {
			env[i] = "HOME=" + runs.Home(home, settings.StateDir)
		}
	}
	roots := settings.ExtraRoots()
	if roots == "" {
		return env, nil
	}
	// Go programs read this file and, besides, the system's certificate directory: the authority is an additional one.
	file := filepath.Join(settings.StateDir, "root-ca.pem")
	if err := os.WriteFile(file, []byte(roots), 0o600); err != nil {
		return nil, fmt.Errorf("cannot keep the root certificate for helm: %w", err)
	}
	return append(env, "SSL_CERT_FILE="+file), nil
}

// callback is how one kind of event is handled.
type callback struct {
	kind  kind
	alone bool
	pool  bool // see job
	place func(config.Config, hub.Event) (place, error)
	run   func(*Handlers, context.Context, *task) error
	// undo takes back what is left of an event that has failed for good, and adds to the failure what it has seen and done. nil:
	// nothing is left.
	undo func(h *Handlers, ctx context.Context, t *task, f *failure)
	// status is what the controller is told of an event's end; nil: the contract has nothing.
	status func(event hub.Event, success bool, message string) *report
}

func (c callback) statusOf(event hub.Event, success bool, message string) *report {
	if c.status == nil {
		return nil
	}
	return c.status(event, success, message)
}

// place says whose an event is.
type place struct {
	lane    string
	owner   string // see job
	tenant  string
	asks    ask   // of a deploy
	attrs   []any // for every log record of the run
	refused error // why the event is not carried out; nil: it is
}

// ownerOf is the same for two events only if they are one workload's or pool's: names in the cluster leave case and odd characters out.
func ownerOf(tenant, id string) string { return fmt.Sprintf("%q %q", tenant, id) }

var callbacks = map[string]callback{
	hub.PoolDeployed:     {kind: deploy, pool: true, place: poolPlace, run: (*Handlers).poolDeployed},
	hub.PoolUndeployed:   {kind: undeploy, pool: true, place: poolPlace, run: (*Handlers).poolUndeployed},
	hub.WorkloadDeploy:   {kind: deploy, place: deployPlace, run: (*Handlers).workloadDeployed, undo: (*Handlers).undoDeploy, status: deploymentStatus},
	hub.WorkloadUndeploy: {kind: undeploy, place: workloadPlace, run: (*Handlers).workloadUndeployed, status: undeploymentStatus},
	hub.ScaleWorkload:    {kind: scale, place: workloadPlace, run: (*Handlers).scaleWorkload, status: scaleStatus},
	hub.PreUpdateTenant:  {alone: true, place: tenantPlace, run: (*Handlers).preUpdateTenant},
}

func (h *Handlers) job(c callback, run *runs.Run, where place, log *slog.Logger, outcome func(runs.Result)) *job {
	if outcome == nil {
		outcome = func(runs.Result) {}
	}
	h.accepted.note(where, c.kind, run.ID)
	if where.refused != nil { // an earlier version has kept it
		c.kind, c.alone, c.undo = other, false, nil
		c.run = func(*Handlers, context.Context, *task) error { return where.refused }
	}
	return &job{
		lane: where.lane, owner: where.owner, tenant: where.tenant, kind: c.kind, alone: c.alone, pool: c.pool, asks: where.asks,
		run:        func(ctx context.Context) { outcome(h.carryOut(ctx, c, run, log)) },
		superseded: func(reason error) { outcome(h.supersede(run, log, reason)) },
	}
}
