package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/runs"
)

// pod is an operator with a disk of its own.
type pod struct {
	*Journal
	t       *testing.T
	store   *runs.Store
	mu      sync.Mutex
	found   []string
	lost    []string
	reports []string
}

func newPod(t *testing.T, api *fakeAPI, identity string) *pod {
	t.Helper()
	return podOf(t, api, identity, "https://controller")
}

func podOf(t *testing.T, api *fakeAPI, identity, controller string) *pod {
	t.Helper()
	p := &pod{t: t}
	var err error
	if p.store, err = runs.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	add := func(to *[]string, what string) { p.mu.Lock(); defer p.mu.Unlock(); *to = append(*to, what) }
	p.Journal = New(api, Options{
		Identity: identity, Controller: controller, Namespaces: []string{"octo"}, LeaseIn: "octo", Key: "key",
		Restore: func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error) {
			run, err := p.store.Restore(id, event, l.Name)
			return run, errors.Join(err, run.Inherit(notes))
		},
		Report: func(_ *runs.Run, report []byte) { add(&p.reports, string(report)) },
		Found:  func(lane string) { add(&p.found, lane) },
		Lost:   func(lane string) { add(&p.lost, lane) },
	}, slog.New(slog.DiscardHandler))
	p.beat(t.Context())
	return p
}

var laneA = Lane{"octo/a", "octo"}

func (p *pod) accept(l Lane, number int) *runs.Run {
	p.t.Helper()
	argument := fmt.Sprintf(`{"number":%d,"repositoryPassword":"pw"}`, number)
	run, err := p.store.Create(hub.Event{Callback: hub.WorkloadDeploy, Argument: []byte(argument)}, l.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Add(l, run)
	return run
}

// hold returns the ids of what was left.
func (p *pod) hold(l Lane) (ids []string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	left, err := p.Hold(ctx, l.Name)
	if err != nil {
		p.t.Fatalf("the lane was not held: %v", err)
	}
	for _, run := range left {
		ids = append(ids, run.ID)
	}
	return ids
}

// cannotHold looks at once: it does not wait for the lane.
func (p *pod) cannotHold(l Lane) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Hold(ctx, l.Name); err == nil {
		p.t.Error("the lane of a living operator was held")
	}
}

// copyAll does what the writers do.
func (p *pod) copyAll() {
	p.t.Helper()
	for _, l := range p.copyTolerant() {
		if _, err := p.write(p.t.Context(), l, true); err != nil {
			p.t.Fatal(err)
		}
	}
}

// copyTolerant is copyAll for lanes that may be another's.
func (p *pod) copyTolerant() (all []*lane) {
	p.Journal.mu.Lock()
	for _, l := range p.lanes {
		all = append(all, l)
	}
	p.Journal.mu.Unlock()
	for _, l := range all {
		_, _ = p.write(p.t.Context(), l, true)
	}
	return all
}

func newAPI() *fakeAPI { return &fakeAPI{objects: map[string]map[string]any{}} }

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestAnEventIsInTheClusterUntilItHasEndedAndItsReportUntilItIsDelivered(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "111111111111")
	run := p.accept(laneA, 1)
	p.hold(laneA)
	want(t, "held", api.secrets(), run.ID)
	p.Reporting(laneA, run, []byte("{}"))
	p.Finished(laneA, run.ID)
	p.copyAll()
	want(t, "finished", api.secrets(), run.ID+".report")
	p.Reported(laneA, run.ID)
	p.copyAll()
	want(t, "reported", api.secrets())
	if len(p.lanes) != 0 {
		t.Errorf("%d lanes are remembered", len(p.lanes))
	}
}

func TestWhatAnOperatorThatEndedHasLeftIsTakenOverInItsOrder(t *testing.T) {
	api := newAPI()
	old := newPod(t, api, "111111111111")
	done, first, second := old.accept(laneA, 1), old.accept(laneA, 2), old.accept(laneA, 3)
	old.Reporting(laneA, done, []byte(`{"report":1}`))
	old.Finished(laneA, done.ID)
	old.hold(laneA)

	next := newPod(t, api, "222222222222")
	mine := next.accept(laneA, 4)
	next.beat(t.Context())
	want(t, "found of a living operator", next.found)
	next.cannotHold(laneA)

	old.giveUp(t.Context())
	next.beat(t.Context())
	if got := next.hold(laneA); !slices.Equal(got, []string{first.ID, second.ID}) {
		t.Errorf("left: got %q, want %q", got, []string{first.ID, second.ID})
	}
	want(t, "reports", next.reports, `{"report":1}`)
	want(t, "in the cluster", api.secrets(), done.ID+".report", first.ID, second.ID, mine.ID)
	event, err := (&runs.Run{ID: first.ID, Dir: next.store.Dir() + "/" + first.ID}).Event()
	if err != nil || !strings.Contains(string(event.Argument), `"number":2`) || !strings.Contains(string(event.Argument), `"pw"`) {
		t.Errorf("restored as %s, %v", event.Argument, err)
	}

	// The old one was not dead: it only could not be seen.
	old.Add(laneA, first)
	old.copyTolerant()
	want(t, "lost", old.lost, "octo/a")
	old.accept(laneA, 5)
	old.cannotHold(laneA)
}

