package handlers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func tenantEvent(tenant string) hub.Event {
	return event(hub.PreUpdateTenant, hub.Tenant{TenantID: tenant})
}

// ofTenant makes a workload another tenant's.
func ofTenant(name string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.TenantID = name }
}

func TestAnUndeployStopsTheDeployThatRuns(t *testing.T) {
	r := newRig(t)
	_, deploy := r.acceptAndHold("upgrade", "shop", deployEvent("shop", secret("secrets.key", "planted-key")))
	undeploy := r.accept(undeployEvent("shop"))
	if result := deploy.result(); result.Outcome != runs.Superseded || !strings.Contains(result.Reason, "being undeployed") {
		t.Errorf("the deploy has %s: %s", result.Outcome, result.Reason)
	}
	r.succeed(undeploy.result())
	r.wantHistory("shop", "")
	if r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets") != nil {
		t.Error("the release's Secret is left")
	}
	r.deploy("shop")
	if s := r.status("shop"); !s.Success || len(r.controller.all(methodDeploymentStatus)) != 1 {
		t.Errorf("the stopped deploy was reported: %+v", s)
	}
}

func TestOfQueuedDeploysTheNewestRuns(t *testing.T) {
	r := newRig(t)
	h, first := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "1")))
	second := r.accept(deployEvent("shop", override("image.tag", "2")))
	third := r.accept(deployEvent("shop", override("image.tag", "3")))
	if result := second.result(); result.Outcome != runs.Superseded {
		t.Errorf("the second has %s", result.Outcome)
	}
	h.release()
	r.succeed(first.result())
	r.succeed(third.result())
	r.wantImage("shop", "demo/app:3")
	r.wantHistory("shop", "1 superseded, 2 deployed")
	if s := r.status("shop"); !s.Success || len(r.controller.all(methodDeploymentStatus)) > 2 {
		t.Errorf("what never ran was reported: %q", r.controller.all(methodDeploymentStatus))
	}
}

func TestADeployAfterAnUndeployMakesTheReleaseAnew(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	h, undeploy := r.acceptAndHold("uninstall", "shop", undeployEvent("shop"))
	deploy := r.accept(deployEvent("shop", override("image.tag", "2")))
	h.release()
	r.succeed(undeploy.result())
	r.succeed(deploy.result())
	r.wantHistory("shop", "1 deployed")
}

func TestReleasesAreWorkedOnBesideEachOther(t *testing.T) {
	r := newRig(t)
	shop, bank := r.hold("upgrade", "shop"), r.hold("upgrade", "bank")
	a, b := r.accept(deployEvent("shop")), r.accept(deployEvent("bank"))
	r.reach(shop)
	r.reach(bank)
	bank.release()
	r.succeed(b.result())
	shop.release()
	r.succeed(a.result())
}

func TestATenantsUpdateWaitsForWhatRunsAndLetsNothingBegin(t *testing.T) {
	r := newRig(t)
	rejoined, rejoin := make(chan bool), make(chan bool)
	r.controller.rejoin = func(context.Context, string) error { close(rejoined); <-rejoin; return nil }
	h, running := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	update := r.accept(tenantEvent(tenant))
	r.succeed(r.run(deployEvent("other", ofTenant("other")))) // goes on
	select {
	case <-rejoined:
		t.Error("the update has not waited for the deploy that runs")
	default:
	}
	h.release()
	r.succeed(running.result())
	<-rejoined
	later := r.accept(deployEvent("bank"))
	r.succeed(r.run(deployEvent("other", ofTenant("other"))))
	if len(r.cluster.revisions(namespace, releaseName("bank"))) > 0 {
		t.Error("a deploy of the tenant has begun before its pools were registered again")
	}
	close(rejoin)
	r.succeed(update.result())
	r.succeed(later.result())
	if got := r.controller.reregistered(); !slices.Equal(got, []string{tenant}) {
		t.Errorf("registered again: %q", got)
	}
}

func TestATenantsWorkGoesOnWhenItsPoolsCannotBeRegisteredAgain(t *testing.T) {
	r := newRig(t)
	r.controller.rejoin = func(context.Context, string) error { return errors.New("it warms up") }
	r.succeed(r.run(tenantEvent(tenant)))
	if len(r.log.records("the tenant's work goes on before all its pools are registered", "reason", "it warms up")) != 1 {
		t.Error("nobody is told")
	}
	r.deploy("shop")
}

func TestATenantsUpdateWithoutTenantFails(t *testing.T) {
	r := newRig(t)
	result := r.run(tenantEvent(""))
	wantText(t, result.Reason, "tenantId is empty")
}

func TestTheEndLetsShortWorkEndAndLosesNothingThatIsQueued(t *testing.T) {
	r := newRig(t)
	h, running := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	r.accept(deployEvent("shop", override("image.tag", "2")))
	ended := make(chan error)
	l := r.life
	r.life = nil
	go func() { ended <- l.shutdown(patience) }()
	h.release()
	r.succeed(running.result())
	r.must(<-ended)
	r.start()
	for range 2 {
		r.wantSuccess("shop")
	}
	r.wantHistory("shop", "1 superseded, 2 deployed")
	r.wantImage("shop", "demo/app:2")
}

func TestTheEndStopsLongWorkWhichTheNextLifeResumes(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "2"), secret("secrets.key", "planted-key")))
	r.shutdown(time.Second)
	if got := filesWith(t, r.disk, "planted-key"); len(got) != 1 || !strings.HasSuffix(got[0], "event.json") {
		t.Errorf("the secret lies in %q, want the event alone", got)
	}
	r.start()
	r.wantSuccess("shop")
	r.wantImage("shop", "demo/app:2")
}
