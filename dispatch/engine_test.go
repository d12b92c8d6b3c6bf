package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/reason"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube"
)

// testCallback is the only one that a rig knows.
const testCallback = "WorkloadDeployed"

// rig is a state directory, and the lives of an operator on it, of which the handler is the test's.
type rig struct {
	*testing.T
	store      *runs.Store
	controller *fakeController
	options    Options
	log        bytes.Buffer

	mu    sync.Mutex
	ended []string // outcomes
}

func newRig(t *testing.T, h Handler) *rig {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, store: store, controller: &fakeController{}}
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	h.Place = func(_ config.Config, event hub.Event) (Place, error) {
		w, err := hub.Decode[hub.Workload](event.Argument)
		return Place{Lane: "octo/" + w.WorkloadName, Subject: w.WorkloadName, Tenant: w.TenantID}, err
	}
	h.Status = func(event hub.Event, success bool, message string) *Report {
		w, _ := hub.Decode[hub.Workload](event.Argument)
		return NewReport(MethodDeploymentStatus, w, fmt.Sprintf("%v: %s", success, message))
	}
	r.options = Options{
		Settings: config.Config{Helm: config.Helm{Timeout: time.Minute}, KeepRuns: 100, KeepFailedRuns: time.Hour}, Capacity: config.Capacity{Slots: 2}, Runs: store, Log: log,
		Controller: r.controller, Cluster: kube.NewClient(nil, t.TempDir(), log), FreeDisk: func(bool) {}, SecretFiles: []string{"secret.yaml"}, RemadeFiles: []string{"manifest.yaml"},
		Check: func(hub.Event, hub.Generation) error { return nil }, Handlers: map[string]Handler{testCallback: h},
	}
	return r
}

// life starts an operator on the state directory.
func (r *rig) life() *Dispatcher {
	d := New(r.Context(), r.options)
	d.Ended = func(_, outcome string, _ float64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, outcome)
	}
	d.OpenJournal("test")
	return d
}

func deploy(workload string) hub.Event {
	return hub.Event{Callback: testCallback, Argument: json.RawMessage(`{"tenantId":"acme","workloadName":"` + workload + `"}`)}
}

// statuses are what the controller was told of events' ends.
func (r *rig) statuses() (all []string) {
	r.controller.mu.Lock()
	defer r.controller.mu.Unlock()
	for _, report := range r.controller.all {
		if report.Method == MethodDeploymentStatus {
			var text string
			_ = json.Unmarshal(report.Arguments[0].(json.RawMessage), &text)
			all = append(all, text)
		}
	}
	return all
}

// deliver is the controller's answer to all that it was told.
func (r *rig) deliver(err error) {
	r.controller.mu.Lock()
	all := slices.Clone(r.controller.all)
	r.controller.mu.Unlock()
	for _, report := range all {
		if report.Delivered != nil {
			report.Delivered(err)
		}
	}
}

func (r *rig) expect(what string, got []string, want ...string) {
	r.Helper()
	if !slices.Equal(got, want) {
		r.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func (r *rig) run() *runs.Run {
	r.Helper()
	all, err := r.store.List()
	if err != nil || len(all) != 1 {
		r.Fatalf("%d runs: %v", len(all), err)
	}
	return all[0]
}

func TestAnEventThatFailsIsUndoneAndItsStatusSaysWhatCameOfIt(t *testing.T) {
	r := newRig(t, Handler{
		Kind: queue.Deploy,
		Run: func(_ context.Context, t *Task) error {
			return errors.Join(t.Write("secret.yaml", []byte("password")), errors.New("the chart is broken"))
		},
		Undo: func(_ context.Context, _ *Task, f *reason.Failure) { f.After = "the release was rolled back" },
		Clean: func(*Task) *hub.Event {
			return &hub.Event{Callback: testCallback, Argument: json.RawMessage(`"clean"`)}
		},
	})
	d := r.life()
	d.AcceptAll([]hub.Event{deploy("shop")})
	d.Wait()
	r.expect("statuses", r.statuses(), "false: the chart is broken\nthe release was rolled back")
	r.expect("ended", r.ended, "failed")
	run := r.run()
	if result, err := run.Result(); err != nil || result.Outcome != runs.Failed || !strings.Contains(result.Reason, "broken") || result.ExitCode != -1 {
		t.Errorf("the result is %+v, %v", result, err)
	}
	event, err := run.Event()
	if err != nil || string(event.Argument) != `"clean"` || run.Has("secret.yaml") {
		t.Errorf("%s stays, %v, and of the secrets: %v", event.Argument, err, run.Has("secret.yaml"))
	}
}

func TestAnEventIsTriedAgainAsItsHandlersErrorSays(t *testing.T) {
	for name, test := range map[string]struct {
		cause   RetryCause
		endless bool
		daemon  bool
		works   int // at which try; 0: never
		tries   int
		status  string
	}{
		"what is wrong itself is not":         {Final, true, true, 2, 1, "false: try 1"},
		"five times":                          {BeingDeleted, false, true, 0, maxTries, "false: try 5"},
		"without end":                         {BeingDeleted, true, true, 30, 30, "true: "},
		"not without end by who waits for it": {BeingDeleted, true, false, 30, maxTries, "false: try 5"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				h := Handler{Kind: queue.Deploy, Run: func(context.Context, *Task) error {
					if tries++; tries == test.works {
						return nil
					}
					return &RetryError{test.cause, fmt.Errorf("try %d", tries)}
				}}
				if test.endless {
					h.Endless = NewRetryGroup()
				}
				r := newRig(t, h)
				if test.daemon {
					r.options.Unlock = func() error { return nil }
				}
				d := r.life()
				d.AcceptAll([]hub.Event{deploy("shop")})
				d.Wait()
				if tries != test.tries {
					t.Errorf("%d tries", tries)
				}
				r.expect("statuses", r.statuses(), test.status)
			})
		})
	}
}

