package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"octo-operator/config"
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
	h.openJournal(identity)
	return h, nil
}

// orphanGrace is what the helm of a killed life gets to end by itself. It is short: the event is run again anyway, and waits.
const orphanGrace = 3 * time.Second

// Wait returns when nothing is queued or running.
func (d *dispatcher) Wait() {
	d.lanes.wait()
	d.guard.Close()
	d.kubectl.Close()
}

// Shutdown ends the daemon's work within grace: nothing new starts, short work ends by itself, and long work is stopped so
// that the next life resumes it.
func (d *dispatcher) Shutdown(grace time.Duration) {
	ends := time.Now().Add(grace * 9 / 10)
	d.ends.Store(&ends)
	d.lanes.shut()
	soft := time.AfterFunc(grace/2, d.stopWork)
	hard := time.AfterFunc(grace*8/10, d.Hurry)
	d.lanes.wait()
	soft.Stop()
	hard.Stop()
	d.stopWork()
}

// Hurry kills what does not stop by itself, at once.
func (d *dispatcher) Hurry() {
	d.hurrying.Do(func() { close(d.hurry) })
}

// Abort kills whatever runs.
func (d *dispatcher) Abort() {
	d.Hurry()
	d.stopWork()
}

// Close gives up what the daemon holds. To be called when nothing works any more.
func (d *dispatcher) Close() error {
	d.guard.Close()
	d.kubectl.Close()
	if err := d.unlock(); err != nil {
		return fmt.Errorf("cannot give up the state directory: %w", err)
	}
	return nil
}
