package handlers

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

// diary writes down what lanes do.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

// job is one of lane a, tenant t, that writes its name when it runs and then waits for hold, if any.
func (d *diary) job(name string, k kind, hold <-chan struct{}) *job {
	return &job{
		lane: "a", tenant: "t", kind: k,
		run: func(ctx context.Context) {
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
		superseded: func(error) { d.write("%s superseded", name) },
	}
}

// await returns when an entry is there.
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
func busy(t *testing.T) (l *lanes, release func()) {
	l = newLanes(t.Context(), 2, 0)
	hold, started := make(chan struct{}), make(chan struct{})
	l.add(&job{lane: "a", tenant: "t", run: func(context.Context) { close(started); <-hold }})
	<-started
	return l, func() { close(hold); l.wait() }
}

func TestWhatANewerEventMakesPointlessIsSuperseded(t *testing.T) {
	for _, test := range []struct {
		name      string
		kinds     []kind
		gone, ran []string
	}{
		{"of deploys only the newest runs", []kind{deploy, deploy, deploy}, []string{"0", "1"}, []string{"2"}},
		{"an undeploy replaces deploys before it", []kind{deploy, undeploy}, []string{"0"}, []string{"1"}},
		{"an undeploy replaces an undeploy", []kind{undeploy, undeploy}, []string{"0"}, []string{"1"}},
		{"a deploy after an undeploy leaves it alone", []kind{undeploy, deploy}, nil, []string{"0", "1"}},
		{"undeploy, deploy, undeploy, deploy", []kind{undeploy, deploy, undeploy, deploy}, []string{"0", "1"}, []string{"2", "3"}},
		{"others are never superseded", []kind{other, other, deploy, other}, nil, []string{"0", "1", "2", "3"}},
	} {
		for name, add := range map[string]func(*lanes, []*job){
			"one by one": func(l *lanes, jobs []*job) {
				for _, j := range jobs {
					l.add(j)
				}
			},
			"together": func(l *lanes, jobs []*job) { l.add(jobs...) },
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				gone, ran := &diary{}, &diary{} // who is superseded ends beside others
				l, release := busy(t)
				var jobs []*job
				for i, k := range test.kinds {
					j := ran.job(fmt.Sprint(i), k, nil)
					j.superseded = func(error) { gone.write("%d", i) }
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
	d, queued := &diary{}, &diary{} // what is superseded ends beside what runs
	l := newLanes(t.Context(), 1, 0)
	started := make(chan struct{})
	running := d.job("running", deploy, make(chan struct{}))
	run := running.run
	running.run = func(ctx context.Context) { close(started); run(ctx) }
	l.add(running)
	<-started
	d.await("running")
	l.add(queued.job("newer", deploy, nil))
	l.add(d.job("undeploy", undeploy, nil))
	l.wait()
	d.expect(t, "running", "running stopped", "undeploy")
	queued.expect(t, "newer superseded")
}

func TestLanesRunBesideEachOtherUpToTheLimit(t *testing.T) {
	l := newLanes(t.Context(), 3, 0)
	var mu sync.Mutex
	running, most := 0, 0
	full := make(chan struct{})
	for i := range 12 {
		l.add(&job{lane: fmt.Sprint(i), tenant: "t", run: func(context.Context) {
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
	l.wait()
	if most != 3 {
		t.Errorf("at most %d ran at once, want 3", most)
	}
}

func TestATenantsLoneJobRunsWithNothingElseOfTheTenant(t *testing.T) {
	d := &diary{}
	l := newLanes(t.Context(), 4, 0)
	started, hold := make(chan struct{}), make(chan struct{})
	l.add(&job{lane: "a", tenant: "t", run: func(context.Context) { close(started); <-hold; d.write("in flight") }})
	<-started
	l.add(&job{lane: "lone", tenant: "t", alone: true, run: func(context.Context) { d.write("lone") }})
	otherDone := make(chan struct{})
	l.add(&job{lane: "c", tenant: "other", run: func(context.Context) { d.write("other tenant"); close(otherDone) }})
	<-otherDone
	close(hold)
	l.wait()
	d.expect(t, "other tenant", "in flight", "lone")
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newLanes(ctx, 1, 0)
	cancel()
	l.add(&job{lane: "a", run: func(context.Context) { t.Error("it ran") }})
	l.wait()
}

func TestWhatWasLeftInALaneComesBeforeWhatWasAdded(t *testing.T) {
	d := &diary{}
	l := newLanes(t.Context(), 1, 0)
	asked, proceed := make(chan struct{}), make(chan struct{})
	left := []*job{d.job("left undeploy", undeploy, nil), d.job("left deploy", deploy, nil)}
	var once sync.Once
	l.hold = func(context.Context, string) (older []*job, err error) {
		once.Do(func() { close(asked); <-proceed; older = left })
		return older, nil
	}
	l.add(d.job("added deploy", deploy, nil))
	<-asked
	l.add(d.job("added scale", scale, nil)) // while another operator is waited for
	close(proceed)
	l.wait()
	d.expect(t, "left deploy superseded", "left undeploy", "added deploy", "added scale")
}

func TestATouchedLaneRunsWhatWasLeftInIt(t *testing.T) {
	d := &diary{}
	l := newLanes(t.Context(), 1, 0)
	var once sync.Once
	l.hold = func(context.Context, string) (older []*job, err error) {
		once.Do(func() { older = []*job{d.job("left", deploy, nil)} })
		return older, nil
	}
	l.touch("a")
	l.wait()
	d.expect(t, "left")
}

func TestATouchWhileALaneLooksForTheLastTimeIsNotLost(t *testing.T) {
	d := &diary{}
	l := newLanes(t.Context(), 1, 0)
	looks := 0
	l.hold = func(context.Context, string) (older []*job, err error) {
		switch looks++; looks {
		case 1:
			l.touch("a") // what there is has been looked at already
		case 2:
			older = []*job{d.job("left", deploy, nil)}
		}
		return older, nil
	}
	l.touch("a")
	l.wait()
	d.expect(t, "left")
}

func TestWaitingForTheEndBearsEventsThatComeMeanwhile(t *testing.T) {
	l := newLanes(t.Context(), 4, 0)
	var adding, waiting sync.WaitGroup
	for i := range 4 {
		adding.Go(func() {
			for range 500 {
				l.add(&job{lane: string(rune('a' + i)), run: func(context.Context) {}, superseded: func(error) {}})
			}
		})
		waiting.Go(func() {
			for range 500 {
				l.wait()
			}
		})
	}
	adding.Wait()
	waiting.Wait()
	l.wait()
	if len(l.lanes) != 0 {
		t.Errorf("%d lanes are left", len(l.lanes))
	}
}

func TestTheEndStopsWhatOnlyWaits(t *testing.T) {
	for _, pool := range []bool{false, true} {
		l := newLanes(t.Context(), 1, 0)
		rests := make(chan struct{})
		var cause error
		j := &job{lane: "a", tenant: "t", kind: deploy, pool: pool, run: func(ctx context.Context) {
			_ = turnOf(ctx).rest(true, func() error {
				close(rests)
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil
			})
		}}
		l.add(j)
		<-rests
		l.shut()
		l.wait()
		if !errors.Is(cause, errEnds) {
			t.Errorf("pool=%v: stopped by %v", pool, cause)
		}
	}
}

func TestAfterClosingWhatRunsGoesOnAndNothingStarts(t *testing.T) {
	d := &diary{}
	l, release := busy(t)
	l.add(d.job("queued", deploy, nil))
	l.close()
	l.add(&job{lane: "b", run: func(context.Context) { d.write("b") }})
	release()
	d.expect(t)
}

func TestWhatAScalingWaitsForIsNotStoppedByANewerDeploy(t *testing.T) {
	for _, first := range []string{"rests already", "rests later"} {
		t.Run(first, func(t *testing.T) {
			d := &diary{}
			l := newLanes(t.Context(), 1, 0)
			queued, rested := make(chan struct{}), make(chan struct{})
			l.add(&job{lane: "a", tenant: "t", kind: deploy, run: func(ctx context.Context) {
				if first == "rests later" {
					<-queued
				}
				_ = turnOf(ctx).rest(true, func() error {
					close(rested)
					<-queued
					if ctx.Err() == nil {
						d.write("first")
					}
					return nil
				})
			}})
			if first == "rests already" {
				<-rested
			}
			l.add(d.job("scaling", scale, nil))
			l.add(d.job("second", deploy, nil))
			close(queued)
			l.wait()
			d.expect(t, "first", "scaling", "second")
		})
	}
}

// Before it can run, the update's copy is written into the cluster, which may take long.
func TestFromTheMomentThatATenantsUpdateIsAcceptedNothingNewOfTheTenantStarts(t *testing.T) {
	for _, ofPool := range []bool{false, true} {
		t.Run(fmt.Sprintf("pool=%v", ofPool), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, copied := &diary{}, make(chan struct{})
				l := newLanes(t.Context(), 4, 0)
				l.hold = func(_ context.Context, lane string) ([]*job, error) {
					if lane == "update" {
						<-copied
					}
					return nil, nil
				}
				update, later, others := d.job("update", other, nil), d.job("later", deploy, nil), d.job("another tenant's", deploy, nil)
				update.lane, update.alone = "update", true
				later.pool = ofPool
				others.lane, others.tenant = "b", "b"
				for _, j := range []*job{update, later, others} {
					l.add(j)
				}
				synctest.Wait()
				d.expect(t, "another tenant's")
				close(copied)
				l.wait()
				d.expect(t, "another tenant's", "update", "later")
				if len(l.turns.tenants)+len(l.pools.tenants) != 0 {
					t.Error("a tenant is remembered for ever")
				}
			})
		})
	}
}

// What another operator has left in a lane may be a workload's of another tenant, with the same release name.
func TestAJobRunsInATurnOfItsOwnTenant(t *testing.T) {
	d := &diary{}
	l := newLanes(t.Context(), 1, 0)
	ofTenant := func(tenant string) *job {
		return &job{lane: "a", owner: tenant, tenant: tenant, kind: deploy, superseded: func(error) { t.Errorf("%s's was superseded", tenant) },
			run: func(ctx context.Context) { d.write("%s in a turn of %s", tenant, turnOf(ctx).tenant) }}
	}
	looks := 0
	l.hold = func(context.Context, string) (older []*job, err error) {
		if looks++; looks == 2 { // the job that was added has its turn by now
			return []*job{ofTenant("left")}, nil
		}
		return nil, nil
	}
	l.add(ofTenant("added"))
	l.wait()
	d.expect(t, "left in a turn of left", "added in a turn of added")
}
