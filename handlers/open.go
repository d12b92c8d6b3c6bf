package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/handlers/check"
	"octo-operator/handlers/pools"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// Open locks and prepares the state directory for a daemon, and stops the processes that the daemon's last life has left running. environ is the
// operator's environment, as from os.Environ. The error is runs.ErrLocked while another operator has the directory.
func Open(settings config.Config, environ []string, controller Controller, log *slog.Logger) (*Handlers, error) {
	store, err := openStore(&settings, log)
	if err != nil {
		return nil, err
	}
	unlock, err := store.Lock()
	if err != nil {
		return nil, err
	}
	h, err := openLocked(settings, environ, store, controller, unlock, log)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	log.Info("state directory opened", "dir", h.settings.StateDir)
	return h, nil
}

// New prepares the state directory for single events, without a daemon. They run until ctx ends.
func New(ctx context.Context, settings config.Config, environ []string, controller Controller, log *slog.Logger) (*Handlers, error) {
	store, err := openStore(&settings, log)
	if err != nil {
		return nil, err
	}
	return assemble(ctx, settings, environ, store, controller, log, nil)
}

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

// orphanGrace is the time that a helm of the killed last life gets to end by itself. It is short, because the event is run again anyway and waits
// for that.
const orphanGrace = 3 * time.Second

// openLocked is Open with the lock on the state directory.
func openLocked(settings config.Config, environ []string, store *runs.Store, controller Controller, unlock func() error, log *slog.Logger) (*Handlers, error) {
	identity, isNew, err := store.Identity()
	if err != nil {
		return nil, err
	}
	// Whatever the daemon starts has this in its environment, so that its next life finds it, however this one ends.
	mark := "OCTO_DAEMON=" + identity
	h, err := assemble(context.Background(), settings, environ, store, controller, log, unlock, mark)
	if err != nil {
		return nil, err
	}
	if !isNew { // else nobody can have the mark, and a look at all processes takes 10 ms
		if err := exec.KillMarked(mark, orphanGrace); err != nil {
			log.Warn("processes of the earlier life not stopped", "reason", err, "next", "they may still change the cluster: end them, or replace the pod")
		}
	}
	if err := store.Tidy(secretFiles...); err != nil {
		log.Warn("what the earlier life left is not tidied up", "reason", err, "next", "the next start tries again")
	}
	h.OpenJournal(identity)
	return h, nil
}

// secretFiles are in the run directory for the time of the run alone. Of the manifest, see release.RedactManifest.
var secretFiles = []string{"secret.yaml", "registry.json", "repositories.yaml", "repository-cache", release.HookSecretsFile, dispatch.KubeconfigFile}

// ownProgram is os.Executable, but in tests.
var ownProgram = os.Executable

// assemble puts Handlers together. Their commands get toolEnv and marks as environment. unlock unlocks the state directory; nil: this is not a
// daemon.
func assemble(ctx context.Context, settings config.Config, environ []string, store *runs.Store, controller Controller, log *slog.Logger, unlock func() error, marks ...string) (*Handlers, error) {
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
		settings: settings, cluster: kube.NewClient(env, socketDir, log), controller: controller, runs: store, scripts: set, log: log,
	}
	if h.releases, err = release.New(settings, h.cluster, set, env, program); err != nil {
		return nil, err
	}
	h.pools = pools.New(settings, h.cluster, controller, func(event hub.Event) error { return h.Request(event, nil) }, log)
	h.Dispatcher = dispatch.New(ctx, dispatch.Options{
		Settings: settings, Capacity: capacity, Runs: store, Scripts: set, Cluster: h.cluster, Controller: controller, Log: log, Env: env, Unlock: unlock,
		Handlers: h.table(), Check: check.Event,
		SecretFiles: secretFiles, RemadeFiles: []string{release.ManifestFile}, FreeDisk: h.releases.Charts.Forget,
	})
	return h, nil
}
