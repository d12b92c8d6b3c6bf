package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Task is an event while it is carried out, as its handler sees it. It is for one goroutine at a time.
type Task struct {
	*runs.Run
	engine  *runner
	handler Handler
	course  *course  // nil: the task is of no event
	account string   // whom helm and kubectl act as; "": as the operator
	said    []string // see Say

	Event    hub.Event
	Log      *slog.Logger
	Output   *runs.Output                // output.log
	Redact   *exec.Redactor              // of the event's secrets, set by the handler; nil: it has none
	hidden   atomic.Pointer[exec.Values] // see Hide
	ExitCode int                         // of the last script; -1: none has ended by itself
	// OnCommand, if not nil, is told of each command that a script announces, before it is recorded.
	OnCommand func(command string)
	// BeforeWrite, if not nil, is called before each request of a guarded script that changes something, which waits for it.
	BeforeWrite func(context.Context)
	Changes     string    // what the event changes, in a sentence, for the log; "": nobody knows
	Started     time.Time // when the first try of this life began

	MayHaveChanged bool          // the cluster may have been changed for the event, in this life or an earlier one
	HasChart       bool          // the run directory holds the event's chart, complete and pulled in this life
	MakesSecret    bool          // the deploy makes the Secret, of a release that was not there either
	Release        names.Release // of a workload, once it was looked for in the cluster
}

// Hide keeps more secrets out of what is told of the event from now on: those that are known once its chart is rendered. They take the
// place of those of an earlier call. It may be called while a script runs.
func (t *Task) Hide(secrets *exec.Values) { t.hidden.Store(secrets) }

// Hides tells whether Hide was called in this life.
func (t *Task) Hides() bool { return t.hidden.Load() != nil }

// Redacted is a text without what is secret, as far as that is known by now.
func (t *Task) Redacted(s string) string { return t.hidden.Load().TextWith(t.Redact, s) }

// Say adds a line to the message of a success, once.
func (t *Task) Say(text string) {
	if !slices.Contains(t.said, text) {
		t.said = append(t.said, text)
	}
}

func (t *Task) open() (err error) {
	if t.Event, err = t.Run.Event(); err != nil {
		return err
	}
	t.Output, err = t.OpenOutput()
	return err
}

// Phase notes that a phase of the run begins, one of runs.Phase….
func (t *Task) Phase(name string) { t.course.enters(name, t.Release) }

// Park gives up the event's slot while f waits. wait is one of runs.Wait…; words say it for people. If the operator crashes meanwhile, the event
// is not blamed for it. yields: a newer event may take this one's place, which ends ctx. The error is f's.
func (t *Task) Park(ctx context.Context, wait, words string, yields bool, f func() error) error {
	return t.park(ctx, runs.Moment{Name: wait, Text: t.Redacted(words)}, Final, yields, f)
}

// park is Park. cause is why the event is tried again; Final: it waits for something else.
func (t *Task) park(ctx context.Context, wait runs.Moment, cause RetryCause, yields bool, f func() error) error {
	t.pause()
	t.course.wait(wait, cause)
	defer t.course.goOn()
	return queue.TurnOf(ctx).Park(yields, f)
}

// TakeSlot is to be called before work, as after Park. It returns when the event has a slot and this operator may work as the leader. The error
// is ctx's, or says that the operator has crashed too often during this event.
func (t *Task) TakeSlot(ctx context.Context) error {
	waits := func(w queue.Wait) { t.course.wait(runs.Moment{Name: w.For, Text: w.Text}, Final) }
	defer t.course.goOn()
	if err := queue.TurnOf(ctx).TakeSlot(ctx, waits); err != nil {
		return err
	}
	if err := t.engine.mayWork(ctx, waits); err != nil {
		return err
	}
	return t.begin(ctx)
}

// begin notes that the operator is at work on the event, so that an event that crashes it is not tried for ever. For an event from another disk
// the note is in the cluster before begin returns, because this disk may be lost as well.
func (t *Task) begin(ctx context.Context) error {
	if t.AtWork() {
		return nil
	}
	if err := t.engine.disk.write(t.StartWork); err != nil || !t.FromOtherDisk() {
		return err
	}
	if err := t.engine.journal.begun(ctx, t.Run); err != nil {
		t.Log.Warn("if the operator ends now and loses its disk, nobody will know that it worked on this event", "reason", err, "next", "the event goes on")
	}
	return nil
}

// pause takes back what begin has noted: the event waits, or has ended.
func (t *Task) pause() {
	begun := t.AtWork()
	t.StopWork()
	if begun && t.FromOtherDisk() {
		t.engine.journal.paused(t.Run)
	}
}

// AsTenant returns a context for requests about objects that a chart names: they are made with the rights of the tenant's account, if there is
// one.
func (t *Task) AsTenant(ctx context.Context) context.Context { return kube.As(ctx, t.account) }
