package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// diary records what lanes do.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

// job returns a job of lane a and tenant t that records its name when it runs, and then waits for hold, if that is not nil.
func (d *diary) job(name string, k Kind, hold <-chan struct{}) *Job {
	return &Job{
		Lane: "a", Tenant: "t", Kind: k,
		Run: func(ctx context.Context) {
			d.write("%s", name)
			if hold == nil {
				return
			}
			select {
			case <-hold:
			case <-ctx.Done():
				d.write("%s stopped", name)
			}
		},
		Superseded: func(error) { d.write("%s superseded", name) },
	}
}

// await waits for an entry.
func (d *diary) await(entry string) {
	for {
		d.mu.Lock()
		found := slices.Contains(d.entries, entry)
		d.mu.Unlock()
		if found {
			return
		}
		runtime.Gosched()
	}
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.entries, want) {
		t.Errorf("it went %q, want %q", d.entries, want)
	}
}

// busy returns lanes whose lane a is held by a running job until release is called.
func busy(t *testing.T) (l *Lanes, release func()) {
	l = New(t.Context(), 2, 0)
	hold, started := make(chan struct{}), make(chan struct{})
	l.Add(&Job{Lane: "a", Tenant: "t", Run: func(context.Context) { close(started); <-hold }})
	<-started
	return l, func() { close(hold); l.Wait() }
}

func TestWhatANewerEventMakesPointlessIsSuperseded(t *testing.T) {
	for _, test := range []struct {
		name      string
		kinds     []Kind
		gone, ran []string
	}{
		{"of deploys only the newest runs", []Kind{Deploy, Deploy, Deploy}, []string{"0", "1"}, []string{"2"}},
		{"an undeploy replaces deploys before it", []Kind{Deploy, Undeploy}, []string{"0"}, []string{"1"}},
		{"an undeploy replaces an undeploy", []Kind{Undeploy, Undeploy}, []string{"0"}, []string{"1"}},
		{"a deploy after an undeploy leaves it alone", []Kind{Undeploy, Deploy}, nil, []string{"0", "1"}},
		{"undeploy, deploy, undeploy, deploy", []Kind{Undeploy, Deploy, Undeploy, Deploy}, []string{"0", "1"}, []string{"2", "3"}},
		{"others are never superseded", []Kind{Other, Other, Deploy, Other}, nil, []string{"0", "1", "2", "3"}},
	} {
		for name, add := range map[string]func(*Lanes, []*Job){
			"one by one": func(l *Lanes, jobs []*Job) {
				for _, j := range jobs {
					l.Add(j)
				}
			},
			"together": func(l *Lanes, jobs []*Job) { l.Add(jobs...) },
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				gone, ran := &diary{}, &diary{} // separate, because superseded jobs end at the same time as others
				l, release := busy(t)
				var jobs []*Job
				for i, k := range test.kinds {
					j := ran.job(fmt.Sprint(i), k, nil)
					j.Superseded = func(error) { gone.write("%d", i) }
					jobs = append(jobs, j)
				}
				add(l, jobs)
				slices.Sort(gone.entries)
				gone.expect(t, test.gone...)
				release()
				ran.expect(t, test.ran...)
			})
		}
	}
}

func TestAnUndeployStopsARunningDeployAndADeployDoesNot(t *testing.T) {
	d, queued := &diary{}, &diary{} // separate, because superseded jobs end while others run
	l := New(t.Context(), 1, 0)
	started := make(chan struct{})
	running := d.job("running", Deploy, make(chan struct{}))
	run := running.Run
	running.Run = func(ctx context.Context) { close(started); run(ctx) }
	l.Add(running)
	<-started
	d.await("running")
	l.Add(queued.job("newer", Deploy, nil))
	l.Add(d.job("undeploy", Undeploy, nil))
	l.Wait()
	d.expect(t, "running", "running stopped", "undeploy")
	queued.expect(t, "newer superseded")
}

