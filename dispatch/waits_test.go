package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func TestTheWordsOfLanesAreThoseOfTimelines(t *testing.T) {
	for lanes, timelines := range map[string]string{queue.ForLane: runs.WaitLane, queue.ForSlot: runs.WaitSlot, queue.ForTenant: runs.WaitTenant} {
		if lanes != timelines {
			t.Errorf("%q and %q", lanes, timelines)
		}
	}
}

func of(tenant, workload string) hub.Event {
	return hub.Event{Callback: testCallback, Argument: []byte(`{"tenantId":"` + tenant + `","workloadName":"` + workload + `"}`)}
}

// gates are a handler that works on an event until the test opens its gate.
type gates struct {
	mu  sync.Mutex
	all map[string]chan struct{}
}

func (g *gates) of(workload string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]chan struct{}{}
	}
	if g.all[workload] == nil {
		g.all[workload] = make(chan struct{})
	}
	return g.all[workload]
}

func (g *gates) run(ctx context.Context, t *Task) error {
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return err
	}
	t.Phase(runs.PhaseRun)
	select {
	case <-g.of(w.WorkloadName):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waits is what each workload's event waits for, or the phase that it is in.
func waits(d *Dispatcher) string {
	var all []string
	for _, w := range d.Work() {
		state := w.Wait
		if state == "" {
			state = "in " + w.Phase
		}
		all = append(all, strings.TrimPrefix(w.Lane, "octo/")+": "+state)
	}
	return strings.Join(all, ", ")
}

func TestWorkSaysWhatEachEventWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gates{}
		r := newRig(t, Handler{Kind: queue.Other, Run: g.run})
		alone := r.options.Handlers[testCallback]
		alone.Alone = true
		r.options.Handlers["PreUpdateTenant"] = alone
		d := r.life()
		steps := []struct {
			what  string
			event hub.Event
			open  string
			want  string
		}{
			{"one works", of("acme", "a"), "", "a: in run"},
			{"the next of its lane waits for it", of("acme", "a"), "", "a: in run, a: lane"},
			{"the second slot", of("bolt", "b"), "", "a: in run, a: lane, b: in run"},
			{"both are taken", of("bolt", "c"), "", "a: in run, a: lane, b: in run, c: slot"},
			{"a tenant's update waits for what the tenant has", hub.Event{Callback: "PreUpdateTenant", Argument: of("bolt", "update").Argument}, "",
				"a: in run, a: lane, b: in run, c: tenant, update: tenant"},
			{"it begins, and others wait for it", hub.Event{}, "b", "a: in run, a: lane, c: tenant, update: in run"},
			{"which it ends", hub.Event{}, "update", "a: in run, a: lane, c: in run"},
			{"the next of the lane", hub.Event{}, "a", "c: in run"},
			{"nothing is left", hub.Event{}, "c", ""},
		}
		for _, step := range steps {
			if step.open != "" {
				close(g.of(step.open))
			} else {
				d.AcceptAll([]hub.Event{step.event})
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := waits(d); got != step.want {
				t.Errorf("%s: got %q, want %q", step.what, got, step.want)
			}
		}
		d.Wait()
	})
}

func TestWorkAndTheTimelineSayWhatIsWrongWithThePodsThatAnEventWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found, ready := make(chan struct{}), make(chan struct{})
		r := newRig(t, Handler{Kind: queue.Deploy, Run: func(ctx context.Context, t *Task) error {
			return t.Park(ctx, runs.WaitPods, "pods that are not ready", true, func() error {
				<-found
				t.Progress("the image cannot be pulled")
				t.Progress("the image cannot be pulled") // the same is no moment
				<-ready
				return nil
			})
		}})
		d := r.life()
		d.AcceptAll([]hub.Event{of("acme", "a")})
		for _, want := range []string{"pods that are not ready", "the image cannot be pulled"} {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if all := d.Work(); len(all) != 1 || all[0].Wait != runs.WaitPods || all[0].Text != want {
				t.Errorf("got %+v, want %q", all, want)
			}
			if want == "pods that are not ready" {
				close(found)
			}
		}
		close(ready)
		d.Wait()
		all, err := r.store.List()
		if err != nil || len(all) != 1 {
			t.Fatalf("runs: %v, %v", all, err)
		}
		const want = "wait pods (pods that are not ready)\n    wait pods (the image cannot be pulled)\n    end"
		if got := told(all[0].Timeline()); !strings.Contains(got, want) {
			t.Errorf("the timeline:\n%s", got)
		}
	})
}

