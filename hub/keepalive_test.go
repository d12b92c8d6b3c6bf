package hub

import (
	"fmt"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// longerThanTimeout is longer than the 30 s of silence after which the controller and the library give a connection up.
const longerThanTimeout = 95 * time.Second

func TestKeepAliveGoesOnWhileReceiveIsBlocked(t *testing.T) {
	hangs := func(s *setup) {
		s.receive = func(e Event) {
			if e.Callback == PreUpdateTenant {
				time.Sleep(longerThanTimeout) // a disk that hangs
			}
		}
	}
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := t.Context()
		operator.RegisterPool(pool)
		_, err := controller.WaitRegistered(ctx, poolThat)
		must(t, err)
		must(t, controller.PreUpdateTenant(ctx, tenant))
		for i := range 3 {
			must(t, controller.Deploy(ctx, workload(fmt.Sprint(i))))
		}
		started := time.Now()
		if e := operator.next(ctx, t); e.Callback != PreUpdateTenant || time.Since(started) < longerThanTimeout {
			t.Errorf("got %s first, after %s", e.Callback, time.Since(started))
		}
		for i := range 3 {
			if got := workloadName(t, operator.next(ctx, t)); got != fmt.Sprint(i) {
				t.Errorf("got event %s, want %d", got, i)
			}
		}
		wantUnbroken(t, controller)
	}, hangs)
}

func TestCallbacksWithoutPingsKeepTheConnectionAlive(t *testing.T) {
	neverPings := devcontroller.Options{KeepAlive: -1}
	inBubble(t, neverPings, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := t.Context()
		operator.untilRegistered(ctx, t)
		for started := time.Now(); time.Since(started) < longerThanTimeout; time.Sleep(5 * time.Second) {
			must(t, controller.PreUpdateTenant(ctx, tenant))
			operator.next(ctx, t)
		}
		wantUnbroken(t, controller)
	})
}

func TestASilentControllerIsLeftAndConnectedToAgain(t *testing.T) {
	hangs := devcontroller.Options{KeepAlive: -1}
	inBubble(t, hangs, func(t *testing.T, operator *operator, _ *devcontroller.Server) {
		ctx := t.Context()
		operator.untilRegistered(ctx, t)
		operator.untilRegistered(ctx, t)
		if !holdsAll(operator.log.text(), []string{"not connected to the controller", "timeout interval elapsed"}) {
			t.Error("the log does not say why")
		}
	})
}

// ASP.NET Core closes a connection on which a message waits for longer to be sent.
const transportSendTimeout = 10 * time.Second

func TestAControllerCanSendWhileReceiveIsBlocked(t *testing.T) {
	const burst = 1000
	hangs := func(s *setup) {
		s.receive = func(e Event) {
			if e.Callback == PreUpdateTenant {
				time.Sleep(longerThanTimeout) // a disk that hangs
			}
		}
	}
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := t.Context()
		operator.RegisterPool(pool)
		_, err := controller.WaitRegistered(ctx, poolThat)
		must(t, err)
		must(t, controller.PreUpdateTenant(ctx, tenant))
		began := time.Now()
		for i := range burst {
			must(t, controller.Deploy(ctx, workload(fmt.Sprint(i))))
		}
		if took := time.Since(began); took > transportSendTimeout {
			t.Errorf("the last event could be sent after %s", took)
		}
		operator.next(ctx, t)
		for i := range burst {
			if got := workloadName(t, operator.next(ctx, t)); got != fmt.Sprint(i) {
				t.Fatalf("got event %s, want %d", got, i)
			}
		}
		wantUnbroken(t, controller)
	}, hangs)
}
