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

// handOver is between this disk and the other operators. While another one leads, all that is not done here is left to it: what the cluster has a
// copy of is that operator's already, and done again it would run twice; what came while this operator led and could not reach the API server
// nobody else knows of. Once this operator leads after others, what they have done meanwhile, or may have, is not done again: leaveUnfinished
// and forgetReports.
type handOver struct {
	runs     *runs.Store
	journal  *copies
	acceptor *acceptor // knows the lanes of earlier lives' runs
	runner   *runner
	reports  *reports
	log      *slog.Logger

	told bool // that not everything could be handed over by a standby
}

// handOverTime is what the API server gets to take what is handed over. What it has not taken by then the next life hands over.
const handOverTime = 10 * time.Second

// onStandby is all, for a standby that finds what an earlier life has left. The limit of its time keeps one request that hangs from keeping it
// from looking who leads.
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

// atTheEnd is all, for an operator that has lost the Lease. Nothing runs any more.
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
			return err // without one it fits into no Secret, and waits on this disk until this operator leads
		}
	}
	if unfinished {
		return h.leave(run)
	}
	return nil // its report stays on this disk, until this operator leads again and sees whether it was delivered
}

// undone tells what there is still to do of a run: all of it, or to deliver its report.
func undone(run *runs.Run) (unfinished bool, report []byte) {
	if _, err := run.Result(); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	report, _ = os.ReadFile(run.Path(reportFile)) // none: it was delivered
	return false, report
}

// leave takes an unfinished run that another operator does off this disk. Its directory tells only how far it came here; and the run may come
// back, when this operator leads again.
func (h *handOver) leave(run *runs.Run) error {
	if err := h.runs.Remove(run); err != nil {
		return fmt.Errorf("an event that another operator does may be done again here: %w", err)
	}
	h.log.Info("event left to the operator that leads", "run", run.ID, "callback", run.Callback)
	return nil
}

// leaveUnfinished takes off this disk what is unfinished on it, since others have led meanwhile. What is still to be done of what the cluster
// has had a copy of comes back with its copy; nobody else knows of the rest.
func (h *handOver) leaveUnfinished() error {
	unfinished, err := h.runs.Unfinished()
	errs := []error{err}
	for _, run := range unfinished {
		if run.Copied() {
			errs = append(errs, h.leave(run))
		} else if c, _, known := h.acceptor.known(run); known && c.Kind != queue.Other {
			h.refuse(c, run)
		}
	}
	return errors.Join(errs...)
}

// errMayBeOld ends an event that was on the disk of an operator that did not lead and nowhere else, unless whoever led meanwhile leads still.
// Carried out, it might put an old version over a newer one, or remove what was deployed since.
var errMayBeOld = errors.New("not carried out: the event waited on the disk of an operator that did not lead, and whether a newer one has been carried " +
	"out meanwhile is not known: send it again if it still holds")

// refuse ends an event that may be old, which the controller is told.
func (h *handOver) refuse(c Handler, run *runs.Run) {
	t := h.runner.newTask(c, run, h.log.With("run", run.ID))
	var err error
	if t.Event, err = run.Event(); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "remove the directory, if its event.json has any")
	}
	if r := c.status(t.Event, false, errMayBeOld.Error()); r != nil {
		h.reports.report(t, r)
	}
	h.runner.finish(t, time.Now(), errMayBeOld)
}

// forgetReports drops the reports on this disk that others have delivered: the cluster has no copy any more. It comes after the copies are
// loaded; inCluster tells of which runs there is one.
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
