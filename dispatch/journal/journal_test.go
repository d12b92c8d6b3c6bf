package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube"
)

// pod is an operator with a disk of its own.
type pod struct {
	*Journal
	t       *testing.T
	store   *runs.Store
	mu      sync.Mutex
	found   []string
	from    []string // the operators that have handed over the found runs
	reports []string
}

func newPod(t *testing.T, api API) *pod {
	t.Helper()
	return podOf(t, api, "https://controller", "octo")
}

func podOf(t *testing.T, api API, controller string, namespaces ...string) *pod {
	t.Helper()
	p := &pod{t: t}
	var err error
	if p.store, err = runs.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	add := func(to *[]string, what string) { p.mu.Lock(); defer p.mu.Unlock(); *to = append(*to, what) }
	p.Journal = New(api, Options{
		Controller: controller, Identity: idA, Namespaces: namespaces, Key: "key",
		Restore: func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error) {
			run, err := p.store.Restore(id, event, l.Name)
			if err != nil {
				return nil, err
			}
			if _, err := run.Result(); err == nil {
				return nil, nil // as handlers do
			}
			return run, run.RestoreCrashNotes(notes)
		},
		Report: func(_ *runs.Run, report []byte) { add(&p.reports, string(report)) },
		Found:  func(run *runs.Run, from string) { add(&p.found, run.ID); add(&p.from, from) },
	}, slog.New(slog.DiscardHandler))
	return p
}

var laneA = Lane{"octo/a", "octo"}

func (p *pod) create(l Lane, number int) *runs.Run {
	p.t.Helper()
	argument := fmt.Sprintf(`{"number":%d,"repositoryPassword":"pw"}`, number)
	run, err := p.store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(argument)}, l.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	return run
}

func (p *pod) accept(l Lane, number int) *runs.Run {
	p.t.Helper()
	run := p.create(l, number)
	p.Add(l, run)
	return run
}

func (p *pod) copied(l Lane) {
	p.t.Helper()
	if err := p.Copied(p.t.Context(), l.Name); err != nil {
		p.t.Fatalf("not copied: %v", err)
	}
}