func TestWhatWaitsForALaneSurvivesTheOneWhoWaited(t *testing.T) {
	api := newAPI()
	old := newPod(t, api, "111111111111")
	running := old.accept(laneA, 1)
	old.hold(laneA)
	second := newPod(t, api, "222222222222")
	waiting := second.accept(laneA, 2)
	second.cannotHold(laneA)
	want(t, "set aside", api.secrets(), running.ID, waiting.ID)
	old.beat(t.Context())
	want(t, "lost by who holds the lane", old.lost)
	second.giveUp(t.Context()) // and its disk is gone

	third := newPod(t, api, "333333333333")
	want(t, "found", third.found, "octo/a")
	newest := third.accept(laneA, 3)
	third.cannotHold(laneA)
	old.Finished(laneA, running.ID)
	old.copyAll()
	want(t, "after the first had ended", api.secrets(), waiting.ID, newest.ID)
	if got := third.hold(laneA); !slices.Equal(got, []string{waiting.ID}) {
		t.Errorf("left: %q, want %q", got, waiting.ID)
	}
	want(t, "with the third", api.secrets(), waiting.ID, newest.ID)
	third.Finished(laneA, waiting.ID)
	third.Finished(laneA, newest.ID)
	third.copyAll()
	want(t, "at the end", api.secrets())
}

func TestCopyingInTheBackgroundTakesNothingOver(t *testing.T) {
	api := newAPI()
	old := newPod(t, api, "111111111111")
	left := old.accept(laneA, 1)
	old.hold(laneA)
	old.giveUp(t.Context())
	next := newPod(t, api, "222222222222")
	next.accept(laneA, 2)
	if runs, err := next.write(t.Context(), next.lanes[laneA.Name], false); len(runs) > 0 || err == nil {
		t.Errorf("took %d runs that nobody would run, %v", len(runs), err)
	}
	if got := next.hold(laneA); !slices.Equal(got, []string{left.ID}) {
		t.Errorf("left: %q, want %q", got, left.ID)
	}
}

func TestAnOperatorIsDeadAfterItsLeaseHasRunOutBeforeOurEyes(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	h := &holders{}
	alive := func(what string, want bool) {
		t.Helper()
		if got := h.alive("x"); got != want {
			t.Errorf("%s: alive is %v", what, got)
		}
	}
	alive("never seen", true)
	h.saw("x", "beat 1", false, at(0))
	h.saw("x", "beat 1", false, at(14))
	alive("just before", true)
	h.saw("x", "beat 2", false, at(16))
	alive("it beats", true)
	h.saw("x", "beat 2", false, at(32))
	alive("no beat for 16 s", false)
	h.unseen() // the API server was away: everybody's last beat is old
	h.saw("x", "beat 2", false, at(100))
	alive("just after an outage", true)
	h.saw("x", "beat 2", false, at(116))
	alive("long after the outage", false)
	h.saw("x", "", true, at(117))
	alive("its Lease is gone", false)
}

func TestAnEarlierLifeOnTheSameDiskIsNotWaitedFor(t *testing.T) {
	api := newAPI()
	old := newPod(t, api, "111111111111")
	ended, open := old.accept(laneA, 1), old.accept(laneA, 2)
	old.hold(laneA)
	if err := ended.Finish(runs.Result{Outcome: runs.Succeeded}, nil); err != nil { // and killed before the cluster knew
		t.Fatal(err)
	}
	next := newPod(t, api, "111111111111")
	next.store = old.store
	next.o.Restore = func(l Lane, id string, event hub.Event, _ []byte) (*runs.Run, error) {
		if id == ended.ID {
			return nil, nil // as handlers do
		}
		return next.store.Restore(id, event, l.Name)
	}
	next.Add(laneA, open) // resumed from disk
	if left := next.hold(laneA); len(left) > 0 {
		t.Errorf("resumed twice: %q", left)
	}
	want(t, "in the cluster", api.secrets(), open.ID)
}

