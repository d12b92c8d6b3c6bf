package handlers_test

import (
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// The tenants "acme" and "Acme" are two, and their workloads with the same id have one release name.
const lookalike = "Acme"

// byLookalike makes an event of a workload the other tenant's.
func byLookalike(e hub.Event) hub.Event {
	switch e.Callback {
	case hub.WorkloadDeployedCallback:
		return as(e, func(w *hub.WorkloadDeployed) { w.TenantID = lookalike })
	case hub.ScaleWorkload:
		return as(e, func(s *hub.WorkloadScale) { s.TenantID = lookalike })
	}
	return as(e, func(w *hub.WorkloadUndeployed) { w.TenantID = lookalike })
}

func as[T any](e hub.Event, change func(*T)) hub.Event {
	dto, err := hub.Decode[T](e.Argument)
	if err != nil {
		panic(err)
	}
	change(&dto)
	return event(e.Callback, dto)
}

func TestATenantsEventNeitherStopsNorReplacesThoseOfAnotherWhoseReleaseIsCalledTheSame(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]hub.Event{
		"undeploy": undeployEvent("shop"),
		"deploy":   deployEvent("shop", override("image.tag", "evil")),
		"scale":    scaleEvent("shop", 0),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			h, first := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
			queued := r.accept(deployEvent("shop", override("image.tag", "2")))
			attacked := r.accept(byLookalike(attack))
			h.release()
			r.succeed(first.result())
			r.succeed(queued.result())
			if result := attacked.result(); result.Outcome != runs.Failed {
				t.Errorf("the other tenant's event has %s", result.Outcome)
			} else {
				wantText(t, result.Reason, `belongs to another workload: it is of tenant "acme", this one of tenant "Acme": undeploy the other one`)
			}
			if got := r.deployment("shop"); got != (running{1, "demo/app:2"}) {
				t.Errorf("it runs %+v", got)
			}
		})
	}
}

func TestATenantsUndeployStopsItsDeployAlthoughAnothersEventIsBetweenThem(t *testing.T) {
	r := newRig(t)
	_, deploy := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	scale := r.accept(byLookalike(scaleEvent("shop", 0)))
	undeploy := r.accept(undeployEvent("shop"))
	if result := deploy.result(); result.Outcome != runs.Superseded {
		t.Errorf("the deploy has %s: %s", result.Outcome, result.Reason)
	}
	if result := scale.result(); result.Outcome != runs.Failed {
		t.Errorf("the other tenant's scaling has %s", result.Outcome)
	}
	r.succeed(undeploy.result())
	r.wantHistory("shop", "")
}

func TestOfTwoTenantsWhoseReleasesAreCalledTheSameTheFirstGetsIt(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", waitsFor("ContainerCreating", ""))
	first := r.accept(deployEvent("shop"))
	r.eventually("the first is installed", func() bool { return r.deployment("shop").replicas == 1 })
	second := r.accept(byLookalike(deployEvent("shop"))) // takes the place of no wait for pods either
	undeploy := r.accept(byLookalike(undeployEvent("shop")))
	r.sicken("shop", nil)
	r.succeed(first.result())
	for _, a := range []accepted{second, undeploy} {
		if result := a.result(); result.Outcome == runs.Succeeded {
			t.Errorf("it has succeeded: %s", a.what)
		}
	}
	r.wantHistory("shop", "1 deployed")
}
