package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"octo-operator/dispatch/queue"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/runs"
)

// Task is an event while it is carried out.
type Task struct {
	*runs.Run
	engine   *Dispatcher
	handler  Handler
	Event    hub.Event
	Log      *slog.Logger
	Output   *runs.Output
	Redact   *exec.Redactor
	ExitCode int
	account  string // whom helm and kubectl act as; "": as the operator
	HasChart bool   // the run directory holds the event's chart, complete and pulled in this life

	Began    time.Time // the first try
	said     []string  // what a person should know of a success
	Installs bool      // something may be in the cluster
	// MakesSecret: the deploy makes the Secret, of a release that was not there either.
	MakesSecret bool
	Release     names.Release // of a workload, once it was looked for in the cluster
}

// Say adds to what a person is told of a success, once.
func (t *Task) Say(text string) {
	if !slices.Contains(t.said, text) {
		t.said = append(t.said, text)
	}
}

// NewTask is a run that is about to be carried out.
func (d *Dispatcher) NewTask(c Handler, run *runs.Run, log *slog.Logger) *Task {
	return &Task{Run: run, engine: d, handler: c, Log: log, ExitCode: -1}
}

// Aside lets work use a task of no run, whose directory is gone afterwards.
func (d *Dispatcher) Aside(event hub.Event, secrets []string, work func(*Task) error) error {
	dir, err := os.MkdirTemp(d.Settings.StateDir, "aside-")
	if err != nil {
		return fmt.Errorf("cannot make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	t := d.NewTask(Handler{}, &runs.Run{ID: filepath.Base(dir), Dir: dir}, d.Log)
	t.Event, t.Redact = event, exec.NewRedactor(secrets...)
	if t.Output, err = t.OpenOutput(); err != nil {
		return err
	}
	return errors.Join(work(t), t.Output.Close())
}

// carryOut runs an event to its end, reports how it ended and writes it down. A shutdown is no end: the run stays
// unfinished on disk, with the secrets it needs.
func (d *Dispatcher) carryOut(ctx context.Context, c Handler, run *runs.Run, log *slog.Logger) runs.Result {
	started := time.Now()
	t := d.NewTask(c, run, log)
	t.Began = started
	t.Installs = c.Begun != nil && c.Begun(run)
	err := t.open()
	t.account = names.AccountOf(d.Settings, t.Event)
	if err == nil {
		if err = t.begin(ctx); err == nil {
			err = d.withSpace(func() error { return t.try(ctx) })
		}
		if closeErr := t.Output.Close(); closeErr != nil { // what was done is done
			log.Warn("output.log is not whole", "reason", closeErr)
		}
	}
	if err != nil && ctx.Err() != nil { // stopped; what has succeeded in the last moment has succeeded
		if err = context.Cause(ctx); !pointless(err) {
			return d.interrupt(t)
		}
	}
	if r := c.statusOf(t.Event, err == nil, t.Message(err)); r != nil && !pointless(err) {
		d.report(t, r)
	}
	return d.finish(t, started, err)
}

// pointless tells of an end that is none of the event's own.
func pointless(err error) bool {
	for _, reason := range []error{queue.ErrSuperseded, queue.ErrRepeated, queue.ErrUndeployed, queue.ErrPoolUndeployed} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// interrupt leaves an event to the operator's next life. It needs the event's secrets: what else holds some goes.
func (d *Dispatcher) interrupt(t *Task) runs.Result {
	t.pause()
	if err := t.Remove(append(t.engine.Remade, t.engine.SecretFiles...)...); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
	t.Log.Warn("event stopped by the operator's end: it will be resumed")
	return runs.Result{Outcome: runs.Failed, Reason: "the operator ended"}
}

func (t *Task) open() (err error) {
	if t.Event, err = t.Run.Event(); err != nil {
		return err
	}
	t.Output, err = t.OpenOutput()
	return err
}

// supersede ends a run that was never started.
func (d *Dispatcher) supersede(c Handler, run *runs.Run, log *slog.Logger, reason error) runs.Result {
	t := d.NewTask(c, run, log)
	var err error
	if t.Event, err = run.Event(); err != nil {
		log.Error("secrets may remain in a superseded run", "reason", err)
	}
	return d.finish(t, time.Now(), reason)
}

// finish writes the result, takes everything secret out of the run directory and logs the end of the story.
func (d *Dispatcher) finish(t *Task, started time.Time, err error) runs.Result {
	result := runs.Result{Outcome: runs.Succeeded, ExitCode: t.ExitCode, Started: started, Ended: time.Now()}
	switch {
	case pointless(err):
		result.Outcome, result.Reason = runs.Superseded, err.Error()
	case err != nil:
		result.Outcome, result.Reason = runs.Failed, t.Message(err)
	}
	if t.handler.Clean != nil {
		t.handler.Clean(t)
	}
	if err := d.writeResult(t, result); err != nil {
		t.Log.Error("result not kept: tried again every minute; until then the event would run again after a restart", "reason", err)
		d.unkept.add(func() error { return d.writeResult(t, result) })
	}
	t.Pause()
	if err := t.Remove(d.SecretFiles...); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
	d.pruner.ended()
	if d.Ended != nil {
		d.Ended(t.Callback, string(result.Outcome), result.Ended.Sub(started).Seconds())
	}
	took := result.Ended.Sub(started).Round(time.Millisecond).String()
	switch result.Outcome {
	case runs.Succeeded:
		t.Log.Info("event done", "took", took)
	case runs.Superseded:
		t.Log.Info("event superseded", "reason", result.Reason)
	default:
		t.Log.Error("event failed", "took", took, "reason", result.Reason, "dir", t.Dir)
	}
	return result
}

// writeResult ends the run on disk, and then its copy in the cluster.
func (d *Dispatcher) writeResult(t *Task, result runs.Result) error {
	var clean *hub.Event
	if t.handler.Public != nil {
		if event, changed := t.handler.Public(t.Event); changed {
			clean = &event
		}
	}
	err := d.withSpace(func() error { return t.Finish(result, clean) })
	if err == nil {
		d.journal.Finished(d.journalLane(t.Lane), t.ID)
	}
	return err
}

// Rest runs f, which waits for something. Meanwhile the event has no slot, and if the operator ends, it was not because of this event.
// yields: a newer event may take its place.
func (t *Task) Rest(ctx context.Context, yields bool, f func() error) error {
	t.pause()
	return queue.TurnOf(ctx).Rest(yields, f)
}

// Work makes sure, after a rest, that the event has its slot, may go on and is known to be worked on.
func (t *Task) Work(ctx context.Context) error {
	if err := queue.TurnOf(ctx).Work(ctx); err != nil {
		return err
	}
	if err := t.engine.leader.Wait(ctx); err != nil {
		return err
	}
	return t.begin(ctx)
}

// begin notes that the operator works on the event, so that one that ends it is not tried for ever. Of an event that comes from
// another disk the cluster has the note before anything is done: this disk may be lost as well.
func (t *Task) begin(ctx context.Context) error {
	if t.Begun() {
		return nil
	}
	if err := t.engine.withSpace(t.Begin); err != nil || !t.Inherited() {
		return err
	}
	if err := t.engine.journal.Note(ctx, t.engine.journalLane(t.Lane)); err != nil {
		t.Log.Warn("if the operator ends now and loses its disk, nobody will know that it worked on this event", "reason", err)
	}
	return nil
}

// pause takes back what begin has noted: the event waits, or has ended.
func (t *Task) pause() {
	begun := t.Begun()
	t.Pause()
	if begun && t.Inherited() {
		t.engine.journal.Noted(t.engine.journalLane(t.Lane))
	}
}

// AsTenant is for requests in which a chart says which object is meant.
func (t *Task) AsTenant(ctx context.Context) context.Context { return kube.As(ctx, t.account) }
