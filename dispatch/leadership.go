package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"octo-operator/dispatch/journal"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
)

// OpenJournal makes this operator take part in the election of a leader, and copies its unfinished events to the cluster. identity is the
// operator's: see runs.Store.Identity.
func (d *Dispatcher) OpenJournal(identity string) {
	d.lanes.Prepare = d.prepareLane
	if !d.settings.ClusterJournal {
		return
	}
	host, _ := os.Hostname() // for people
	d.leader = journal.NewLeader(d.cluster, journal.LeaderOptions{
		Identity: identity, Host: host, Controller: d.settings.ControllerURI, Namespace: d.settings.PoolNamespace,
	}, d.log)
	namespaces := []string{d.settings.PoolNamespace}
	if p := d.settings.PlatformNamespace; p != "" && p != d.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	d.journal.Journal = journal.New(d.cluster, journal.Options{
		Controller: d.settings.ControllerURI, Identity: identity, Key: d.settings.Authentication.ClientSecret, Namespaces: namespaces,
		MayWrite: d.leader.MayStart, Restore: d.restore, Report: d.reportLeft, Found: d.found,
	}, d.log)
}

// Lead returns when this operator leads. Until then nothing starts, and unfinished events of an earlier life on this disk are handed over to the
// leader. The error is ctx's.
func (d *Dispatcher) Lead(ctx context.Context) error {
	replaced, err := d.leader.Lead(ctx, d.handOverOnStandby)
	d.othersLed, d.accepted.after = replaced != "", replaced
	if d.leader.Alone() {
		d.journal.Journal = nil
	}
	return err
}

// handOverOnStandby is handOver, with a limit, so that one request that hangs does not keep a standby from looking who leads.
func (d *Dispatcher) handOverOnStandby(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	err := d.handOver(ctx)
	if err != nil && !d.toldHandOver {
		d.toldHandOver = true
		d.log.Warn("not everything is handed over to the operator that leads: tried again", "reason", err)
	}
	return err
}

// KeepLeading renews the Lease until ctx ends. An error means that the operator is to Yield and then to start again: another one may lead.
func (d *Dispatcher) KeepLeading(ctx context.Context) error { return d.leader.Keep(ctx) }

// Leads tells whether this operator leads. If not, who is the host name of the leader; "": not known.
func (d *Dispatcher) Leads() (leads bool, who string) { return d.leader.Leads() }

// MayStart tells whether work may start: this operator leads, and nobody else can.
func (d *Dispatcher) MayStart() bool { return d.leader.MayStart() }

// releaseTime bounds the request that gives up the Lease. It is not part of the grace period: otherwise an operator that has used it up for its
// copies would keep its successor waiting.
const releaseTime = 500 * time.Millisecond

// GiveUpLease lets another operator lead. Call it when nothing runs any more and the last copies are written.
func (d *Dispatcher) GiveUpLease() {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	d.leader.Release(ctx)
}

// handOverTime is what the API server gets to take what is handed over. What it has not taken by then the next life hands over.
const handOverTime = 10 * time.Second

// Yield stops all work, because another operator leads, and hands over what that one cannot know of. What runs is killed: a helm that is
// told to end would write down how, over what the other operator's helm has written meanwhile.
func (d *Dispatcher) Yield() {
	d.journal.Stop()
	d.lanes.Shut()
	d.Abort()
	d.lanes.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if err := d.handOver(ctx); err != nil {
		d.log.Warn("not everything is handed over to the operator that leads: the next life tries again", "reason", err)
	}
}

// handOver leaves to the operator that leads what is not done on this disk. What the cluster has a copy of is that operator's already:
// done again it would run twice. What came while this operator led and could not reach the API server nobody else knows of.
func (d *Dispatcher) handOver(ctx context.Context) error {
	all, err := d.runs.List()
	errs := []error{err}
	for _, run := range all {
		errs = append(errs, d.handOverRun(ctx, run))
	}
	return errors.Join(errs...)
}

func (d *Dispatcher) handOverRun(ctx context.Context, run *runs.Run) error {
	unfinished, report := d.undone(run)
	_, where, known := d.known(run)
	if !known || !unfinished && report == nil {
		return nil
	}
	if !run.Copied() {
		if err := d.journal.HandOver(ctx, d.journal.lane(where.Lane), run, report); err != nil || !run.Copied() {
			return err // without one it fits into no Secret, and waits on this disk until this operator leads
		}
	}
	if unfinished {
		return d.leaveToOthers(run)
	}
	return nil // its report stays on this disk, until this operator leads again and sees whether it was delivered
}

// undone tells what there is still to do of a run: all of it, or to deliver its report.
func (d *Dispatcher) undone(run *runs.Run) (unfinished bool, report []byte) {
	if _, err := run.Result(); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	report, _ = os.ReadFile(run.Path(reportFile)) // none: it was delivered
	return false, report
}