func TestLanesRunBesideEachOtherUpToTheLimit(t *testing.T) {
	l := New(t.Context(), 3, 0)
	var mu sync.Mutex
	running, most := 0, 0
	full := make(chan struct{})
	for i := range 12 {
		l.Add(&Job{Lane: fmt.Sprint(i), Tenant: "t", Run: func(context.Context) {
			mu.Lock()
			if running++; running > most {
				if most = running; most == 3 {
					close(full)
				}
			}
			mu.Unlock()
			<-full // all three places must be taken at the same time
			mu.Lock()
			running--
			mu.Unlock()
		}})
	}
	l.Wait()
	if most != 3 {
		t.Errorf("at most %d ran at once, want 3", most)
	}
}

func TestATenantsLoneJobRunsWithNothingElseOfTheTenant(t *testing.T) {
	d := &diary{}
	l := New(t.Context(), 4, 0)
	started, hold := make(chan struct{}), make(chan struct{})
	l.Add(&Job{Lane: "a", Tenant: "t", Run: func(context.Context) { close(started); <-hold; d.write("in flight") }})
	<-started
	l.Add(&Job{Lane: "lone", Tenant: "t", Alone: true, Run: func(context.Context) { d.write("lone") }})
	otherDone := make(chan struct{})
	l.Add(&Job{Lane: "c", Tenant: "other", Run: func(context.Context) { d.write("other tenant"); close(otherDone) }})
	<-otherDone
	close(hold)
	l.Wait()
	d.expect(t, "other tenant", "in flight", "lone")
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := New(ctx, 1, 0)
	cancel()
	l.Add(&Job{Lane: "a", Run: func(context.Context) { t.Error("it ran") }})
	l.Wait()
}

func TestWhatWasLeftInALaneComesBeforeWhatWasAdded(t *testing.T) {
	d := &diary{}
	l := New(t.Context(), 1, 0)
	asked, proceed := make(chan struct{}), make(chan struct{})
	left := []*Job{d.job("left undeploy", Undeploy, nil), d.job("left deploy", Deploy, nil)}
	var once sync.Once
	l.Prepare = func(context.Context, string, func(Wait)) (older []*Job, err error) {
		once.Do(func() { close(asked); <-proceed; older = left })
		return older, nil
	}
	l.Add(d.job("added deploy", Deploy, nil))
	<-asked
	l.Add(d.job("added scale", Scale, nil)) // while Prepare waits
	close(proceed)
	l.Wait()
	d.expect(t, "left deploy superseded", "left undeploy", "added deploy", "added scale")
}

func TestATouchedLaneRunsWhatWasLeftInIt(t *testing.T) {
	d := &diary{}
	l := New(t.Context(), 1, 0)
	var once sync.Once
	l.Prepare = func(context.Context, string, func(Wait)) (older []*Job, err error) {
		once.Do(func() { older = []*Job{d.job("left", Deploy, nil)} })
		return older, nil
	}
	l.Touch("a")
	l.Wait()
	d.expect(t, "left")
}

func TestATouchWhileALaneLooksForTheLastTimeIsNotLost(t *testing.T) {
	d := &diary{}
	l := New(t.Context(), 1, 0)
	looks := 0
	l.Prepare = func(context.Context, string, func(Wait)) (older []*Job, err error) {
		switch looks++; looks {
		case 1:
			l.Touch("a") // after Prepare has been called
		case 2:
			older = []*Job{d.job("left", Deploy, nil)}
		}
		return older, nil
	}
	l.Touch("a")
	l.Wait()
	d.expect(t, "left")
}

func TestWaitingForTheEndBearsEventsThatComeMeanwhile(t *testing.T) {
	l := New(t.Context(), 4, 0)
	var adding, waiting sync.WaitGroup
	for i := range 4 {
		adding.Go(func() {
			for range 500 {
				l.Add(&Job{Lane: string(rune('a' + i)), Run: func(context.Context) {}, Superseded: func(error) {}})
			}
		})
		waiting.Go(func() {
			for range 500 {
				l.Wait()
			}
		})
	}
	adding.Wait()
	waiting.Wait()
	l.Wait()
	if len(l.lanes) != 0 {
		t.Errorf("%d lanes are left", len(l.lanes))
	}
}

