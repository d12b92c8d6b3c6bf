package dispatch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnEndlessEventIsTriedUntilItHasWorkedOrIsWrongItself(t *testing.T) {
	for why := Outage; why <= Refused; why++ {
		r, now := newRetries(time.Minute), time.Now()
		r.endless = true
		if why == repositoryAway {
			continue // no pool has one: as long as helm's own timeout
		}
		for i := range 1000 {
			if wait, again := r.next(why, now, now); !again || wait > lastEndlessRetry {
				t.Fatalf("%q: at try %d: again %v, in %s", why, i, again, wait)
			}
		}
	}
	r, now := newRetries(time.Minute), time.Now()
	r.endless = true
	if _, again := r.next(Final, now, now); again {
		t.Error("what is wrong itself is tried again")
	}
	for _, why := range []RetryCause{WebhookAway, Refused, BeingDeleted, MaybeOutage} { // of a single event that somebody runs by hand
		r, now, tries := newRetries(time.Minute), time.Now(), 1
		for again := true; again; tries++ {
			_, again = r.next(why, now, now)
		}
		if tries != maxTries+1 {
			t.Errorf("%q: %d tries", why, tries-1)
		}
	}
}

func TestHundredsOfPoolsThatWaitAskNoMoreThanTwiceASecondAndTheFirstThatWorksWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 500
		p, began, ended := NewRetryGroup(), time.Now(), make(chan time.Duration, all)
		woken := p.begin()
		for range all {
			go func() {
				_ = p.pause(t.Context(), time.Second, woken)
				ended <- time.Since(began)
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if tries := len(ended); tries < 60 || tries > 121 {
			t.Errorf("%d tries in a minute", tries)
		}
		p.Wake()
		synctest.Wait()
		if len(ended) != all || p.waiting != 0 {
			t.Errorf("%d of %d are awake", len(ended), all)
		}
		// What wakes them during a try is not lost.
		if _ = p.pause(t.Context(), time.Hour, woken); time.Since(began) > time.Minute {
			t.Error("it slept although it was woken before")
		}
	})
}