func (p *pod) load() *pod {
	p.t.Helper()
	if err := p.Load(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// copyAll writes all lanes, as Run does.
func (p *pod) copyAll() {
	p.t.Helper()
	p.Journal.mu.Lock()
	var all []*lane
	for _, l := range p.lanes {
		all = append(all, l)
	}
	p.Journal.mu.Unlock()
	for _, l := range all {
		if err := p.write(p.t.Context(), l); err != nil {
			p.t.Fatal(err)
		}
	}
}

func newAPI() *fakeAPI { return &fakeAPI{objects: map[string]map[string]any{}} }

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	got = slices.Clone(got)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func refused(code int) error { return &kube.StatusError{Code: code, Reason: "Refused"} }

func TestAnEventIsInTheClusterUntilItHasEndedAndItsReportUntilItIsDelivered(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	run := p.accept(laneA, 1)
	if run.Copied() {
		t.Error("it is said to be copied before it is")
	}
	p.copied(laneA)
	want(t, "copied", api.secrets(), run.ID)
	if !run.Copied() {
		t.Error("its directory does not say that it is copied")
	}
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

func TestWhoLeadsNextFindsEverythingThatIsUnfinished(t *testing.T) {
	api := newAPI()
	old := newPod(t, api)
	done, first, second := old.accept(laneA, 1), old.accept(laneA, 2), old.accept(laneA, 3)
	old.Reporting(laneA, done, []byte(`{"report":1}`))
	old.Finished(laneA, done.ID)
	old.copied(laneA)

	next := newPod(t, api).load()
	want(t, "found", next.found, first.ID, second.ID)
	want(t, "handed over by", next.from, "", "")
	want(t, "reports", next.reports, `{"report":1}`)
	mine := next.accept(laneA, 4)
	next.copied(laneA)
	want(t, "in the cluster", api.secrets(), done.ID+".report", first.ID, second.ID, mine.ID)
	restored := &runs.Run{ID: first.ID, Dir: next.store.Dir() + "/" + first.ID}
	event, err := restored.Event()
	if err != nil || !strings.Contains(string(event.Argument), `"number":2`) || !strings.Contains(string(event.Argument), `"pw"`) || !restored.Copied() {
		t.Errorf("restored as %s, %v; copied is %v", event.Argument, err, restored.Copied())
	}
	if mine.ID < second.ID {
		t.Error("a new event sorts before one that was restored")
	}
}

// The event has lost its secrets by then. If the next leader carried it out, it would replace the real secrets by the placeholder.
func TestAnEventThatHasEndedIsNotCopiedAnyMore(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	run, next := p.accept(laneA, 1), p.accept(laneA, 2)
	clean := hub.Event{Callback: run.Callback, Argument: []byte(`{"number":1,"repositoryPassword":"[removed after the run]"}`)}
	if err := run.Finish(runs.Result{Outcome: runs.Superseded}, &clean); err != nil {
		t.Fatal(err)
	}
	p.copyAll() // before the journal is told that the run has ended
	want(t, "found by the next leader", newPod(t, api).load().found, next.ID)
	p.Finished(laneA, run.ID)
	p.Finished(laneA, next.ID)
	p.copyAll()
	want(t, "left in the cluster", api.secrets())
}

func TestALaterLifeOnTheSameDiskFindsNothingTwice(t *testing.T) {
	api := newAPI()
	old := newPod(t, api)
	ended, open := old.accept(laneA, 1), old.accept(laneA, 2)
	old.copied(laneA)
	if err := ended.Finish(runs.Result{Outcome: runs.Succeeded}, nil); err != nil { // and the operator is killed before the copy is removed
		t.Fatal(err)
	}
	next := newPod(t, api)
	next.store = old.store
	next.load()
	want(t, "found", next.found, open.ID)
	next.copyAll()
	want(t, "in the cluster", api.secrets(), open.ID)
}

func TestWhatIsHandedOverIsFoundOnceAndSurvivesUntilTheLaneHasIt(t *testing.T) {
	api := newAPI()
	leader := newPod(t, api).load()
	known := leader.accept(laneA, 1)
	leader.copied(laneA)
	other := newPod(t, api)
	other.o.Identity = idB
	run, reported := other.create(laneA, 2), other.create(laneA, 3)
	for range 2 { // the first answer was lost
		if err := errors.Join(other.HandOver(t.Context(), laneA, run, nil), other.HandOver(t.Context(), laneA, reported, []byte(`{"report":3}`))); err != nil {
			t.Fatal(err)
		}
	}
	if !run.Copied() {
		t.Error("its directory does not say that it was handed over")
	}
	api.refuse = func(method, _ string) error {
		if method == "PUT" {
			return refused(500)
		}
		return nil
	}
	_ = leader.take(t.Context())
	_ = leader.write(t.Context(), leader.known(laneA.Name))
	want(t, "before the lane has it", api.secrets(), known.ID, run.ID, reported.ID+".report")
	api.refuse = nil
	_ = leader.take(t.Context())
	leader.copyAll()
	_ = leader.take(t.Context())
	want(t, "found", leader.found, run.ID)
	want(t, "from", leader.from, idB)
	want(t, "reports", leader.reports, `{"report":3}`)
	want(t, "in the cluster", api.secrets(), known.ID, run.ID, reported.ID+".report")
	if n := len(api.objects); n != 1 {
		t.Errorf("the lane has %d Secrets", n)
	}
}

func TestWhoLeadsReadsTheCopiesAsTheyAreAndThenLooksOnlyAtWhatTheAPIServerHasAtHand(t *testing.T) {
	api := newAPI()
	other := newPod(t, api)
	handOver := func(number int) string {
		run := other.create(laneA, number)
		if err := other.HandOver(t.Context(), laneA, run, nil); err != nil {
			t.Fatal(err)
		}
		return run.ID
	}
	api.cached = map[string]map[string]any{} // the cache does not have the new Secrets yet
	first := handOver(1)
	p := newPod(t, api).load()
	want(t, "found at the start", p.found, first)

	second := handOver(2)
	look := func() {
		if err := p.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.copyAll()
	}
	look()
	want(t, "found before the API server has it at hand", p.found, first)
	api.cached = maps.Clone(api.objects)
	look()
	want(t, "found then", p.found, first, second)

	p.Finished(laneA, first)
	p.Finished(laneA, second)
	p.copyAll()
	look() // the cache has only what was there before
	want(t, "found although it is done", p.found, first, second)
	want(t, "in the cluster", api.secrets())
	if p.known(laneA.Name) != nil {
		t.Error("the lane is not forgotten")
	}
}

func TestWhoDoesNotLeadAnyMoreChangesNoCopies(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	run := p.accept(laneA, 1)
	p.copied(laneA)
	p.Stop()
	p.Finished(laneA, run.ID)
	p.accept(laneA, 2)
	p.copyAll()
	ended, end := context.WithCancel(t.Context())
	end()
	p.Run(ended, second)
	want(t, "in the cluster", api.secrets(), run.ID)
}

func TestWhoMayNotLeadAnyMoreWritesNothingUntilItKnowsThatItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPI()
		p := newPod(t, api)
		leads := false
		p.o.MayWrite = func() bool { return leads }
		run := p.accept(laneA, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Copied(ctx, laneA.Name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not wait: %v", err)
		}
		want(t, "in the cluster", api.secrets())
		leads = true
		p.copied(laneA)
		want(t, "in the cluster", api.secrets(), run.ID)
	})
}

func TestWhileTheAPIServerIsAwayALaneWaitsAndNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPI()
		p := newPod(t, api)
		api.set(fmt.Errorf("down: %w", kube.ErrUnreachable))
		run := p.accept(laneA, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Copied(ctx, laneA.Name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not wait: %v", err)
		}
		api.set(nil)
		p.copied(laneA)
		want(t, "in the cluster", api.secrets(), run.ID)
	})
}