// leaveToOthers takes an unfinished run that another operator does off this disk. Its directory tells only how far it came here; and the run may come
// back, when this operator leads again.
func (d *Dispatcher) leaveToOthers(run *runs.Run) error {
	if err := d.runs.Remove(run); err != nil {
		return fmt.Errorf("an event that another operator does may be done again here: %w", err)
	}
	d.log.Info("event left to the operator that leads", "run", run.ID, "callback", run.Callback)
	return nil
}

// leaveUnfinished takes off this disk what is unfinished on it, since others have led meanwhile. What is still to be done of what the cluster
// has had a copy of comes back with its copy; nobody else knows of the rest.
func (d *Dispatcher) leaveUnfinished() error {
	unfinished, err := d.runs.Unfinished()
	errs := []error{err}
	for _, run := range unfinished {
		if run.Copied() {
			errs = append(errs, d.leaveToOthers(run))
		} else if c, _, known := d.known(run); known && c.Kind != queue.Other {
			d.refuseLeft(c, run)
		}
	}
	return errors.Join(errs...)
}

// errMayBeOld ends an event that was on the disk of an operator that did not lead and nowhere else, unless whoever led meanwhile leads still.
// Carried out, it might put an old version over a newer one, or remove what was deployed since.
var errMayBeOld = errors.New("not carried out: the event waited on the disk of an operator that did not lead, and whether a newer one has been carried " +
	"out meanwhile is not known: send it again if it still holds")

func (d *Dispatcher) refuseLeft(c Handler, run *runs.Run) {
	t := d.NewTask(c, run, d.log.With("run", run.ID))
	var err error
	if t.Event, err = run.Event(); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "remove the directory, if its event.json has any")
	}
	if r := c.status(t.Event, false, errMayBeOld.Error()); r != nil {
		d.reports.report(t, r)
	}
	d.runner.finish(t, time.Now(), errMayBeOld)
}

// forgetReports drops the reports on this disk that others have delivered: the cluster has no copy any more. It comes after Load.
func (d *Dispatcher) forgetReports() error {
	all, err := d.runs.List()
	errs := []error{err}
	for _, run := range all {
		if run.Copied() && ReportPending(run) && !d.resumed.inCluster(run.ID) {
			errs = append(errs, run.Remove(reportFile))
		}
	}
	return errors.Join(errs...)
}

// accepted is the newest event of each kind that this life has queued for a workload or pool, of the last so many of them.
type accepted struct {
	mu             sync.Mutex
	after          string // the operator that led before, since when all is known; "": not all is, since whoever led
	newest, before map[acceptedKind]acceptedEvent
}

type acceptedKind struct {
	lane, subject  string // another workload's event, which has the same release name, takes no place of this one's
	kind           queue.Kind
	reconciliation bool // of a deploy
}

type acceptedEvent struct {
	id   string // of its run; ids of one machine sort in the order of the events
	wire bool   // the controller has sent it to this life: it is newer than all that others hand over, whatever their clocks say
}

// maxAccepted bounds what is remembered, twice: tenants may ask for any number of releases. What is handed over is some seconds old.
const maxAccepted = 5000

func (a *accepted) note(where Place, k queue.Kind, id string, wire bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil || len(a.newest) >= maxAccepted {
		if a.before != nil {
			a.after = "" // some are forgotten
		}
		a.newest, a.before = map[acceptedKind]acceptedEvent{}, a.newest
	}
	key := acceptedKind{where.Lane, where.Subject, k, where.Asks.Reconciliation}
	last := a.last(key)
	a.newest[key] = acceptedEvent{max(last.id, id), last.wire || wire}
}

// last is zero where there is none. a.mu is held.
func (a *accepted) last(key acceptedKind) acceptedEvent {
	if event, has := a.newest[key]; has {
		return event
	}
	return a.before[key]
}

// allSince tells whether all is known that was accepted since an operator led.
func (a *accepted) allSince(operator string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return operator == a.after
}

// superseded tells whether a newer event has made this one pointless: it may have been done already. A scaling counts after a newer deploy
// too: what was scaled stays scaled. So does what a user has asked for after what the controller has sent again: that may say less.
// handedOver: another operator has accepted it.
func (a *accepted) superseded(where Place, k queue.Kind, id string, handedOver bool) bool {
	newer := func(k queue.Kind, reconciliation bool) bool { return a.newer(where, k, reconciliation, id, handedOver) }
	switch k {
	case queue.Deploy:
		return newer(queue.Undeploy, false) || newer(queue.Deploy, false) || where.Asks.Reconciliation && newer(queue.Deploy, true)
	case queue.Undeploy:
		return newer(queue.Undeploy, false) || newer(queue.Deploy, false) || newer(queue.Deploy, true)
	case queue.Scale:
		return newer(queue.Undeploy, false) || newer(queue.Scale, false)
	}
	return false
}

// newer tells whether an event of that kind was accepted after the event with that run id.
func (a *accepted) newer(where Place, k queue.Kind, reconciliation bool, id string, handedOver bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.last(acceptedKind{where.Lane, where.Subject, k, reconciliation})
	return last.id > id || handedOver && last.wire
}
