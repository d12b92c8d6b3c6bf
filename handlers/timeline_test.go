package handlers_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// phases are what the newest run was in, and what it waited for: "chart", "workload-deploy ended with 1", "waited for pods".
func (r *rig) phases() (all []string) {
	r.Helper()
	dirs := r.runDirs()
	if len(dirs) == 0 {
		r.Fatal("there is no run")
	}
	run := &runs.Run{ID: filepath.Base(slices.Max(dirs)), Dir: slices.Max(dirs)}
	for _, m := range run.Timeline() {
		switch {
		case m.Kind == runs.KindPhase, m.Kind == runs.KindEnd:
			all = append(all, m.Name)
		case m.Kind == runs.KindWait && m.Name != runs.WaitCopy: // how long that takes depends on the machine
			all = append(all, "waited for "+m.Name)
		case m.Kind == runs.KindExit:
			all = append(all, m.Name)
		}
	}
	return all
}

func TestATimelineHasThePhasesThatAnEventWasIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings []option
		before   func(*rig)
		event    hub.Event
		want     string
	}{
		"a deploy":                          {nil, nil, deployEvent("shop"), "look chart values check install workload-deploy ready settle succeeded"},
		"a deploy whose chart there is not": {nil, nil, deployEvent("shop", version("9.9.9")), "look chart failed"},
		"a reconciliation of what is there": {nil, func(r *rig) { r.deploy("shop") }, deployEvent("shop", reconciliation),
			"look chart values settle succeeded"},
		"a deploy that the cluster refuses": {nil, func(r *rig) { r.fails("kubectl apply", "Error from server: it is invalid") }, deployEvent("shop"),
			"look chart values check workload-deploy rollback failed"},
		"a deploy that is taken back": {[]option{with("HELM__TIMEOUT", "1s")}, func(r *rig) { r.deploy("shop"); r.sicken("shop", pulling) },
			deployEvent("shop", override("image.tag", "2")),
			"look chart values check install workload-deploy ready waited for pods rollback workload-rollback failed"},
		"a deploy of a release that a killed helm has left stuck": {nil, func(r *rig) { r.pending("shop", "pending-upgrade", time.Hour) }, deployEvent("shop"),
			"look chart rollback workload-recover values check install workload-deploy ready settle succeeded"},
		"a changed secret": {[]option{users}, func(r *rig) { r.deploy("shop", keys("a-1", "d-1")) }, deployEvent("shop", keys("a-1", "d-2")),
			"look chart values check install workload-deploy settle workload-restart ready settle succeeded"},
		"a scaling":         {nil, func(r *rig) { r.deploy("shop") }, scaleEvent("shop", 2), "run workload-scale succeeded"},
		"an undeploy":       {nil, func(r *rig) { r.deploy("shop") }, undeployEvent("shop"), "run workload-undeploy succeeded"},
		"a pool's deploy":   {[]option{central}, nil, event(hub.PoolDeployed, pool), "run pool-deploy succeeded"},
		"a tenant's update": {nil, nil, event(hub.PreUpdateTenant, hub.Tenant{TenantID: tenant}), "run tenant-pre-update succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.settings...)
			if test.before != nil {
				test.before(r)
			}
			r.run(test.event)
			if got := strings.Join(r.phases(), " "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWorkSaysThatEventsWaitForTheirCopyAndThenForTheLease(t *testing.T) {
	r := newRig(t)
	r.life.cut.Store(true)
	r.accept(deployEvent("shop"))
	waitsFor := func(reason string) {
		t.Helper()
		r.eventually("it waits for "+reason, func() bool {
			all := r.life.Work()
			return len(all) == 1 && all[0].Wait == reason && all[0].Text != "" && all[0].Workload == "shop" && all[0].Release == releaseName("shop")
		})
	}
	waitsFor(runs.WaitCopy)
	r.eventually("its Lease has run out", func() bool { return !r.life.MayStart() })
	r.accept(deployEvent("bank")) // the first one goes on to wait for its copy
	r.eventually("it waits for the Lease", func() bool {
		return slices.ContainsFunc(r.life.Work(), func(w dispatch.Work) bool { return w.Wait == runs.WaitLeader })
	})
}
