package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/journal"
	"octo-operator/runs"
)

// RunJournal keeps the copies in the cluster up to date, until ctx ends, and longer: until Shutdown's grace period is nearly over.
func (h *Handlers) RunJournal(ctx context.Context) {
	h.journal.Run(ctx, func() time.Duration {
		left := leastForCopies
		if ends := h.ends.Load(); ends != nil {
			left = max(left, time.Until(*ends))
		}
		return left
	})
}

// leastForCopies is what the last copies get of a grace period that is over, since what has been killed took it.
const leastForCopies = time.Second

// journalLane is a lane with the namespace in which the secrets of its events may lie: the release's own.
func (h *Handlers) journalLane(lane string) journal.Lane {
	namespace := h.settings.PoolNamespace
	if first, _, _ := strings.Cut(lane, "/"); first == h.settings.PlatformNamespace {
		namespace = first
	}
	return journal.Lane{Name: lane, Namespace: namespace}
}

// Resume takes up what an earlier life, or another operator, has accepted and not finished, in the order it came, and reports what could
// not be delivered. It is for who leads, and comes before any new event. The error is of the disk, or ctx's.
func (h *Handlers) Resume(ctx context.Context) error {
	if h.othersLed {
		if err := h.leaveUnfinished(); err != nil {
			return err
		}
	}
	for {
		err := h.journal.Load(ctx)
		if err == nil {
			break
		}
		h.log.Warn("no event is taken before it is known what is unfinished in the cluster", "reason", err)
		if err := sleep(ctx, firstRetry); err != nil {
			return err
		}
	}
	if h.othersLed {
		if err := h.forgetReports(); err != nil {
			return err
		}
	}
	if err := h.resumeReports(); err != nil {
		return err
	}
	unfinished, err := h.runs.Unfinished()
	if err != nil {
		return err
	}
	for _, run := range unfinished {
		if _, where, known := h.known(run); known && !h.resumed.has(run) {
			h.journal.Add(h.journalLane(where.lane), run)
			h.resumed.add(run)
		}
	}
	for _, lane := range h.resumed.begin() {
		h.lanes.touch(lane)
	}
	return nil
}

// found takes up an event that has come out of the cluster. One that an operator has handed over, from, may be older than what has been
// done since that one led.
func (h *Handlers) found(run *runs.Run, from string) {
	c, where, known := h.known(run)
	switch {
	case !known:
	case h.accepted.outrun(where, c.kind, run.ID):
		h.supersede(run, h.log.With("run", run.ID), errSuperseded)
		return
	case from != "" && c.kind != other && !h.accepted.allSince(from):
		h.refuseLeft(c, run)
		return
	}
	if h.resumed.add(run) {
		h.lanes.touch(run.Lane)
	}
}

// hold makes sure that the lane's work may start and would survive, and returns what was left behind in it: by an earlier life on this
// disk, or by another operator.
// The release is recovered before an event that was left makes way for a newer one: its helm may have been killed in the middle. Where
// an undeploy was left that is not needed, and would do harm: helm uninstalls a pending revision too, with all that is in it.
func (h *Handlers) hold(ctx context.Context, lane string) (older []*job, err error) {
	if err := h.leader.Wait(ctx); err != nil {
		return nil, err // the operator ends
	}
	if err := h.journal.Copied(ctx, lane); err != nil {
		return nil, err
	}
	left := h.resumed.take(lane)
	slices.SortFunc(left, func(a, b *runs.Run) int { return strings.Compare(a.ID, b.ID) })
	undeploys := false
	for _, run := range left {
		if c, where, known := h.known(run); known {
			undeploys = undeploys || c.kind == undeploy
			log := h.log.With("run", run.ID).With(where.attrs...)
			log.Info("event resumed", "callback", run.Callback)
			j := h.job(c, run, where, log, nil)
			j.begun = j.kind == deploy && installing(run)
			older = append(older, j)
		}
	}
	if len(older) > 0 {
		h.unclean.add(lane)
	}
	if len(older) > 0 && !undeploys {
		h.recoverLane(ctx, lane, left[0])
	}
	return older, nil
}

