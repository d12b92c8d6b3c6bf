package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/kube/guard"
	"octo-operator/names"
	"octo-operator/scripts"
)

// runner carries out the events whose turn it is, each to its end, with its report and its result.
type runner struct {
	settings    config.Config
	scripts     scripts.Set
	env         []string
	limits      limits // of every script
	cluster     *kube.Client
	guard       *guard.Guard
	secretFiles []string
	remadeFiles []string
	daemon      bool // else a single event is carried out
	log         *slog.Logger

	disk       *disk
	journal    *copies
	reports    *reports
	pending    pendingReleases
	unfinished *unfinished
	// mayWork waits until this operator may start work, as its leader, and calls waits if it does; the error is ctx's.
	mayWork func(ctx context.Context, waits func(queue.Wait)) error
	ended   func(callback, outcome string, seconds float64)

	killing sync.Once
	kill    chan struct{} // closed when what is being stopped gets no more time
}

func newRunner(o Options, d *disk, c *copies, r *reports, u *unfinished, mayWork func(context.Context, func(queue.Wait)) error, ended func(string, string, float64)) *runner {
	return &runner{
		settings: o.Settings, scripts: o.Scripts, env: o.Env, limits: limitsOf(o.Settings, o.Capacity),
		cluster: o.Cluster, guard: guard.New(o.Cluster, o.Log), secretFiles: o.SecretFiles, remadeFiles: o.RemadeFiles, daemon: o.Unlock != nil, log: o.Log,
		disk: d, journal: c, reports: r, unfinished: u, mayWork: mayWork, ended: ended, kill: make(chan struct{}),
	}
}

// killAll kills all running scripts. It may be called again.
func (r *runner) killAll() { r.killing.Do(func() { close(r.kill) }) }

func (r *runner) newTask(h Handler, run *runs.Run, log *slog.Logger) *Task {
	return &Task{Run: run, engine: r, handler: h, course: r.unfinished.course(run), Log: log, ExitCode: -1}
}

// withScratchTask is Dispatcher.WithScratchTask.
func (r *runner) withScratchTask(h Handler, event hub.Event, secrets []string, work func(*Task) error) error {
	dir, err := os.MkdirTemp(r.settings.StateDir, runs.AsideName)
	if err != nil {
		return fmt.Errorf("cannot make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	h = Handler{Guard: h.Guard, Explain: h.Explain} // nothing of it is told to anybody, and nothing is to be recovered or taken back
	t := r.newTask(h, &runs.Run{ID: filepath.Base(dir), Dir: dir}, r.log)
	t.account = names.AccountOf(r.settings, event)
	t.course = nil
	t.Event, t.Redact = event, exec.NewRedactor(secrets...)
	if t.Output, err = t.OpenOutput(); err != nil {
		return err
	}
	return errors.Join(work(t), t.Output.Close())
}

// carryOut carries an event out, reports how it ended and writes the result. If the operator ends meanwhile, the run stays unfinished on disk,
// with the secrets that it needs.
func (r *runner) carryOut(ctx context.Context, h Handler, run *runs.Run, log *slog.Logger) runs.Result {
	started := time.Now()
	t := r.newTask(h, run, log)
	t.Started, t.MayHaveChanged = started, h.mayHaveChanged(run)
	t.course.begin()
	err := t.open()
	t.account = names.AccountOf(r.settings, t.Event)
	if err == nil {
		if err = t.begin(ctx); err == nil {
			err = r.disk.write(func() error { return t.run(ctx) })
		}
		if closeErr := t.Output.Close(); closeErr != nil { // what was done is done
			log.Warn("output.log is not whole", "reason", closeErr, "next", "nothing: what was done is done")
		}
	}
	if err != nil && ctx.Err() != nil { // stopped; what has succeeded in the last moment has succeeded
		if err = context.Cause(ctx); !superseded(err) {
			return r.interrupt(t)
		}
	}
	if status := h.status(t.Event, err == nil, t.Message(err)); status != nil && !superseded(err) {
		r.reports.report(t, status)
	}
	return r.finish(t, started, err)
}

// superseded tells of an error that is no failure: a newer event has made this one pointless. The controller is not told of it.
func superseded(err error) bool {
	return slices.ContainsFunc([]error{queue.ErrSuperseded, queue.ErrRepeated, queue.ErrUndeployed, queue.ErrPoolUndeployed},
		func(reason error) bool { return errors.Is(err, reason) })
}

// interrupt leaves an event to the next life. Its event.json keeps the secrets, which the next life needs; other files with secrets are removed.
func (r *runner) interrupt(t *Task) runs.Result {
	t.pause()
	t.course.stops()
	if err := t.Remove(slices.Concat(r.remadeFiles, r.secretFiles)...); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "the next start carries the event out, and removes them")
	}
	t.Log.Warn("event stopped by the operator's end: it will be resumed")
	return runs.Result{Outcome: runs.Failed, Reason: "the operator ended"}
}

// supersede ends a run that was never started.
func (r *runner) supersede(h Handler, run *runs.Run, log *slog.Logger, reason error) runs.Result {
	t := r.newTask(h, run, log)
	var err error
	if t.Event, err = run.Event(); err != nil {
		log.Error("secrets may remain in a superseded run", "reason", err, "next", "remove the run directory, if its event.json has any")
	}
	return r.finish(t, time.Now(), reason)
}

// finish writes the result, takes everything secret out of the run directory and logs the event's end. err is why it failed; nil: it
// succeeded.
func (r *runner) finish(t *Task, started time.Time, err error) runs.Result {
	result := runs.Result{Outcome: runs.Succeeded, ExitCode: t.ExitCode, Started: started, Ended: time.Now()}
	switch {
	case superseded(err):
		result.Outcome, result.Reason = runs.Superseded, err.Error()
	case err != nil:
		result.Outcome, result.Reason = runs.Failed, t.Message(err)
	}
	t.course.ends(result)
	var public *hub.Event
	if t.handler.Clean != nil {
		public = t.handler.Clean(t)
	}
	if err := r.writeResult(t, result, public); err != nil {
		t.Log.Error("result not kept: tried again every minute; until then the event would run again after a restart", "reason", err)
		r.disk.retryLater(func() error { return r.writeResult(t, result, public) })
	}
	t.StopWork()
	if err := t.Remove(r.secretFiles...); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "the next start removes them")
	}
	r.disk.eventEnded()
	r.ended(t.Callback, string(result.Outcome), result.Ended.Sub(started).Seconds())
	took := result.Ended.Sub(started).Round(time.Millisecond).String()
	switch result.Outcome {
	case runs.Succeeded:
		attrs := []any{"took", took}
		if t.Changes != "" {
			attrs = append(attrs, "changes", t.Changes)
		}
		t.Log.Info("event done", attrs...)
	case runs.Superseded:
		t.Log.Info("event superseded", "reason", result.Reason)
	default:
		t.Log.Error("event failed", "took", took, "reason", result.Reason, "dir", t.Dir, "next", "octo-operator runs show "+t.RandomEnd())
	}
	return result
}

// writeResult ends the run on disk, and then its copy in the cluster. public is the event as it stays on disk; nil: as it is there.
func (r *runner) writeResult(t *Task, result runs.Result, public *hub.Event) error {
	err := r.disk.write(func() error { return t.Finish(result, public) })
	if err == nil {
		r.journal.finished(t.Run)
	}
	return err
}