func TestWhileTheAPIServerIsAwayALaneWaitsAndNothingIsForgotten(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "111111111111")
	api.set(fmt.Errorf("down: %w", kube.ErrUnreachable))
	run := p.accept(laneA, 1)
	p.cannotHold(laneA)
	api.set(nil)
	p.hold(laneA)
	want(t, "in the cluster", api.secrets(), run.ID)
}

func TestAnOperatorThatMayNotWriteSecretsGoesOnWithItsDisk(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "111111111111")
	api.set(&kube.StatusError{Code: 403, Reason: "Forbidden"})
	p.accept(laneA, 1)
	p.hold(laneA)
}

func TestAnOperatorThatMayNotHaveALeaseGoesOnWithItsDisk(t *testing.T) {
	api := newAPI()
	api.set(&kube.StatusError{Code: 403, Reason: "Forbidden"})
	p := newPod(t, api, "111111111111")
	api.set(nil)
	p.accept(laneA, 1)
	p.hold(laneA)
	want(t, "in the cluster", api.secrets())
}

func TestASecretThatSomebodyDeletedIsWrittenAgain(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "111111111111")
	first := p.accept(laneA, 1)
	p.hold(laneA)
	for path := range api.objects {
		if strings.Contains(path, "/secrets/") {
			delete(api.objects, path)
		}
	}
	second := p.accept(laneA, 2)
	p.hold(laneA)
	want(t, "in the cluster", api.secrets(), first.ID, second.ID)
}

func TestOperatorsOfOtherControllersAreLeftAlone(t *testing.T) {
	api := newAPI()
	old := newPod(t, api, "111111111111")
	old.accept(laneA, 1)
	old.hold(laneA)
	old.giveUp(t.Context())
	next := podOf(t, api, "222222222222", "https://another")
	run := next.accept(laneA, 2)
	if left := next.hold(laneA); len(left) > 0 {
		t.Errorf("took %q", left)
	}
	if got := api.secrets(); !slices.Contains(got, run.ID) || len(got) != 2 {
		t.Errorf("in the cluster: %q", got)
	}
}

func TestTheEndCopiesWhatIsUnfinishedAndGivesUpTheLease(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "111111111111")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Run(ctx, second); close(ended) }()
	run := p.accept(laneA, 1)
	cancel()
	<-ended
	want(t, "in the cluster", api.secrets(), run.ID)
	for path := range api.objects {
		if strings.Contains(path, "/leases/") {
			t.Errorf("%s is left", path)
		}
	}
}

func second() time.Duration { return time.Second }

// 2,000 events may have come in the last second. A node that goes takes the disk with it.
func TestTheEndCopiesForAsLongAsThereIsTimeAndGivesUpTheLeaseAllTheSame(t *testing.T) {
	const lanes = 60
	for _, test := range []struct {
		name   string
		time   time.Duration
		copied func(int) bool
	}{
		{"all in time", time.Minute, func(n int) bool { return n == lanes }},
		{"not all", 100 * time.Millisecond, func(n int) bool { return n < lanes }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newAPI()
				p := newPod(t, api, "111111111111")
				for i := range lanes {
					p.accept(Lane{Name: fmt.Sprintf("octo/lane-%d", i), Namespace: "octo"}, i)
				}
				api.takes = 500 * time.Millisecond // a request: 8 at a time
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				p.Run(ctx, func() time.Duration { return test.time })
				if n := len(api.secrets()); !test.copied(n) {
					t.Errorf("%d of %d are in the cluster", n, lanes)
				}
				for path := range api.objects {
					if strings.Contains(path, "/leases/") {
						t.Errorf("%s is left", path)
					}
				}
			})
		})
	}
}

func TestTheEndCopiesWhatHasComeIntoALaneThatIsNotTakenYet(t *testing.T) {
	for what, last := range map[string]string{
		"left by an earlier life":       "111111111111",
		"left by an operator that died": "222222222222",
	} {
		api := newAPI()
		before := newPod(t, api, last)
		older := before.accept(laneA, 1)
		before.hold(laneA)
		before.giveUp(t.Context())
		p := newPod(t, api, "111111111111")
		newer := p.accept(laneA, 2)
		ctx, end := context.WithCancel(t.Context())
		end() // before the lane could be held
		p.Run(ctx, second)

		next := newPod(t, api, "333333333333")
		want(t, what, next.hold(laneA), older.ID, newer.ID)
	}
}
