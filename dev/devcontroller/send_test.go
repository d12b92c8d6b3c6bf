package devcontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWorkloadEventsGoToTheConnectionThatRegisteredThePool(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	mine, other := dial(t, s), dial(t, s)
	mine.register(ownPool)
	other.register(otherPool)
	for _, pool := range []Pool{otherPool, ownPool} {
		w := Workload{Pool: pool, Name: "w", RtID: otherID}
		if err := errors.Join(s.Deploy(ctx, w), s.Undeploy(ctx, w), s.Scale(ctx, w, 2)); err != nil {
			t.Fatal(err)
		}
	}
	for c, pool := range map[*rawClient]Pool{mine: ownPool, other: otherPool} {
		for _, callback := range []string{"WorkloadDeployedAsync", "WorkloadUndeployedAsync", "ScaleWorkloadAsync"} {
			target, args := c.event()
			if target != callback || !strings.Contains(string(args[0]), pool.ID) {
				t.Errorf("got %s%s, want %s of %s", target, args, callback, pool.ID)
			}
		}
	}
}

func TestEventOfAnUnregisteredPoolIsAnError(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	event := Workload{Pool: ownPool, Name: "w", RtID: otherID}
	wantError := func(want string) {
		t.Helper()
		if err := s.Deploy(ctx, event); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	wantError("cannot send WorkloadDeployedAsync: no operator is connected")
	c := dial(t, s)
	wantError("no connection has registered the pool")
	c.register(ownPool)
	if err := s.Deploy(ctx, event); err != nil {
		t.Error(err)
	}
	c.event()
	c.mustInvoke("UnregisterDeploymentSiteAsync", fmt.Sprintf("[%q,%q]", tenant, poolID))
	wantError("no connection has registered the pool")
	c.register(ownPool)
	s.ForgetRegistrations(tenant)
	wantError("no connection has registered the pool")
}

func TestOtherCallbacksGoToEveryConnection(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	clients := []*rawClient{dial(t, s), dial(t, s)}
	for _, send := range []func() error{
		func() error { return s.PreUpdateTenant(ctx, tenant) },
		func() error { return s.SendAll(ctx, "BrandNewCallbackAsync", tenant, 1, nil) },
		func() error { return s.SendAll(ctx, "NoArgumentsAsync") },
		func() error { return s.PoolDeployed(ctx, ownPool) },
		func() error { return s.PoolUndeployed(ctx, ownPool) },
	} {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		c.wantFrame(`{"type":1,"target":"PreUpdateTenantAsync","arguments":["meshtest"]}`)
		c.wantFrame(`{"type":1,"target":"BrandNewCallbackAsync","arguments":["meshtest",1,null]}`)
		c.wantFrame(`{"type":1,"target":"NoArgumentsAsync","arguments":[]}`)
		c.wantFrame(`{"type":1,"target":"DeploymentSiteDeployedAsync","arguments":[{"deploymentSiteRtId":"` +
			poolID + `","tenantId":"meshtest"}]}`)
		c.wantFrame(`{"type":1,"target":"DeploymentSiteUndeployedAsync","arguments":["meshtest","` + poolID + `"]}`)
	}
}

func TestTypedEventsHaveTheGenerationsShape(t *testing.T) {
	workload := Workload{Pool: ownPool, Name: "My \"adapter\"", RtID: otherID, ChartName: "chart"}
	for generation, register := range map[Generation]string{
		G1: "RegisterPoolAsync", G3: "RegisterPoolAsync", G4: "RegisterDeploymentSiteAsync",
	} {
		s := startServer(t, Options{Generation: generation})
		ctx := testContext(t)
		c := dial(t, s)
		c.mustInvoke(register, fmt.Sprintf("[%q,%q]", tenant, poolID))
		if err := errors.Join(s.Deploy(ctx, workload), s.Undeploy(ctx, workload)); err != nil {
			t.Fatal(err)
		}
		var deployed, undeployed map[string]any
		for _, into := range []*map[string]any{&deployed, &undeployed} {
			_, args := c.event()
			if err := json.Unmarshal(args[0], into); err != nil {
				t.Fatal(err)
			}
		}
		if deployed[generation.poolKey()] != poolID || undeployed[generation.poolKey()] != poolID {
			t.Errorf("%s: pool identity is missing in %v or %v", generation, deployed, undeployed)
		}
		if name, ok := deployed["hostname"]; !ok || name != nil {
			t.Errorf("%s: hostname is %v, want null", generation, name)
		}
		if values, ok := deployed["values"].([]any); !ok || len(values) != 0 {
			t.Errorf("%s: values are %v, want an empty list", generation, deployed["values"])
		}
		wantRtID := otherID
		if generation == G1 {
			wantRtID = ""
		}
		if deployed["workloadRtId"] != otherID || undeployed["workloadRtId"] != wantRtID {
			t.Errorf("%s: rtIds are %v and %v", generation, deployed["workloadRtId"], undeployed["workloadRtId"])
		}
		if err := s.Scale(ctx, workload, 3); (err != nil) != (generation == G1) {
			t.Errorf("%s: scale: %v", generation, err)
		}
	}
}

func TestBurstArrivesWholeAndInOrder(t *testing.T) {
	const events = 10_000
	s := startServer(t, Options{})
	ctx := testContext(t)
	c := dial(t, s)
	c.register(ownPool)
	sent := make(chan error, 1)
	go func() {
		for i := range events {
			if err := s.Deploy(ctx, Workload{Pool: ownPool, Name: fmt.Sprint(i), RtID: otherID}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range events {
		_, args := c.event()
		var event struct{ WorkloadName string }
		if err := json.Unmarshal(args[0], &event); err != nil || event.WorkloadName != fmt.Sprint(i) {
			t.Fatalf("event %d is %s (%v)", i, args[0], err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestEventOf4MiBArrivesWhole(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	c := dial(t, s)
	c.register(ownPool)
	values := strings.Repeat("key: välue <&>\n", 4<<20/16)
	for range 2 {
		if err := s.Deploy(ctx, Workload{Pool: ownPool, Name: "big", RtID: otherID, ValuesYaml: values}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		_, args := c.event()
		var event struct{ ValuesYaml string }
		if err := json.Unmarshal(args[0], &event); err != nil || event.ValuesYaml != values {
			t.Fatalf("got %d bytes of values (%v), want %d", len(event.ValuesYaml), err, len(values))
		}
	}
}

func TestSendWaitsForAnOperatorThatDoesNotRead(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.register(ownPool)
	ctx, cancel := context.WithCancel(testContext(t))
	event := Workload{Pool: ownPool, Name: "w", RtID: otherID, ValuesYaml: strings.Repeat("x", 256<<10)}
	sent := make(chan error, 1)
	queued := 0
	go func() {
		for {
			// The end of the socket buffers and of the queue comes somewhere below 200 MiB.
			if queued == 800 {
				sent <- errors.New("200 MiB were queued for a client that does not read")
				return
			}
			if queued == outboxLength {
				cancel() // from here on a full queue is an error at once
			}
			if err := s.Deploy(ctx, event); err != nil {
				sent <- err
				return
			}
			queued++
		}
	}()
	if err := <-sent; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "does not read") {
		t.Fatal(err)
	}
	for range queued { // nothing of what was accepted is lost
		c.event()
	}
}
