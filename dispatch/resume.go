package dispatch

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

	"octo-operator/dispatch/journal"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// RunJournal keeps the copies in the cluster up to date, until ctx ends, and longer: until Shutdown's grace period is nearly over.
func (d *Dispatcher) RunJournal(ctx context.Context) {
	d.journal.Run(ctx, func() time.Duration {
		left := leastForCopies
		if ends := d.ends.Load(); ends != nil {
			left = max(left, time.Until(*ends))
		}
		return left
	})
}

// leastForCopies is the time for the last copies if killing scripts has used up the grace period.
const leastForCopies = time.Second

// Resume takes up the events that an earlier life or another operator has accepted and not finished, in the order in which they came, and sends
// the reports that were not delivered. Only the leader calls it, before any new event. The error is of the disk, or ctx's.
func (d *Dispatcher) Resume(ctx context.Context) error {
	if d.othersLed {
		if err := d.handOver.leaveUnfinished(); err != nil {
			return err
		}
	}
	for {
		err := d.journal.Load(ctx)
		if err == nil {
			break
		}
		d.log.Warn("no event is taken before it is known what is unfinished in the cluster", "reason", err)
		if err := Sleep(ctx, firstRetry); err != nil {
			return err
		}
	}
	if d.othersLed {
		if err := d.handOver.forgetReports(d.resumed.inCluster); err != nil {
			return err
		}
	}
	if err := d.reports.resume(d.runs, d.log, func(run *runs.Run) bool { _, _, known := d.known(run); return known }); err != nil {
		return err
	}
	unfinished, err := d.runs.Unfinished()
	if err != nil {
		return err
	}
	for _, run := range unfinished {
		if _, where, known := d.known(run); known && !d.resumed.has(run) {
			d.journal.Add(d.journal.lane(where.Lane), run)
			d.unfinished.add(run, where)
			d.resumed.add(run)
		}
	}
	for _, lane := range d.resumed.allFound() {
		d.lanes.Touch(lane)
	}
	return nil
}

// found takes up an event that was found in the cluster. from is the operator that has handed it over ("": none has): such an event may be older
// than what was done since that operator led.
func (d *Dispatcher) found(run *runs.Run, from string) {
	c, where, known := d.known(run)
	switch {
	case !known:
	case d.accepted.superseded(where, c.Kind, run.ID, from != ""):
		d.runner.supersede(c, run, d.log.With("run", run.ID), queue.ErrSuperseded)
		return
	case from != "" && c.Kind == queue.Scale && d.accepted.newer(where, queue.Deploy, false, run.ID, true): // which may have put it to sleep
		d.handOver.refuse(c, run, where)
		return
	case from != "" && c.Kind != queue.Other && !d.accepted.allSince(from):
		d.handOver.refuse(c, run, where)
		return
	}
	if known { // else nothing here would ever end it
		d.unfinished.add(run, where)
	}
	if d.resumed.add(run) {
		d.lanes.Touch(run.Lane)
	}
}

// prepareLane makes sure that work in the lane may start and would survive a crash, and returns the runs that an earlier life on this disk, or
// another operator, has left in it.
// A release whose helm may have been killed is recovered before a newer event replaces the run that was left. Not if an undeploy was left: helm
// uninstalls a pending revision with all that is in it, and recovering would remove that revision first.
func (d *Dispatcher) prepareLane(ctx context.Context, lane string, waits func(queue.Wait)) (older []*queue.Job, err error) {
	if err := d.runner.mayWork(ctx, waits); err != nil {
		return nil, err // the operator ends
	}
	if d.journal.Behind(lane) {
		waits(forCopy)
	}
	if err := d.journal.Copied(ctx, lane); err != nil {
		return nil, err
	}
	left := d.resumed.takeLane(lane)
	slices.SortFunc(left, func(a, b *runs.Run) int { return strings.Compare(a.ID, b.ID) })
	undeploys := false
	for _, run := range left {
		if c, where, known := d.known(run); known {
			undeploys = undeploys || c.Kind == queue.Undeploy
			log := d.log.With("run", run.ID).With(where.Attrs...)
			log.Info("event resumed", "callback", run.Callback)
			d.unfinished.add(run, where).note(runs.Moment{Kind: runs.KindResumed})
			j := d.job(c, run, where, log, nil)
			j.MayHaveChanged = j.Kind == queue.Deploy && c.mayHaveChanged(run)
			older = append(older, j)
		}
	}
	if len(older) > 0 {
		d.runner.pending.set(lane, true)
	}
	if len(older) > 0 && !undeploys {
		d.recoverLane(ctx, left[0])
	}
	return older, nil
}

// What a lane's events wait for before they may start.
var (
	forLeader = queue.Wait{For: runs.WaitLeader, Text: "the Lease that says that this operator leads could not be renewed"}
	forCopy   = queue.Wait{For: runs.WaitCopy, Text: "a copy in the cluster, so that the event survives the loss of this disk"}
)

// recoverLane lets the handler of a lane's oldest run, which was left, make usable what that may have been killed at.
func (d *Dispatcher) recoverLane(ctx context.Context, oldest *runs.Run) {
	c, where, known := d.known(oldest)
	if !known || c.Recover == nil || where.refused != nil {
		return
	}
	t := d.NewTask(c, oldest, d.log.With("run", oldest.ID).With(where.Attrs...))
	err := t.open()
	if err == nil {
		defer t.Output.Close()
		d.recovering <- struct{}{} // a backlog of thousands of lanes must not ask the API server all at once
		defer func() { <-d.recovering }()
		err = c.Recover(ctx, t)
		t.pause()
	}
	if err != nil {
		t.Log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
	}
}

// resumed are the unfinished runs of an earlier life or of another operator, by lane.
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

// add adds a run. now: its lane must be touched now, because the start is over.
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

// allFound is called when all runs that are unfinished at the start were added. It returns their lanes.
func (r *resumed) allFound() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
	return slices.Collect(maps.Keys(r.byLane))
}

// takeLane removes the runs of a lane, and returns them.
func (r *resumed) takeLane(lane string) []*runs.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.byLane[lane]
	delete(r.byLane, lane)
	return left
}

// restore writes an event from the cluster to this disk. If the run is here with its result, it ended before the cluster knew: then nil is
// returned.
func (d *Dispatcher) restore(l journal.Lane, id string, event hub.Event, notes []byte) (*runs.Run, error) {
	var run *runs.Run
	err := d.disk.write(func() (err error) { run, err = d.runs.Restore(id, event, l.Name); return err })
	if err != nil {
		return nil, err
	}
	if _, err := run.Result(); !errors.Is(err, fs.ErrNotExist) {
		d.resumed.hasCopy(id)
		return nil, nil
	}
	return run, d.disk.write(func() error { return run.RestoreCrashNotes(notes) })
}

// reportLeft sends the report of an event that another operator has carried out.
func (d *Dispatcher) reportLeft(run *runs.Run, text []byte) {
	if ReportPending(d.runs.Run(run.ID)) { // on this disk, too: see reports.resume
		d.resumed.hasCopy(run.ID)
		return
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil || !slices.Contains([]string{MethodDeploymentStatus, MethodScaleStatus}, r.Method) {
		d.log.Error("status not reported: its copy in the cluster cannot be read", "run", run.ID, "reason", err, "next", "the controller shows the old one until the next event")
		d.journal.Reported(d.journal.lane(run.Lane), run.ID)
		return
	}
	d.reports.sendOlder(run, d.log.With("run", run.ID), r, func() error { return nil })
}