func TestANewerDeployTakesThePlaceOfOneThatWaitsUnlessThatMayHaveChangedTheCluster(t *testing.T) {
	for _, changed := range []bool{false, true} {
		t.Run(fmt.Sprint(changed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				r := newRig(t, Handler{Kind: queue.Deploy, Run: func(_ context.Context, t *Task) error {
					t.MayHaveChanged = changed
					if tries++; tries == 1 {
						return &RetryError{BeingDeleted, errors.New("not yet")}
					}
					return nil
				}})
				d := r.life()
				d.AcceptAll([]hub.Event{deploy("shop")})
				time.Sleep(time.Millisecond)
				synctest.Wait() // it waits for its second try
				d.AcceptAll([]hub.Event{deploy("shop")})
				d.Wait()
				if changed {
					r.expect("ended", r.ended, "succeeded", "succeeded")
					r.expect("statuses", r.statuses(), "true: ", "true: ")
				} else {
					r.expect("ended", r.ended, "superseded", "succeeded")
					r.expect("statuses", r.statuses(), "true: ")
				}
			})
		})
	}
}

func TestWhatTheOperatorsEndInterruptsIsRecoveredAndCarriedOutInTheNextLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life, story := 1, []string(nil)
		r := newRig(t, Handler{
			Kind:           queue.Deploy,
			MayHaveChanged: func(run *runs.Run) bool { return run.Has("installing") },
			Recover:        func(context.Context, *Task) error { story = append(story, "recover"); return nil },
			Run: func(ctx context.Context, t *Task) error {
				story = append(story, fmt.Sprintf("run, changed %v", t.MayHaveChanged))
				if life == 2 {
					return nil
				}
				for _, file := range []string{"installing", "secret.yaml", "manifest.yaml"} {
					if err := t.Write(file, nil); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			},
		})
		d := r.life()
		d.AcceptAll([]hub.Event{deploy("shop")})
		synctest.Wait()
		d.Shutdown(time.Minute)
		run := r.run()
		if run.Has("secret.yaml") || run.Has("manifest.yaml") {
			t.Error("secrets wait on the disk for the next life")
		}
		if _, err := run.Result(); !errors.Is(err, fs.ErrNotExist) || len(r.statuses()) > 0 {
			t.Errorf("it has ended: %v, statuses %q", err, r.statuses())
		}
		life = 2
		d = r.life()
		if err := d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.Wait()
		r.expect("story", story, "run, changed false", "recover", "run, changed true")
		r.expect("statuses", r.statuses(), "true: ")
		if pending := d.runner.pending.has("octo/shop"); !pending {
			t.Error("nobody knows that a helm of the first life may have been killed")
		}
	})
}

func TestAStatusIsSentAgainInTheNextLifeUntilTheControllerHasIt(t *testing.T) {
	r := newRig(t, Handler{Kind: queue.Deploy, Run: func(_ context.Context, t *Task) error { t.Say("done"); t.Say("done"); return nil }})
	d := r.life()
	d.AcceptAll([]hub.Event{deploy("shop")})
	d.Wait()
	if run := r.run(); !ReportPending(run) {
		t.Error("the status is nowhere while the controller does not have it")
	}
	if err := r.life().Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expect("statuses", r.statuses(), "true: done", "true: done")
	r.deliver(nil)
	if run := r.run(); ReportPending(run) {
		t.Error("the status would be sent once more")
	}
	r.controller.all = nil
	if err := r.life().Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expect("statuses of the third life", r.statuses())
}

