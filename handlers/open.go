package handlers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/runs"
)

// Open prepares the state directory for a daemon, whose own it becomes, and stops what an earlier life has left running.
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

func openLocked(settings config.Config, environ []string, store *runs.Store, controller Controller, unlock func() error, log *slog.Logger) (*Handlers, error) {
	identity, isNew, err := store.Identity()
	if err != nil {
		return nil, err
	}
	// Whatever the daemon starts has this in its environment, so that its next life finds it, however this one ends.
	mark := "OCTO_DAEMON=" + identity
	h, err := prepare(context.Background(), settings, environ, store, controller, log, unlock, mark)
	if err != nil {
		return nil, err
	}
	if !isNew { // else nobody can have the mark, and a look at all processes takes 10 ms
		if err := exec.KillMarked(mark, orphanGrace); err != nil {
			log.Warn("processes of the earlier life not stopped", "reason", err)
		}
	}
	if err := store.Tidy(secretFiles...); err != nil {
		log.Warn("what the earlier life left is not tidied up", "reason", err)
	}
	h.OpenJournal(identity)
	return h, nil
}

// orphanGrace is what the helm of a killed life gets to end by itself. It is short: the event is run again anyway, and waits.
const orphanGrace = 3 * time.Second

// secretFiles are in the run directory for the time of the run alone. Of the manifest, see release.RedactManifest.
var secretFiles = []string{"secret.yaml", "registry.json", "repositories.yaml", "repository-cache", dispatch.KubeconfigFile}
