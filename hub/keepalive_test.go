package hub

import (
	"fmt"
	"testing"
	"time"

	"octo-operator/devcontroller"
)

// The other side takes a connection for dead after 30 s of silence, and so does the library. These tests have to outlast
// that; they run beside each other.
const longerThanTimeout = 35 * time.Second

func TestKeepAliveGoesOnWhileReceiveIsBlocked(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	started, release := make(chan struct{}, 1), make(chan struct{})
	operator := startOperator(t, controller.URL(), func(s *setup) {
		s.receive = func(e Event) {
			if e.Callback == PreUpdateTenant {
				started <- struct{}{}
				<-release // a disk that hangs
			}
		}
	})
	operator.RegisterPool(pool)
	_, err := controller.WaitRegistered(ctx, poolThat)
	must(t, err)
	must(t, controller.PreUpdateTenant(ctx, tenant))
	for i := range 3 {
		must(t, controller.Deploy(ctx, workload(fmt.Sprint(i))))
	}
	receive(ctx, t, started, "the blocking event")
	time.AfterFunc(longerThanTimeout, func() { close(release) })

	if e := operator.next(ctx, t); e.Callback != PreUpdateTenant {
		t.Errorf("got %s first", e.Callback)
	}
	for i := range 3 {
		if got := workloadName(t, operator.next(ctx, t)); got != fmt.Sprint(i) {
			t.Errorf("got event %s, want %d", got, i)
		}
	}
	wantUnbroken(t, controller)
}

func TestCallbacksWithoutPingsKeepTheConnectionAlive(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{KeepAlive: -1}) // never pings
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	for started := time.Now(); time.Since(started) < longerThanTimeout; {
		must(t, controller.PreUpdateTenant(ctx, tenant))
		operator.next(ctx, t)
		receive(ctx, t, every.C, "the next event's time")
	}
	must(t, controller.PreUpdateTenant(ctx, tenant))
	operator.next(ctx, t)
	wantUnbroken(t, controller)
}

func TestASilentControllerIsLeftAndConnectedToAgain(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{KeepAlive: -1}) // never pings, as one that hangs
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	operator.untilRegistered(ctx, t)
	if !holdsAll(operator.log.text(), []string{"not connected to the controller", "timeout interval elapsed"}) {
		t.Error("the log does not say why")
	}
}
