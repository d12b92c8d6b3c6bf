package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"octo-operator/hub"
	"octo-operator/journal"
	"octo-operator/runs"
)

// openJournal lets unfinished events survive in the cluster, and brings those to their end that another operator has left
// behind.
func (h *Handlers) openJournal(identity string) {
	if !h.settings.ClusterJournal {
		return
	}
	namespaces := []string{h.settings.PoolNamespace}
	if p := h.settings.PlatformNamespace; p != "" && p != h.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	h.journal = journal.New(h.kubectl, journal.Options{
		Identity: identity, Controller: h.settings.ControllerURI, Key: h.settings.Authentication.ClientSecret,
		Namespaces: namespaces, LeaseIn: h.settings.PoolNamespace,
		Restore: h.restore, Report: h.reportLeft, Found: h.lanes.touch, Lost: h.lanes.lose,
	}, h.log)
	h.lanes.hold = h.hold
}

// RunJournal keeps the copies in the cluster up to date, until ctx ends.
func (h *Handlers) RunJournal(ctx context.Context) { h.journal.Run(ctx) }

// journalLane is a lane with the namespace in which the secrets of its events may lie: the release's own.
func (h *Handlers) journalLane(lane string) journal.Lane {
	namespace := h.settings.PoolNamespace
	if first, _, _ := strings.Cut(lane, "/"); first == h.settings.PlatformNamespace {
		namespace = first
	}
	return journal.Lane{Name: lane, Namespace: namespace}
}

// hold makes a lane ours, and returns what was left behind in it.
func (h *Handlers) hold(ctx context.Context, lane string) (older []*job, err error) {
	left, err := h.journal.Hold(ctx, lane)
	for _, run := range left {
		c, where, known := h.known(run)
		if !known {
			continue
		}
		h.deaths.add(lane, window{run.Created(), time.Now()})
		log := h.log.With("run", run.ID).With(where.attrs...)
		log.Info("event of another operator resumed", "callback", run.Callback)
		older = append(older, h.job(c, run, where, log, nil))
	}
	return older, err
}

// restore puts an event from the cluster on disk. One that is here, with its result, had ended before the cluster knew.
func (h *Handlers) restore(l journal.Lane, id string, event hub.Event) (*runs.Run, error) {
	run, err := h.runs.Restore(id, event, l.Name)
	if err != nil {
		return nil, err
	}
	if _, err := run.Result(); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return run, nil
}

// reportLeft tells the controller how an event ended that another operator has carried out.
func (h *Handlers) reportLeft(run *runs.Run, text []byte) {
	var r report
	if err := json.Unmarshal(text, &r); err != nil || !slices.Contains([]string{methodDeploymentStatus, methodScaleStatus}, r.Method) {
		h.log.Error("status not reported: its copy in the cluster cannot be read", "run", run.ID, "reason", err)
		h.journal.Reported(h.journalLane(run.Lane), run.ID)
		return
	}
	h.send(run, h.log.With("run", run.ID), r, func() error { return nil })
}
