package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"octo-operator/hub"
)

func TestAnEventWaitsForAnAPIServerThatIsAway(t *testing.T) {
	r := newRig(t)
	r.cluster.setAway(true)
	deploy := r.accept(deployEvent("shop"))
	r.eventually("the API server is asked", func() bool { return r.cluster.asked("") > 0 })
	r.cluster.setAway(false)
	r.succeed(deploy.result())
	if s := r.status("shop"); !s.Success || len(r.controller.all(methodDeploymentStatus)) != 1 {
		t.Errorf("status: %+v", s)
	}
}

func TestAnEventThatAnOutageHasCutShortIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, during string }{
		{"while the secret is applied", "kubectl apply"},
		{"while helm works", "helm upgrade"},
		{"while the release is looked up", "the pull"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			first := true
			away := func() {
				if first {
					first = false
					r.cluster.setAway(true)
				}
			}
			r.when(test.during, func(_ *call, usual func() int) int { away(); return usual() })
			if test.during == "the pull" {
				r.whenPulled(func(_ http.ResponseWriter, _ *http.Request, usual func()) { away(); usual() })
			}
			deploy := r.accept(deployEvent("shop", secret("secrets.key", "planted-key")))
			r.eventually("it is to be tried again", func() bool { return strings.Contains(r.log.String(), `"event tried again: `) })
			r.cluster.setAway(false)
			r.succeed(deploy.result())
			r.wantHistory("shop", "1 deployed")
			if s := r.status("shop"); !s.Success || len(r.controller.all(methodDeploymentStatus)) != 1 {
				t.Errorf("reported were %q", r.controller.all(methodDeploymentStatus))
			}
		})
	}
}

func TestOtherEventsAreTriedAgainToo(t *testing.T) {
	r := newRig(t, central)
	r.deploy("shop")
	r.cluster.setAway(true)
	undeploy, scale, deployPool := r.accept(undeployEvent("shop")), r.accept(scaleEvent("bank", 0)), r.accept(event(hub.PoolDeployed, pool))
	r.eventually("the API server is asked", func() bool { return r.cluster.asked("") > 0 })
	r.cluster.setAway(false)
	r.succeed(undeploy.result())
	r.succeed(deployPool.result())
	wantText(t, scale.result().Reason, "nothing to scale")
}