func TestTheEndStopsWhatOnlyWaits(t *testing.T) {
	for _, pool := range []bool{false, true} {
		l := New(t.Context(), 1, 0)
		parked := make(chan struct{})
		var cause error
		j := &Job{Lane: "a", Tenant: "t", Kind: Deploy, Pool: pool, Run: func(ctx context.Context) {
			_ = TurnOf(ctx).Park(true, func() error {
				close(parked)
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil
			})
		}}
		l.Add(j)
		<-parked
		l.Shut()
		l.Wait()
		if !errors.Is(cause, errShut) {
			t.Errorf("pool=%v: stopped by %v", pool, cause)
		}
	}
}

func TestAfterClosingWhatRunsGoesOnAndNothingStarts(t *testing.T) {
	d := &diary{}
	l, release := busy(t)
	l.Add(d.job("queued", Deploy, nil))
	l.shut()
	l.Add(&Job{Lane: "b", Run: func(context.Context) { d.write("b") }})
	release()
	d.expect(t)
}

func TestWhatAScalingWaitsForIsNotStoppedByANewerDeploy(t *testing.T) {
	for _, first := range []string{"parked already", "parked later"} {
		t.Run(first, func(t *testing.T) {
			d := &diary{}
			l := New(t.Context(), 1, 0)
			queued, parked := make(chan struct{}), make(chan struct{})
			l.Add(&Job{Lane: "a", Tenant: "t", Kind: Deploy, Run: func(ctx context.Context) {
				if first == "parked later" {
					<-queued
				}
				_ = TurnOf(ctx).Park(true, func() error {
					close(parked)
					<-queued
					if ctx.Err() == nil {
						d.write("first")
					}
					return nil
				})
			}})
			if first == "parked already" {
				<-parked
			}
			l.Add(d.job("scaling", Scale, nil))
			l.Add(d.job("second", Deploy, nil))
			close(queued)
			l.Wait()
			d.expect(t, "first", "scaling", "second")
		})
	}
}

// Before the update can run, its copy is written to the cluster, which may take long.
func TestFromTheMomentThatATenantsUpdateIsAcceptedNothingNewOfTheTenantStarts(t *testing.T) {
	for _, ofPool := range []bool{false, true} {
		t.Run(fmt.Sprintf("pool=%v", ofPool), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, copied := &diary{}, make(chan struct{})
				l := New(t.Context(), 4, 0)
				l.Prepare = func(_ context.Context, lane string, _ func(Wait)) ([]*Job, error) {
					if lane == "update" {
						<-copied
					}
					return nil, nil
				}
				update, later, others := d.job("update", Other, nil), d.job("later", Deploy, nil), d.job("another tenant's", Deploy, nil)
				update.Lane, update.Alone = "update", true
				later.Pool = ofPool
				others.Lane, others.Tenant = "b", "b"
				for _, j := range []*Job{update, later, others} {
					l.Add(j)
				}
				synctest.Wait()
				d.expect(t, "another tenant's")
				close(copied)
				l.Wait()
				d.expect(t, "another tenant's", "update", "later")
				if len(l.turns.tenants)+len(l.pools.tenants) != 0 {
					t.Error("a tenant is remembered for ever")
				}
			})
		})
	}
}

// An event that another operator has left in a lane may belong to a workload of another tenant with the same release name.
func TestAJobRunsInATurnOfItsOwnTenant(t *testing.T) {
	d := &diary{}
	l := New(t.Context(), 1, 0)
	ofTenant := func(tenant string) *Job {
		return &Job{Lane: "a", Subject: tenant, Tenant: tenant, Kind: Deploy, Superseded: func(error) { t.Errorf("%s's was superseded", tenant) },
			Run: func(ctx context.Context) { d.write("%s in a turn of %s", tenant, TurnOf(ctx).tenant) }}
	}
	looks := 0
	l.Prepare = func(context.Context, string, func(Wait)) (older []*Job, err error) {
		if looks++; looks == 2 { // the added job has its turn by now
			return []*Job{ofTenant("left")}, nil
		}
		return nil, nil
	}
	l.Add(ofTenant("added"))
	l.Wait()
	d.expect(t, "left in a turn of left", "added in a turn of added")
}
