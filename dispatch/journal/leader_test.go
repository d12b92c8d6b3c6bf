package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/kube"
)

// candidate is an operator that leads from the moment when it can until its end.
type candidate struct {
	*Leader
	api     *cutAPI
	stop    context.CancelFunc
	ended   chan struct{}
	err     error     // why it does not lead any more
	led     time.Time // when it began to lead; zero: never
	after   string    // identity of the leader before it
	stoodBy int
}

// cutAPI is one operator's connection to the API server.
type cutAPI struct {
	*fakeAPI
	mu  sync.Mutex
	err error // the error of every request of this operator; nil: none
}

func (c *cutAPI) Do(ctx context.Context, method, path string, body, into any) error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.fakeAPI.Do(ctx, method, path, body, into)
}

func (c *cutAPI) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

var errCutOff = fmt.Errorf("cut off: %w", kube.ErrUnreachable)

func candidacy(t *testing.T, api *fakeAPI, identity string) *candidate {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &candidate{api: &cutAPI{fakeAPI: api}, stop: stop, ended: make(chan struct{})}
	c.Leader = NewLeader(c.api, LeaderOptions{Identity: identity, Host: "pod", Controller: "https://controller", Namespace: "octo"}, slog.New(slog.DiscardHandler))
	go func() {
		defer close(c.ended)
		after, err := c.Lead(ctx, func(context.Context) error { c.stoodBy++; return nil })
		if err != nil {
			return
		}
		c.led, c.after = time.Now(), after
		c.err = c.Keep(ctx)
	}()
	return c
}

// leads tells whether the operator leads by its own account, and whether it may start work.
func (c *candidate) leads() (leads, mayStart bool) {
	leads, _ = c.Leads()
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	return leads, c.Wait(ctx) == nil
}

func (c *candidate) want(t *testing.T, when string, leads, mayStart bool) {
	t.Helper()
	synctest.Wait()
	if l, m := c.leads(); l != leads || m != mayStart {
		t.Errorf("%s: it leads: %v, and may start work: %v; want %v and %v", when, l, m, leads, mayStart)
	}
}

// end ends the operator as SIGTERM or SIGKILL does.
func (c *candidate) end(well bool) {
	c.stop()
	<-c.ended
	if well {
		c.Release(context.Background())
	}
}

const idA, idB = "aaaaaaaaaaaa", "bbbbbbbbbbbb"

// inBubble runs a test with a fake clock.
func inBubble(t *testing.T, test func(t *testing.T, api *fakeAPI)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newAPI()) })
}

// pass advances the clock, and waits until all goroutines have done what is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestOfSeveralOperatorsOneLeadsAndTheOthersStandBy(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		a.want(t, "the first", true, true)
		b := candidacy(t, api, idB)
		pass(10 * time.Minute)
		a.want(t, "the first, much later", true, true)
		b.want(t, "the second", false, false)
		if _, who := b.Leads(); who != "pod_"+idA || b.stoodBy != 1 {
			t.Errorf("the second says that %q leads, and stood by %d times", who, b.stoodBy)
		}
		a.end(false)
		b.end(true)
	})
}

func TestALeaderThatEndsWellIsReplacedAtTheNextLook(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		synctest.Wait()
		b := candidacy(t, api, idB)
		pass(time.Minute + 100*time.Millisecond)
		ended := time.Now()
		a.end(true)
		pass(time.Minute)
		if took := b.led.Sub(ended); b.led.IsZero() || took > lookInterval || b.after != idA {
			t.Errorf("after %v, in place of %q", took, b.after)
		}
		b.end(true)
	})
}

func TestALeaderThatIsKilledIsReplacedWithin15Seconds(t *testing.T) {
	for offset := range 10 {
		inBubble(t, func(t *testing.T, api *fakeAPI) {
			a := candidacy(t, api, idA)
			synctest.Wait()
			pass(time.Duration(offset) * 137 * time.Millisecond)
			b := candidacy(t, api, idB)
			pass(time.Minute + time.Duration(offset)*211*time.Millisecond)
			killed := time.Now()
			a.end(false)
			pass(time.Minute)
			if took := b.led.Sub(killed); b.led.IsZero() || took > 15*time.Second || took < leaseDuration-renewInterval || b.after != idA {
				t.Errorf("after %v, in place of %q", took, b.after)
			}
			b.end(true)
		})
	}
}

func TestALeaderThatIsStartedAgainOnItsDiskLeadsAtOnce(t *testing.T) {
	for _, well := range []bool{false, true} {
		inBubble(t, func(t *testing.T, api *fakeAPI) {
			candidacy := func() *candidate { return candidacy(t, api, idA) }
			a := candidacy()
			pass(time.Minute)
			a.end(well)
			again := candidacy()
			again.want(t, "the next life", true, true)
			if again.after != "" {
				t.Errorf("it thinks that %s has led", again.after)
			}
			again.end(true)
		})
	}
}

func TestALeaderThatIsCutOffStartsNothingBeforeAnotherOneCanLeadAndStopsWhenItSeesThatOne(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		synctest.Wait()
		b := candidacy(t, api, idB)
		pass(time.Minute)
		a.api.set(errCutOff)
		pass(pauseAfter - renewInterval)
		for b.led.IsZero() {
			if _, may := a.leads(); may && !b.led.IsZero() {
				t.Fatal("both start work")
			}
			pass(50 * time.Millisecond)
			synctest.Wait()
		}
		a.want(t, "cut off", true, false)
		if paused := b.led.Add(pauseAfter - leaseDuration); time.Since(paused) < 2*time.Second {
			t.Errorf("the margin is %v", time.Since(paused))
		}
		a.api.set(nil)
		<-a.ended
		if !errors.Is(a.err, ErrLost) || !strings.Contains(a.err.Error(), idB) {
			t.Errorf("it ended with %v", a.err)
		}
		a.want(t, "back again", false, false)
		a.Release(t.Context())
		pass(time.Minute)
		b.want(t, "the new one", true, true)
		b.end(true)
	})
}

