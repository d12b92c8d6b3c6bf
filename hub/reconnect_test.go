package hub

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/dev/devcontroller"
)

func TestReconnectsAndRegistersItsPoolsAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(*testing.T, *devcontroller.Server)
	}{
		{"after a drop", func(_ *testing.T, s *devcontroller.Server) { s.DropConnections() }},
		{"after the controller closes the connection", func(_ *testing.T, s *devcontroller.Server) { s.CloseConnections(true) }},
		{"although the controller forbids it", func(_ *testing.T, s *devcontroller.Server) { s.CloseConnections(false) }},
		{"after a restart of the controller", func(t *testing.T, s *devcontroller.Server) {
			must(t, s.Close())
			must(t, s.Start(""))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, devcontroller.Options{})
			operator := startOperator(t, controller.URL())
			pools := []Pool{pool, {TenantID: "beta", PoolRtID: rtID24(7)}}
			for _, p := range pools {
				operator.RegisterPool(p)
			}
			for round := range 3 {
				for _, p := range pools {
					_, err := controller.WaitRegistered(ctx, devcontroller.Pool{TenantID: p.TenantID, ID: p.ID()})
					must(t, err)
				}
				must(t, controller.Deploy(ctx, workload(fmt.Sprint(round))))
				if got := workloadName(t, operator.next(ctx, t)); got != fmt.Sprint(round) {
					t.Errorf("got event %s, want %d", got, round)
				}
				operator.untilRegistered(ctx, t)
				if !operator.Connected() {
					t.Error("not connected after the registration")
				}
				test.lose(t, controller)
			}
			wantNoViolations(t, controller)
		})
	}
}

func TestConnectsToAControllerThatIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	must(t, controller.Close())
	operator := startOperator(t, controller.URL())
	operator.RegisterPool(pool)
	operator.log.wait(ctx, t, "not connected to the controller", controller.URL()+"/operatorHub", "connection refused", "retry_in")
	if operator.Connected() {
		t.Error("connected to a controller that is away")
	}
	must(t, controller.Start(""))
	_, err := controller.WaitRegistered(ctx, poolThat)
	must(t, err)
}

func TestAnAddressWithoutAHubIsSaidSo(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL()+"/elsewhere")
	operator.log.wait(ctx, t, "not connected to the controller", "/elsewhere/operatorHub", "404 Not Found")
}

func TestWaitsBetweenConnectionsAreJitteredAndStayBelow30s(t *testing.T) {
	differ := map[time.Duration]bool{}
	for range 50 {
		waits := reconnectWaits()
		for i := range 200 {
			wait := waits.NextBackOff()
			if wait <= 0 || wait > 30*time.Second {
				t.Fatalf("wait %d is %s", i, wait) // never Stop, which is negative: the operator does not give up
			}
			if i == 100 {
				differ[wait] = true
			}
		}
	}
	if len(differ) < 40 {
		t.Errorf("50 operators wait %d different times: they come back all at once", len(differ))
	}
}

func TestRunEndsWithItsContextWhileAReceiveIsUnderWay(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	started := make(chan struct{}, 1)
	// startOperator's cleanup waits for Run.
	operator := startOperator(t, controller.URL(), func(s *setup) { s.receive = func(Event) { started <- struct{}{} } })
	operator.untilRegistered(ctx, t)
	must(t, controller.PreUpdateTenant(ctx, tenant))
	receive(ctx, t, started, "the event")
}

// Such a controller may be closing because of what the operator sends after its registration.
func TestAControllerThatClosesAtOnceIsAskedMoreAndMoreSeldom(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		controller.OnInvoke(registerPool, func(devcontroller.Call) (any, error) {
			controller.DropConnections()
			return nil, nil
		})
		operator.RegisterPool(pool)
		time.Sleep(10 * time.Minute)
		if n := len(controller.Connections()); n < 20 || n > 90 { // a jittered 20 s, in the end
			t.Errorf("%d connections in 10 minutes", n)
		}
	})
}

func TestAConnectionThatWasSteadyIsMadeAgainAtOnce(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		for range 50 {
			operator.untilRegistered(testContext(t), t)
			time.Sleep(steadyAfter + time.Second)
			controller.DropConnections()
			time.Sleep(time.Second)
			if !operator.Connected() {
				t.Fatal("not connected again after a second")
			}
		}
	})
}

// What an event says about the controller counts only for its own connection, also if the operator was never registered on it.
func TestEachConnectionIsAnnouncedBetweenTheCallbacksOfTheOneBeforeAndItsOwn(t *testing.T) {
	var order []string
	listens := func(s *setup) {
		s.connecting = func() { order = append(order, "connecting") }
		s.receive = func(e Event) {
			time.Sleep(time.Minute) // it is still at work when the connection is lost
			order = append(order, string(e.Argument))
		}
	}
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := t.Context()
		operator.untilRegistered(ctx, t)
		controller.FailNext(registerOperator, 1, "warming up")
		controller.DropConnections()
		for _, tenant := range []string{"first", "second"} {
			operator.untilRegistered(ctx, t)
			must(t, controller.PreUpdateTenant(ctx, tenant))
			time.Sleep(time.Second)
			controller.DropConnections()
			operator.next(ctx, t)
		}
		operator.untilRegistered(ctx, t)
		synctest.Wait()
		want := []string{"connecting", "connecting", "connecting", `{"tenantId":"first"}`, "connecting", `{"tenantId":"second"}`, "connecting"}
		if !slices.Equal(order, want) {
			t.Errorf("got %q, want %q", order, want)
		}
	}, listens)
}
