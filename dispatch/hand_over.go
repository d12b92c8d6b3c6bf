package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
)

// handOver moves unfinished events from this disk to another operator that leads.
//
//   - While another one leads (onStandby, atTheEnd): an event with a copy in the cluster already belongs to the leader, so it is only removed here;
//     otherwise it would run twice. An event without a copy, which came while the API server could not be reached, is written to the cluster first.
//   - When this operator leads again (leaveUnfinished, forgetReports): events and reports that others have finished meanwhile are removed. An event
//     without a copy fails, because nobody knows whether a newer one has been carried out; only a tenant's update is still carried out.
type handOver struct {
	runs     *runs.Store
	journal  *copies
	acceptor *acceptor // knows the lanes of earlier lives' runs
	runner   *runner
	reports  *reports
	log      *slog.Logger

	told bool // the warning of onStandby is logged once
}

// handOverTime bounds the requests for all events together. Events that are not handed over by then stay on the disk for the next try.
const handOverTime = 10 * time.Second

// onStandby hands over what an earlier life of this standby has left on the disk. It is called again and again; the time limit is there because
// the standby must look at the Lease meanwhile.
func (h *handOver) onStandby(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	err := h.all(ctx)
	if err != nil && !h.told {
		h.told = true
		h.log.Warn("not everything is handed over to the operator that leads: tried again", "reason", err)
	}
	return err
}

// atTheEnd hands over all unfinished events of an operator that has lost the Lease. Its scripts must have ended.
func (h *handOver) atTheEnd() {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if err := h.all(ctx); err != nil {
		h.log.Warn("not everything is handed over to the operator that leads: the next life tries again", "reason", err)
	}
}

func (h *handOver) all(ctx context.Context) error {
	all, err := h.runs.List()
	errs := []error{err}
	for _, run := range all {
		errs = append(errs, h.one(ctx, run))
	}
	return errors.Join(errs...)
}

func (h *handOver) one(ctx context.Context, run *runs.Run) error {
	unfinished, report := undone(run)
	_, where, known := h.acceptor.known(run)
	if !known || !unfinished && report == nil {
		return nil
	}
	if !run.Copied() {
		if err := h.journal.HandOver(ctx, h.journal.lane(where.Lane), run, report); err != nil || !run.Copied() {
			return err // no error and no copy: the event is too large for a Secret, and waits on this disk until this operator leads
		}
	}
	if unfinished {
		return h.leave(run)
	}
	return nil // its report stays on this disk, until this operator leads again and sees whether it was delivered
}

// undone tells whether a run is unfinished. If it is finished, report is its report if that was not delivered, else nil.
func undone(run *runs.Run) (unfinished bool, report []byte) {
	if _, err := run.Result(); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	report, _ = os.ReadFile(run.Path(reportFile)) // no file: it was delivered
	return false, report
}

// leave removes an unfinished run that belongs to the leader. If this operator leads again before the run is finished, it is restored from its copy.
func (h *handOver) leave(run *runs.Run) error {
	if err := h.runs.Remove(run); err != nil {
		return fmt.Errorf("an event that another operator does may be done again here: %w", err)
	}
	h.log.Info("event left to the operator that leads", "run", run.ID, "callback", run.Callback)
	return nil
}

// leaveUnfinished removes all unfinished runs from this disk, because others have led meanwhile. Those with a copy that is still in the cluster
// are restored from it by Load. Those without a copy fail, except tenants' updates (queue.Other), which stay and are carried out.
func (h *handOver) leaveUnfinished() error {
	unfinished, err := h.runs.Unfinished()
	errs := []error{err}
	for _, run := range unfinished {
		if run.Copied() {
			errs = append(errs, h.leave(run))
		} else if c, where, known := h.acceptor.known(run); known && c.Kind != queue.Other {
			h.refuse(c, run, where)
		}
	}
	return errors.Join(errs...)
}

// errMayBeOld is the failure of an event that only the disk of an operator knew that did not lead, unless the operator that led meanwhile still
// leads and can compare. If the event were carried out, it might replace a newer version by an old one, or remove what was deployed since.
var errMayBeOld = errors.New("not carried out: the event waited on the disk of an operator that did not lead, and whether a newer one has been carried " +
	"out meanwhile is not known: send it again if it still holds")

// refuse ends an event with errMayBeOld, and reports that to the controller.
func (h *handOver) refuse(c Handler, run *runs.Run, where Place) {
	t := h.runner.newTask(c, run, h.log.With("run", run.ID).With(where.Attrs...))
	var err error
	if t.Event, err = run.Event(); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "remove the directory, if its event.json has any")
	}
	if r := c.status(t.Event, false, errMayBeOld.Error()); r != nil {
		h.reports.report(t, r)
	}
	h.runner.finish(t, time.Now(), errMayBeOld)
}

// forgetReports removes the reports on this disk that others have delivered: their runs have no copy in the cluster any more. It must be called
// after the copies are loaded; inCluster tells whether a run has one.
func (h *handOver) forgetReports(inCluster func(id string) bool) error {
	all, err := h.runs.List()
	errs := []error{err}
	for _, run := range all {
		if run.Copied() && ReportPending(run) && !inCluster(run.ID) {
			errs = append(errs, run.Remove(reportFile))
		}
	}
	return errors.Join(errs...)
}