func TestAfterAnOutageForEverybodyTheLeaderGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		synctest.Wait()
		b := candidacy(t, api, idB)
		pass(time.Minute)
		a.api.set(errCutOff)
		b.api.set(errCutOff)
		pass(10 * time.Minute)
		a.want(t, "during the outage", true, false)
		a.api.set(nil)
		b.api.set(nil)
		pass(renewInterval)
		a.want(t, "after it", true, true)
		pass(time.Minute)
		b.want(t, "the other one", false, false)
		a.end(true)
		b.end(true)
	})
}

func TestARenewalThatIsRefusedForAMomentEndsNothing(t *testing.T) {
	for _, code := range []int{401, 403, 409, 500} {
		inBubble(t, func(t *testing.T, api *fakeAPI) {
			a := candidacy(t, api, idA)
			synctest.Wait()
			b := candidacy(t, api, idB)
			pass(time.Minute)
			a.api.set(refused(code))
			pass(renewInterval + time.Second)
			a.want(t, "refused once", true, true)
			a.api.set(nil)
			pass(10 * time.Minute)
			a.want(t, fmt.Sprint(code, " long ago"), true, true)
			b.want(t, "the other one", false, false)
			a.end(true)
			b.end(true)
		})
	}
}

func TestALeaderThatMayNotRenewAnyMoreStopsOnceItsLeaseHasRunOut(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		synctest.Wait()
		pass(time.Minute)
		a.api.set(refused(http.StatusForbidden))
		<-a.ended
		if !errors.Is(a.err, ErrLost) {
			t.Errorf("it ended with %v", a.err)
		}
	})
}

func TestWhoMayHaveNoLeaseWorksAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		api.set(refused(http.StatusForbidden))
		a := candidacy(t, api, idA)
		pass(refusedFor - time.Second)
		a.want(t, "refused for a moment", false, false)
		pass(3 * time.Second)
		a.want(t, "refused for good", true, true)
		if !a.Alone() {
			t.Error("it does not say that it is alone")
		}
		pass(10 * time.Minute)
		a.want(t, "much later", true, true)
		a.end(true)
		if a.err != nil || len(api.objects) != 0 {
			t.Errorf("it ended with %v and left %v", a.err, api.objects)
		}
	})
}

func TestWhoWorksAloneLooksAgainAndStopsIfAnotherOneLeads(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		a.api.set(refused(http.StatusForbidden))
		b := candidacy(t, api, idB)
		pass(30 * time.Second)
		a.want(t, "while it is refused", true, true)
		b.want(t, "beside one that is refused", true, true)
		a.api.set(nil)
		pass(11 * time.Second)
		a.want(t, "when it may look again", false, false)
		b.want(t, "when the other one may look again", true, true)
		if !errors.Is(a.err, ErrLost) || !strings.Contains(a.err.Error(), "pod") {
			t.Errorf("it ends with %v", a.err)
		}
	})
}

func TestWhoWorksAloneLeadsOnceItMay(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		a.api.set(refused(http.StatusForbidden))
		pass(30 * time.Second)
		a.api.set(nil)
		pass(11 * time.Second)
		b := candidacy(t, api, idB)
		pass(time.Minute)
		a.want(t, "once it may", true, true)
		b.want(t, "beside it", false, false)
	})
}

func TestAnAPIServerThatRefusesForAMomentLetsNobodyWorkAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		api.set(refused(http.StatusForbidden))
		a := candidacy(t, api, idA)
		for range 20 { // refused, unreachable, refused …
			pass(2 * time.Second)
			api.set(errCutOff)
			pass(2 * time.Second)
			api.set(refused(http.StatusForbidden))
		}
		a.want(t, "now and then", false, false)
		api.set(nil)
		pass(2 * lookInterval)
		a.want(t, "in the end", true, true)
		if a.Alone() {
			t.Error("alone")
		}
		a.end(true)
	})
}

func TestALeaseThatIsDeletedOrChangedByHandIsTheLeadersAgain(t *testing.T) {
	for name, change := range map[string]func(*fakeAPI, string){
		"deleted": func(api *fakeAPI, path string) { delete(api.objects, path) },
		"changed": func(api *fakeAPI, path string) { meta(api.objects[path])["resourceVersion"] = "4711" },
	} {
		inBubble(t, func(t *testing.T, api *fakeAPI) {
			a := candidacy(t, api, idA)
			pass(time.Minute)
			synctest.Wait()
			api.mu.Lock()
			for path := range api.objects {
				change(api, path)
			}
			api.mu.Unlock()
			pass(time.Minute)
			a.want(t, name, true, true)
			a.end(true)
		})
	}
}

func TestEachControllerHasALeaderOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, api *fakeAPI) {
		a := candidacy(t, api, idA)
		other := NewLeader(api, LeaderOptions{Identity: idB, Controller: "https://another", Namespace: "octo"}, slog.New(slog.DiscardHandler))
		if _, err := other.Lead(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		a.want(t, "beside another controller's", true, true)
		a.end(true)
	})
}

func TestALeaderWhoseMachineSleptDoesNotStartWork(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name string
		now  time.Time
		may  bool
	}{
		{"at once", now, true},
		{"just in time", now.Add(pauseAfter - time.Millisecond), true},
		{"too late", now.Add(pauseAfter), false},
		{"by the wall clock alone", now.Round(0).Add(pauseAfter), false},
	} {
		if got := tenure(now).mayStart(test.now); got != test.may {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
