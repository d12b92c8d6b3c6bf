package handlers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"octo-operator/journal"
	"octo-operator/runs"
)

// openJournal lets one of several operators work, and unfinished events survive in the cluster.
func (h *Handlers) openJournal(identity string) {
	h.lanes.hold = h.hold
	if !h.settings.ClusterJournal {
		return
	}
	host, _ := os.Hostname() // for people
	h.leader = journal.NewLeader(h.kubectl, journal.LeaderOptions{
		Identity: identity, Host: host, Controller: h.settings.ControllerURI, Namespace: h.settings.PoolNamespace,
	}, h.log)
	namespaces := []string{h.settings.PoolNamespace}
	if p := h.settings.PlatformNamespace; p != "" && p != h.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	h.journal = journal.New(h.kubectl, journal.Options{
		Controller: h.settings.ControllerURI, Identity: identity, Key: h.settings.Authentication.ClientSecret, Namespaces: namespaces,
		MayWrite: h.leader.MayStart, Restore: h.restore, Report: h.reportLeft, Found: h.found,
	}, h.log)
}

// Lead returns when this operator leads: until then it connects to nothing and starts nothing, and what an earlier life has left on its
// disk is handed over to the operator that leads. The error is ctx's.
func (h *Handlers) Lead(ctx context.Context) error {
	replaced, err := h.leader.Lead(ctx, h.handOver)
	h.othersLed, h.accepted.after = replaced != "", replaced
	if h.leader.Alone() {
		h.journal = nil
	}
	return err
}

// KeepLeading renews the Lease until ctx ends. An error means that the operator is to Yield and then to start again: another one may lead.
func (h *Handlers) KeepLeading(ctx context.Context) error { return h.leader.Keep(ctx) }

// Leads tells whether this operator leads; if it does not, who is who does, for people: "" if that is not known.
func (h *Handlers) Leads() (leads bool, who string) { return h.leader.Leads() }

// MayStart tells whether work may start: this operator leads, and nobody else can.
func (h *Handlers) MayStart() bool { return h.leader.MayStart() }

// releaseTime is what the API server gets to give the Lease up. It is not part of the grace period: an operator that has none left for its
// copies would also keep its successor waiting.
const releaseTime = 500 * time.Millisecond

// Release lets another operator lead. To be called when nothing works any more and the last copies are written.
func (h *Handlers) Release() {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	h.leader.Release(ctx)
}

// handOverTime is what the API server gets to take what is handed over. What it has not taken by then the next life hands over.
const handOverTime = 10 * time.Second

// Yield stops all work, because another operator leads, and hands over what that one cannot know of. What runs is killed: a helm that is
// told to end would write down how, over what the other operator's helm has written meanwhile.
func (h *Handlers) Yield() {
	h.journal.Stop()
	h.lanes.shut()
	h.Abort()
	h.lanes.wait()
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if err := h.handOver(ctx); err != nil {
		h.log.Warn("not everything is handed over to the operator that leads: the next life tries again", "reason", err)
	}
}

// handOver leaves to the operator that leads what is not done on this disk. What the cluster has a copy of is that operator's already:
// done again it would run twice. What came while this operator led and could not reach the API server nobody else knows of.
func (h *Handlers) handOver(ctx context.Context) error {
	all, err := h.runs.List()
	errs := []error{err}
	for _, run := range all {
		errs = append(errs, h.handOverRun(ctx, run))
	}
	return errors.Join(errs...)
}

func (h *Handlers) handOverRun(ctx context.Context, run *runs.Run) error {
	unfinished, report := h.undone(run)
	_, where, known := h.known(run)
	if !known || !unfinished && report == nil {
		return nil
	}
	if !run.Copied() {
		if err := h.journal.HandOver(ctx, h.journalLane(where.lane), run, report); err != nil || !run.Copied() {
			return err // without one it fits into no Secret, and waits on this disk until this operator leads
		}
	}
	if unfinished {
		return h.leaveToOthers(run)
	}
	return nil // its report stays on this disk, until this operator leads again and sees whether it was delivered
}

// undone tells what there is still to do of a run: all of it, or to deliver its report.
func (h *Handlers) undone(run *runs.Run) (unfinished bool, report []byte) {
	if _, err := run.Result(); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	report, _ = os.ReadFile(run.Path(reportFile)) // none: it was delivered
	return false, report
}

