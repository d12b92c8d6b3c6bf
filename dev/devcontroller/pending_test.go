package devcontroller

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestWhatHasNoStatusIsSentAgainAtEachRegistrationOfItsPool(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	s.Redispatch(func(w Workload) Workload { w.ChartVersion = ""; return w })
	workload := func(i int, name string, pool Pool) Workload {
		return Workload{Pool: pool, Name: name, RtID: fmt.Sprintf("65d5c447b420da3fb12390%02d", i), ChartVersion: "1.0.0"}
	}
	first := dial(t, s)
	first.register(ownPool)
	first.register(otherPool)
	steps := []func() error{
		func() error { return s.Deploy(ctx, workload(1, "waits", ownPool)) },
		func() error { return s.Deploy(ctx, workload(2, "old", ownPool)) },
		func() error { return s.Deploy(ctx, workload(2, "new", ownPool)) },
		func() error { return s.Deploy(ctx, workload(3, "done", ownPool)) },
		func() error { return s.Deploy(ctx, workload(4, "gone", ownPool)) },
		func() error { return s.Undeploy(ctx, workload(4, "gone", ownPool)) },
		func() error { return s.Deploy(ctx, workload(5, "elsewhere", otherPool)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		first.event()
	}
	report := func(i int, name string) {
		t.Helper()
		first.mustInvoke("ReportWorkloadDeploymentStatusAsync",
			fmt.Sprintf(`[{"tenantId":%q,"workloadName":%q,"workloadRtId":"65d5c447b420da3fb12390%02d","success":true}]`, tenant, name, i))
	}
	report(2, "old")
	report(3, "done")

	for range 2 { // and not only once
		again := dial(t, s)
		again.send(fmt.Sprintf(`{"type":1,"invocationId":"1","target":"RegisterDeploymentSiteAsync","arguments":[%q,%q]}`, tenant, poolID))
		for _, want := range []string{"waits", "new"} {
			target, args := again.event()
			var got struct {
				WorkloadName     string
				ChartVersion     string
				IsReconciliation bool
			}
			if err := json.Unmarshal(args[0], &got); err != nil || target != "WorkloadDeployedAsync" ||
				got.WorkloadName != want || got.ChartVersion != "" || !got.IsReconciliation {
				t.Errorf("got %s%s, want a reconciliation of %q without a version", target, args, want)
			}
		}
		again.wantFrame(`{"invocationId":"1","result":null,"type":3}`)
	}
	if got := s.Pending(); len(got) != 3 || got[0].ChartVersion != "1.0.0" || got[0].IsReconciliation {
		t.Errorf("%+v is pending", got)
	}
	wantNoViolations(t, s)
}

func TestWhatCouldNotBeSentIsNotPending(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	c := dial(t, s)
	c.register(ownPool)
	sent, unsent := Workload{Pool: ownPool, Name: "sent", RtID: otherID}, Workload{Pool: ownPool, Name: "unsent", RtID: otherID}
	if err := s.Deploy(ctx, sent); err != nil {
		t.Fatal(err)
	}
	s.ForgetRegistrations(tenant)
	if err := s.Deploy(ctx, unsent); err == nil {
		t.Fatal("it was sent, to nobody")
	}
	if got := s.Pending(); len(got) != 1 || got[0].Name != "sent" {
		t.Errorf("%+v is pending", got)
	}
}