// known finds the lane of a run of an earlier life.
func (h *Handlers) known(run *runs.Run) (callback, place, bool) {
	event, err := run.Event()
	if err != nil {
		h.log.Error("run not resumed", "run", run.ID, "reason", err)
		return callback{}, place{}, false
	}
	c, known := callbacks[event.Callback]
	if !known { // of a newer version, perhaps
		h.log.Error("run not resumed", "run", run.ID, "reason", &hub.UnknownCallbackError{Name: shown(event.Callback)})
		return callback{}, place{}, false
	}
	where := h.placeOf(c, event, 0)
	run.Callback, run.Lane = event.Callback, where.lane
	return c, where, known
}

// recoverLane recovers the release of a lane in which something was left, in the directory of the oldest run.
func (h *Handlers) recoverLane(ctx context.Context, lane string, oldest *runs.Run) {
	namespace, name, _ := strings.Cut(lane, "/")
	if !h.hasReleases(namespace) {
		return // a pool or a tenant
	}
	t := &task{Run: oldest, log: h.log.With("run", oldest.ID, "release", name)}
	if err := t.open(); err != nil {
		t.log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
		return
	}
	defer t.output.Close()
	h.recovering <- struct{}{} // a backlog of thousands of lanes must not ask the API server all at once
	defer func() { <-h.recovering }()
	if r, err := h.releaseOfRun(ctx, oldest); err != nil {
		t.log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
	} else {
		_ = h.recoverAfterwards(ctx, t, r) // whoever works on it next tries again, and says so
	}
	h.pause(t)
}

// releaseOfRun finds the release of a workload's event, which is an error if it is not that workload's.
func (h *Handlers) releaseOfRun(ctx context.Context, run *runs.Run) (r release, err error) {
	event, err := run.Event()
	if err != nil {
		return r, err
	}
	w, err := hub.Decode[hub.Workload](event.Argument)
	if err == nil {
		r, err = h.locate(ctx, w)
	}
	if err == nil {
		_, err = h.owned(ctx, r, w)
	}
	return r, err
}

func (h *Handlers) hasReleases(namespace string) bool {
	return namespace == h.settings.PoolNamespace || namespace == h.settings.PlatformNamespace
}

// resumed are unfinished runs of an earlier life or another operator, by lane.
type resumed struct {
	mu     sync.Mutex
	byLane map[string][]*runs.Run
	begun  bool            // all that there was at the start is here
	copies map[string]bool // runs that have ended on this disk, of which the cluster has a copy
}

// hasCopy notes that the cluster has a copy of a run that has ended here.
func (r *resumed) hasCopy(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.copies == nil {
		r.copies = map[string]bool{}
	}
	r.copies[id] = true
}

func (r *resumed) inCluster(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.copies[id]
}

// add adds a run whose lane takes it when that is touched; now: it is to be touched now.
func (r *resumed) add(run *runs.Run) (now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byLane == nil {
		r.byLane = map[string][]*runs.Run{}
	}
	r.byLane[run.Lane] = append(r.byLane[run.Lane], run)
	return r.begun
}

func (r *resumed) has(run *runs.Run) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.byLane[run.Lane], func(other *runs.Run) bool { return other.ID == run.ID })
}

// begin returns the lanes so far.
func (r *resumed) begin() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
	return slices.Collect(maps.Keys(r.byLane))
}

func (r *resumed) take(lane string) []*runs.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.byLane[lane]
	delete(r.byLane, lane)
	return left
}

// restore puts an event from the cluster on disk. One that is here, with its result, had ended before the cluster knew.
func (h *Handlers) restore(l journal.Lane, id string, event hub.Event, notes []byte) (*runs.Run, error) {
	var run *runs.Run
	err := h.withSpace(func() (err error) { run, err = h.runs.Restore(id, event, l.Name); return err })
	if err != nil {
		return nil, err
	}
	if _, err := run.Result(); !errors.Is(err, fs.ErrNotExist) {
		h.resumed.hasCopy(id)
		return nil, nil
	}
	return run, h.withSpace(func() error { return run.Inherit(notes) })
}

// reportLeft tells the controller how an event ended that another operator has carried out.
func (h *Handlers) reportLeft(run *runs.Run, text []byte) {
	if reportPending(h.runs.Run(run.ID)) { // on this disk, too: see resumeReports
		h.resumed.hasCopy(run.ID)
		return
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil || !slices.Contains([]string{methodDeploymentStatus, methodScaleStatus}, r.Method) {
		h.log.Error("status not reported: its copy in the cluster cannot be read", "run", run.ID, "reason", err)
		h.journal.Reported(h.journalLane(run.Lane), run.ID)
		return
	}
	h.sendLeft(run, h.log.With("run", run.ID), r, func() error { return nil })
}