// leaveToOthers takes an unfinished run that another operator does off this disk. Its directory tells only how far it came here; and the run may come
// back, when this operator leads again.
func (h *Handlers) leaveToOthers(run *runs.Run) error {
	if err := h.runs.Remove(run); err != nil {
		return fmt.Errorf("an event that another operator does may be done again here: %w", err)
	}
	h.log.Info("event left to the operator that leads", "run", run.ID, "callback", run.Callback)
	return nil
}

// leaveUnfinished takes off this disk what is unfinished on it, since others have led meanwhile. What is still to be done of what the cluster
// has had a copy of comes back with its copy; nobody else knows of the rest.
func (h *Handlers) leaveUnfinished() error {
	unfinished, err := h.runs.Unfinished()
	errs := []error{err}
	for _, run := range unfinished {
		if run.Copied() {
			errs = append(errs, h.leaveToOthers(run))
		} else if c, _, known := h.known(run); known && c.kind != other {
			h.refuseLeft(c, run)
		}
	}
	return errors.Join(errs...)
}

// errMayBeOld ends an event that was on the disk of an operator that did not lead and nowhere else, unless whoever led meanwhile leads still.
// Carried out, it might put an old version over a newer one, or remove what was deployed since.
var errMayBeOld = errors.New("not carried out: the event waited on the disk of an operator that did not lead, and whether a newer one has been carried " +
	"out meanwhile is not known: send it again if it still holds")

func (h *Handlers) refuseLeft(c callback, run *runs.Run) {
	t := &task{Run: run, log: h.log.With("run", run.ID), exitCode: -1}
	var err error
	if t.event, err = run.Event(); err != nil {
		t.log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
	if r := c.statusOf(t.event, false, errMayBeOld.Error()); r != nil {
		h.report(t, r)
	}
	h.finish(t, time.Now(), errMayBeOld)
}

// forgetReports drops the reports on this disk that others have delivered: the cluster has no copy any more. It comes after Load.
func (h *Handlers) forgetReports() error {
	all, err := h.runs.List()
	errs := []error{err}
	for _, run := range all {
		if run.Copied() && reportPending(run) && !h.resumed.inCluster(run.ID) {
			errs = append(errs, run.Remove(reportFile))
		}
	}
	return errors.Join(errs...)
}

// accepted is the newest event of each kind that this life has queued for a workload or pool, of the last so many of them.
type accepted struct {
	mu             sync.Mutex
	after          string                  // the operator that led before, since when all is known; "": not all is, since whoever led
	newest, before map[acceptedKind]string // its run's id; ids sort in the order of the events
}

type acceptedKind struct {
	lane, owner    string // another workload's event, which has the same release name, takes no place of this one's
	kind           kind
	reconciliation bool // of a deploy
}

// maxAccepted bounds what is remembered, twice: tenants may ask for any number of releases. What is handed over is some seconds old.
const maxAccepted = 5000

func (a *accepted) note(where place, k kind, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil || len(a.newest) >= maxAccepted {
		if a.before != nil {
			a.after = "" // some are forgotten
		}
		a.newest, a.before = map[acceptedKind]string{}, a.newest
	}
	key := acceptedKind{where.lane, where.owner, k, where.asks.reconciliation}
	a.newest[key] = max(a.newest[key], a.before[key], id)
}

// allSince tells whether all is known that was accepted since an operator led.
func (a *accepted) allSince(operator string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return operator == a.after
}

// outrun tells whether a newer event has made this one pointless: it may have been done already. A scaling counts after a newer deploy
// too: what was scaled stays scaled. So does what a user has asked for after what the controller has sent again: that may say less.
func (a *accepted) outrun(where place, k kind, id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	newer := func(k kind, reconciliation bool) bool {
		key := acceptedKind{where.lane, where.owner, k, reconciliation}
		return max(a.newest[key], a.before[key]) > id
	}
	switch k {
	case deploy:
		return newer(undeploy, false) || newer(deploy, false) || where.asks.reconciliation && newer(deploy, true)
	case undeploy:
		return newer(undeploy, false) || newer(deploy, false) || newer(deploy, true)
	case scale:
		return newer(undeploy, false) || newer(scale, false)
	}
	return false
}