func TestAWriteThatIsRefusedIsTriedAgainUntilTheClusterKnows(t *testing.T) {
	for _, code := range []int{401, 403, 409, 500} {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			t.Run(fmt.Sprint(code, " ", method), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newAPI()
					p := newPod(t, api)
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan struct{})
					go func() { p.Run(ctx, second); close(ended) }()
					left := 3
					api.refuse = func(m, _ string) error {
						if m == method && left > 0 {
							left--
							return refused(code)
						}
						return nil
					}
					first := p.accept(laneA, 1)
					p.copied(laneA) // succeeds although only the disk has the event
					later := p.accept(laneA, 2)
					p.copied(laneA)
					time.Sleep(20 * time.Second)
					want(t, "in the cluster", api.secrets(), first.ID, later.ID)
					for _, run := range []*runs.Run{first, later} {
						if err := run.Finish(runs.Result{Outcome: runs.Succeeded}, nil); err != nil {
							t.Fatal(err)
						}
						p.Finished(laneA, run.ID)
					}
					time.Sleep(20 * time.Second)
					want(t, "in the end", api.secrets())
					if left != 0 {
						t.Errorf("%d requests were not refused", left)
					}
					cancel()
					<-ended
				})
			})
		}
	}
}

// The API server answers 404 to a create in a namespace that does not exist.
func TestAnEventForANamespaceThatDoesNotExistRuns(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	api.set(refused(http.StatusNotFound))
	p.accept(laneA, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Copied(ctx, laneA.Name); err != nil {
		t.Errorf("it waits: %v", err)
	}
}

func TestANamespaceThatIsRefusedKeepsNoOtherWaitingAndIsLoadedLater(t *testing.T) {
	api := newAPI()
	laneB := Lane{"platform/b", "platform"}
	old := podOf(t, api, "https://controller", "octo", "platform")
	a, b := old.accept(laneA, 1), old.accept(laneB, 2)
	old.copied(laneA)
	old.copied(laneB)
	next := podOf(t, api, "https://controller", "octo", "platform")
	api.refuse = func(_, path string) error {
		if strings.Contains(path, "/octo/") {
			return refused(403)
		}
		return nil
	}
	next.load()
	want(t, "while one is refused", next.found, b.ID)
	api.refuse = nil
	_ = next.take(t.Context())
	want(t, "later", next.found, a.ID, b.ID)
}

func TestAnAPIServerThatCannotBeAskedIsNoEmptyJournal(t *testing.T) {
	api := newAPI()
	api.set(fmt.Errorf("down: %w", kube.ErrUnreachable))
	if err := newPod(t, api).Load(t.Context()); !errors.Is(err, kube.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestASecretThatSomebodyDeletedIsWrittenAgain(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	first := p.accept(laneA, 1)
	p.copied(laneA)
	clear(api.objects)
	second := p.accept(laneA, 2)
	p.copied(laneA)
	want(t, "in the cluster", api.secrets(), first.ID, second.ID)
}

func TestOperatorsOfOtherControllersAreLeftAlone(t *testing.T) {
	api := newAPI()
	old := newPod(t, api)
	left := old.accept(laneA, 1)
	old.copied(laneA)
	next := podOf(t, api, "https://another", "octo")
	run := next.accept(laneA, 2)
	next.copied(laneA)
	want(t, "in the cluster", api.secrets(), left.ID, run.ID)
}

func second() time.Duration { return time.Second }

// 2,000 events may have come in the last second, and if the node goes, so does the disk.
func TestTheEndCopiesForAsLongAsThereIsTime(t *testing.T) {
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
				p := newPod(t, api)
				for i := range lanes {
					p.accept(Lane{Name: fmt.Sprintf("octo/lane-%d", i), Namespace: "octo"}, i)
				}
				api.takes = 500 * time.Millisecond // for each request, of which 8 run at a time
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				p.Run(ctx, func() time.Duration { return test.time })
				if n := len(api.secrets()); !test.copied(n) {
					t.Errorf("%d of %d are in the cluster", n, lanes)
				}
			})
		})
	}
}
