package hub

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"octo-operator/dev/devcontroller"
)

const registerPool = "RegisterPoolAsync"

func TestARejectedPoolIsTriedAgainUntilItIsAccepted(t *testing.T) {
	for _, generation := range []struct {
		name devcontroller.Generation
		pool Pool
	}{
		{devcontroller.G1, Pool{TenantID: tenant, PoolName: "main"}},
		{devcontroller.G3, pool},
		{devcontroller.G4, Pool{TenantID: tenant, DeploymentSiteRtID: poolID}},
	} {
		t.Run(string(generation.name), func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, devcontroller.Options{Generation: generation.name})
			method := registerPool
			if generation.name == devcontroller.G4 {
				method = "RegisterDeploymentSiteAsync"
			}
			operator := startOperator(t, controller.URL())
			operator.untilRegistered(ctx, t)
			controller.FailNext(method, 3, "warming up")
			operator.RegisterPool(generation.pool)
			_, err := controller.WaitRegistered(ctx, devcontroller.Pool{TenantID: tenant, ID: generation.pool.ID()})
			must(t, err)
			operator.log.wait(ctx, t, "pool registered", tenant)
			if n := operator.log.count("pool not registered yet", "warming up", "retry_in"); n != 3 {
				t.Errorf("%d rejections were logged, want 3", n)
			}
			wantUnbroken(t, controller)
		})
	}
}

func TestWithoutARetryOnlyTheNextConnectionRegistersARejectedPool(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL(), func(s *setup) { s.settings.PoolRetrySeconds = 0 })
	operator.untilRegistered(ctx, t)
	controller.FailNext(registerPool, 1, "warming up")
	operator.RegisterPool(pool)
	operator.log.wait(ctx, t, "pool not registered: the next connection tries again", "warming up", "OPERATOR__POOLREGISTRATIONRETRYSECONDS")
	controller.DropConnections()
	_, err := controller.WaitRegistered(ctx, poolThat)
	must(t, err)
	if n := operator.log.count("pool not registered"); n != 1 {
		t.Errorf("rejected %d times, want once", n)
	}
}

func TestARejectedPoolDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.RegisterPool(Pool{TenantID: tenant, PoolRtID: "no-id"}) // rejected for ever
	_, err := controller.WaitFor(ctx, registerPool, nil)
	must(t, err)
	operator.RegisterPool(pool)
	_, err = controller.WaitRegistered(ctx, poolThat)
	must(t, err)
}

func TestATenantsPoolsAreRegisteredAgainWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	other := devcontroller.Pool{TenantID: "beta", ID: rtID24(1)}
	operator.RegisterPool(pool)
	operator.RegisterPool(Pool{TenantID: other.TenantID, PoolRtID: other.ID})
	for _, p := range []devcontroller.Pool{poolThat, other} {
		_, err := controller.WaitRegistered(ctx, p)
		must(t, err)
	}
	operator.log.wait(ctx, t, "pool registered", "beta")
	before := controller.LastSeq()
	controller.ForgetRegistrations(tenant) // as the update of a tenant does
	controller.FailNext(registerPool, 2, "warming up")
	must(t, operator.ReregisterTenant(ctx, tenant)) // returns when the controller has accepted it
	if registered := controller.Connections()[0].Registered; !slices.Contains(registered, poolThat) {
		t.Errorf("registered are %v", registered)
	}
	for _, call := range controller.Calls() {
		if call.Seq > before && argument(t, call, 0) != tenant {
			t.Errorf("another tenant was disturbed: %s", call)
		}
	}
	wantUnbroken(t, controller)
}

func TestUnregisterPoolStopsTheRetriesAndTellsTheController(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(registerPool, -1, "warming up")
	operator := startOperator(t, controller.URL())
	operator.RegisterPool(pool)
	_, err := controller.WaitFor(ctx, registerPool, nil)
	must(t, err)
	operator.UnregisterPool(pool)
	unregistered, err := controller.WaitFor(ctx, "UnregisterPoolAsync", nil)
	must(t, err)

	// Another pool's retries show how much time has passed.
	other := Pool{TenantID: "beta", PoolRtID: rtID24(1)}
	operator.RegisterPool(other)
	tries := 0
	_, err = controller.WaitFor(ctx, registerPool, func(c devcontroller.Call) bool {
		if argument(t, c, 0) == "beta" {
			tries++
		}
		return tries == 4
	})
	must(t, err)
	for _, call := range controller.Calls() {
		if call.Seq > unregistered.Seq && call.Method == registerPool && argument(t, call, 0) == tenant {
			t.Errorf("tried after it was unregistered: %s", call)
		}
	}

	controller.DropConnections()
	operator.untilRegistered(ctx, t)
	operator.untilRegistered(ctx, t)
	before := controller.LastSeq()
	_, err = controller.WaitFor(ctx, registerPool, func(c devcontroller.Call) bool { return c.Seq > before })
	must(t, err)
	for _, call := range controller.Calls() {
		if call.Seq > unregistered.Seq && call.Method == registerPool && argument(t, call, 0) == tenant {
			t.Errorf("registered on the next connection: %s", call)
		}
	}
}

func TestAPoolsStatusSaysHowFarItIsInTheReferenceOperatorsWords(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(registerPool, 1, "warming up")
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	operator.RegisterPool(pool)
	said := func() string {
		t.Helper()
		return strings.TrimPrefix(receive(ctx, t, operator.statuses, "a status"), poolID+" ")
	}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := said(); got != w {
				t.Fatalf("it says %q, want %q", got, w)
			}
		}
	}
	expect("In Progress")
	if got := said(); !strings.HasPrefix(got, "Failed: ") || !strings.Contains(got, "warming up") {
		t.Errorf("of a rejection it says %q", got)
	}
	expect("Registered")
	controller.DropConnections()
	expect("In Progress", "In Progress", "Registered") // without a connection, and on the new one
}

// A tenant's pools are registered again while the resource of one of them is deleted.
func TestAPoolThatIsUnregisteredDuringItsTenantsUpdateStaysOut(t *testing.T) {
	t.Parallel()
	operator := newOperator(t, "http://127.0.0.1:1")
	for range 20_000 {
		operator.RegisterPool(pool)
		var both sync.WaitGroup
		both.Go(func() { operator.UnregisterPool(pool) })
		both.Go(func() { _ = operator.ReregisterTenant(t.Context(), tenant) })
		both.Wait()
		if left := operator.pools.renew(tenant); len(left) > 0 {
			t.Fatalf("%v came back", left)
		}
	}
}

func argument(t *testing.T, call devcontroller.Call, i int) (text string) {
	t.Helper()
	must(t, call.Arg(i, &text))
	return text
}