func TestAStatusThatIsOlderThanWhatTheControllerHasIsNotSent(t *testing.T) {
	for name, test := range map[string]struct {
		newest          reported
		run             string
		sent, forgotten bool
	}{
		"of the same run, which waits already": {reported{"2", false}, "2", false, false},
		"of the same run, delivered":           {reported{"2", true}, "2", false, true},
		"of an older run":                      {reported{"2", false}, "1", false, true},
		"of a newer run":                       {reported{"2", true}, "3", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Handler{})
			rs := r.life().reports
			report := *NewReport(MethodDeploymentStatus, hub.Workload{WorkloadName: "shop"}, "late")
			rs.newest[report.about()] = test.newest
			forgotten := false
			rs.sendOlder(&runs.Run{ID: test.run}, r.options.Log, report, func() error { forgotten = true; return nil })
			if sent := len(r.statuses()) == 1; sent != test.sent || forgotten != test.forgotten {
				t.Errorf("sent %v, forgotten %v", sent, forgotten)
			}
		})
	}
}

func TestTheStatusOfADeployThatIsUndoneIsNotDeliveredLater(t *testing.T) {
	r := newRig(t, Handler{})
	d := r.life()
	w := hub.Workload{WorkloadName: "shop"}
	task := d.NewTask(Handler{}, &runs.Run{ID: "2"}, r.options.Log)
	task.Withdraw(w)
	r.expect("withdrawn", r.controller.withdrawn, MethodDeploymentStatus+" "+workloadKey(w))
	d.reports.sendOlder(&runs.Run{ID: "1"}, r.options.Log, *NewReport(MethodDeploymentStatus, w, "of the deploy"), func() error { return nil })
	r.expect("statuses", r.statuses())
}

func TestOfARefusedEventNothingIsKept(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, test := range map[string]struct {
		event    hub.Event
		ignored  string
		statuses []string
		ended    []string
		err      bool
	}{
		"a wrong one":                       {deploy("wrong"), "", []string{"false: it is wrong"}, []string{"refused"}, true},
		"one with a long name":              {deploy(long), "", []string{"false: it is wrong"}, []string{"refused"}, true},
		"one of a tenant that does not fit": {hub.Event{Callback: testCallback, Argument: json.RawMessage(`{"tenantId":"` + long + `","workloadName":"a"}`)}, "", nil, []string{"refused"}, true},
		"one of an unknown callback":        {hub.Event{Callback: "Moon", Argument: json.RawMessage(`{}`)}, "", nil, nil, true},
		"one that is not this operator's":   {deploy("shop"), "pools are elsewhere", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := 0
			r := newRig(t, Handler{Kind: queue.Deploy, Ignored: test.ignored, OnArrival: func(hub.Event) { arrived++ }})
			r.options.Check = func(hub.Event, hub.Generation) error { return errors.New("it is wrong") }
			d := r.life()
			err := d.Accept(test.event, func(runs.Result) { t.Error("it has ended") })
			d.Wait()
			if all, _ := r.store.List(); (err != nil) != test.err || len(all) != 0 || arrived != 0 {
				t.Errorf("%v; %d runs, %d arrived", err, len(all), arrived)
			}
			r.expect("statuses", r.statuses(), test.statuses...)
			r.expect("ended", r.ended, test.ended...)
		})
	}
}

func TestWhatTheOperatorItselfWantsIsDoneAlthoughTheControllersEventsAreIgnored(t *testing.T) {
	r := newRig(t, Handler{Ignored: "pools are elsewhere", OnArrival: func(hub.Event) { t.Error("it has arrived") }, Run: func(context.Context, *Task) error { return nil }})
	d := r.life()
	var outcome runs.Outcome
	if err := d.Request(deploy("shop"), func(result runs.Result) { outcome = result.Outcome }); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	if outcome != runs.Succeeded {
		t.Errorf("it has %s", outcome)
	}
}

func TestAnEventThatWasAcceptedAndIsRefusedInTheNextLifeFailsAndReplacesNothing(t *testing.T) {
	r := newRig(t, Handler{Kind: queue.Deploy, Run: func(context.Context, *Task) error { t.Error("it is carried out"); return nil },
		Undo: func(context.Context, *Task, *reason.Failure) { t.Error("it is undone") }})
	if _, err := r.store.Create(deploy("shop"), "octo/shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Create(deploy("shop"), "octo/shop"); err != nil {
		t.Fatal(err)
	}
	r.options.Check = func(hub.Event, hub.Generation) error { return errors.New("no longer allowed") }
	d := r.life()
	if err := d.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	r.expect("ended", r.ended, "failed", "failed")
	r.expect("statuses", r.statuses(), "false: no longer allowed", "false: no longer allowed")
}

func TestAScratchTaskLeavesNothing(t *testing.T) {
	r := newRig(t, Handler{})
	r.options.Settings.StateDir = t.TempDir()
	err := r.life().WithScratchTask(deploy("shop"), []string{"planted"}, func(t *Task) error {
		return errors.Join(t.Write("values.yaml", nil), errors.New(t.Redact.String("planted")))
	})
	left, readErr := os.ReadDir(r.options.Settings.StateDir)
	if err == nil || strings.Contains(err.Error(), "planted") || readErr != nil || len(left) != 0 {
		t.Errorf("%v; left: %v, %v", err, left, readErr)
	}
}