func TestWorkSaysThatAnEventWaitsForItsNextTryAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := newRig(t, Handler{Kind: queue.Deploy, Run: func(_ context.Context, t *Task) error {
			t.Phase(runs.PhaseChart)
			if tries++; tries == 1 {
				return &RetryError{BeingDeleted, errors.New("not yet")}
			}
			return nil
		}})
		var mu sync.Mutex
		var causes []RetryCause
		d := r.life()
		d.Observe = func(h Happening) {
			mu.Lock()
			defer mu.Unlock()
			if h.Kind == runs.KindWait {
				causes = append(causes, h.Cause)
			}
		}
		d.AcceptAll([]hub.Event{deploy("shop")})
		time.Sleep(time.Millisecond)
		synctest.Wait()
		all := d.Work()
		if len(all) != 1 || all[0].Wait != runs.WaitRetry || all[0].Phase != runs.PhaseChart || all[0].Until == nil || !all[0].Until.After(time.Now()) ||
			all[0].Text != BeingDeleted.String()+": not yet" || all[0].Tenant != "acme" || all[0].Callback != testCallback || all[0].Came.IsZero() {
			t.Errorf("got %+v", all)
		}
		d.Wait()
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(causes) != fmt.Sprint([]RetryCause{BeingDeleted}) {
			t.Errorf("told of tries because of %v", causes)
		}
	})
}

func TestWorkSaysThatAnEventWaitsForPodsAndThenForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, ready := &gates{}, make(chan struct{})
		r := newRig(t, Handler{Kind: queue.Other, Run: func(ctx context.Context, t *Task) error {
			if !strings.HasSuffix(t.Lane, "/pods") {
				return g.run(ctx, t)
			}
			t.Phase(runs.PhaseReady)
			err := t.Park(ctx, runs.WaitPods, "pods that are not ready", false, func() error { <-ready; return nil })
			if err == nil {
				err = t.TakeSlot(ctx)
			}
			return err
		}})
		d := r.life()
		step := func(want string) {
			t.Helper()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := waits(d); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		d.AcceptAll([]hub.Event{of("acme", "pods")}) // alone: of three that come together any two have the slots first
		step("pods: pods")
		d.AcceptAll([]hub.Event{of("acme", "a"), of("acme", "b")})
		step("pods: pods, a: in run, b: in run")
		close(ready)
		step("pods: slot, a: in run, b: in run")
		close(g.of("a"))
		step("b: in run")
		close(g.of("b"))
		d.Wait()
	})
}

func TestWorkSaysThatAnEventWaitsForTheLeaseAndForItsCopy(t *testing.T) {
	for _, want := range []queue.Wait{forLeader, forCopy} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Handler{Kind: queue.Other, Run: func(context.Context, *Task) error { return nil }})
			d, goOn := r.life(), make(chan struct{})
			d.lanes.Prepare = func(_ context.Context, _ string, waits func(queue.Wait)) ([]*queue.Job, error) {
				waits(want)
				<-goOn
				return nil, nil
			}
			d.AcceptAll([]hub.Event{deploy("shop")})
			synctest.Wait()
			if all := d.Work(); len(all) != 1 || all[0].Wait != want.For || all[0].Text != want.Text {
				t.Errorf("got %+v", all)
			}
			close(goOn)
			d.Wait()
		})
	}
}

// Of a newer version, perhaps: an operator of that version carries it out, and here nothing would ever take it off the list.
func TestACopyOfAnUnknownCallbackIsNoWork(t *testing.T) {
	r := newRig(t, Handler{Run: func(context.Context, *Task) error { return nil }})
	d := r.life()
	run, err := r.store.Restore("20261126T100000.000000Z-new-callback-shop-6c1f0a", hub.Event{Callback: "NewCallback", Argument: []byte(`{}`)}, "octo/shop")
	if err != nil {
		t.Fatal(err)
	}
	d.found(run, "")
	d.Wait()
	if work := d.Work(); len(work) > 0 {
		t.Errorf("got %+v", work)
	}
}
