package handlers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/hub"
)

// telling is a keepReporting at work.
type telling struct {
	registered chan struct{}
	answer     func() error // of the controller
	times      []time.Duration
	ended      chan struct{}
}

// startTelling runs keepReporting in a bubble, in which time jumps, until the end of the test.
func startTelling(t *testing.T, answer func() error) *telling {
	k := &telling{registered: make(chan struct{}, 1), answer: answer, ended: make(chan struct{})}
	started := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	tell := func(context.Context) error {
		k.times = append(k.times, time.Since(started))
		return k.answer()
	}
	go func() {
		defer close(k.ended)
		keepReporting(ctx, k.registered, tell, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-k.ended
	})
	return k
}

// register is a pool's registration.
func (k *telling) register() {
	select {
	case k.registered <- struct{}{}:
	default:
	}
}

// pass lets time go by, and what is to be done in it be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func taken() error { return nil }

func TestRegistrationsThatComeCloseTogetherAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startTelling(t, taken)
		pass(time.Hour)
		if len(k.times) > 0 {
			t.Error("told before any registration")
		}
		for range 500 {
			k.register()
			pass(100 * time.Microsecond)
		}
		pass(time.Hour)
		if len(k.times) != 1 {
			t.Errorf("told %d times, want once", len(k.times))
		}
		k.register()
		pass(time.Second)
		k.register()
		pass(time.Hour)
		if len(k.times) != 3 {
			t.Errorf("told %d times in all, want 3", len(k.times))
		}
	})
}

func TestARegistrationThatComesWhileItIsToldIsToldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startTelling(t, func() error { time.Sleep(10 * time.Second); return nil })
		k.register()
		pass(5 * time.Second)
		k.register()
		pass(time.Minute)
		if len(k.times) != 2 {
			t.Errorf("told %d times, want twice", len(k.times))
		}
	})
}

func TestADeployedStateThatIsRejectedForTenMinutesIsTakenInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var accepts atomic.Bool
		took := 0
		k := startTelling(t, func() error {
			if !accepts.Load() {
				return errors.New("warming up")
			}
			took++
			return nil
		})
		k.register()
		pass(10 * time.Minute)
		accepts.Store(true)
		pass(longestDeployedRetry + time.Second)
		if took != 1 {
			t.Errorf("taken %d times, want once", took)
		}
		if n := len(k.times); n < 6 || n > 20 {
			t.Errorf("told %d times", n)
		}
		var waits []time.Duration
		for i := 1; i < len(k.times); i++ {
			waits = append(waits, k.times[i]-k.times[i-1])
		}
		if first := waits[0]; first < firstDeployedRetry/2 || first > firstDeployedRetry*3/2 || slices.Max(waits) > longestDeployedRetry {
			t.Errorf("it waited %s", waits)
		}
		pass(24 * time.Hour)
		if took != 1 {
			t.Error("told again although nothing was registered")
		}
	})
}

func TestANewRegistrationDoesNotWaitForTheNextTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startTelling(t, func() error { return errors.New("warming up") })
		k.register()
		pass(time.Hour)
		before := len(k.times)
		k.answer = taken
		k.register()
		pass(time.Second)
		if len(k.times) != before+1 {
			t.Errorf("told %d times, want once", len(k.times)-before)
		}
	})
}

func TestAControllerThatCannotBeToldIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startTelling(t, func() error { return hub.ErrUnsupported })
		k.register()
		<-k.ended
		if len(k.times) != 1 {
			t.Errorf("told %d times, want once", len(k.times))
		}
	})
}
