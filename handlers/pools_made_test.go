package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// refusePools lets the API server refuse to make or change resources of pools, until the function is called.
func (r *rig) refusePools(s *status) (mend func()) {
	r.cluster.setRefuse(func(verb, path string) *status {
		if verb == "PATCH" && strings.Contains(path, "/communicationpools/") {
			return s
		}
		return nil
	})
	return func() { r.cluster.setRefuse(nil) }
}

const noWebhook = `Internal error occurred: failed calling webhook "mutate.pool": failed to call webhook: Post "https://octo-operator.octo.svc:443/mutate?timeout=10s": ` +
	`dial tcp 10.0.0.1:443: connect: connection refused`

func TestAPoolIsMadeAsSoonAsTheClusterTakesIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lacks func(*rig) (mend func())
		said  string
		why   string
	}{
		"a webhook": {func(r *rig) func() { return r.refusePools(&status{500, "InternalError", noWebhook}) },
			"a webhook that the API server asks cannot be reached",
			"the webhook mutate.pool (of MutatingWebhookConfiguration operator) that the API server asks cannot be reached: dial tcp 10.0.0.1:443: connect: connection refused"},
		"a permission": {func(r *rig) func() {
			return r.refusePools(&status{403, "Forbidden", `communicationpools "a" is forbidden: User "u" cannot patch resource "communicationpools" in API group "x" in the namespace "octo"`})
		}, "the cluster does not take the pool as things are", "the operator's role does not allow it to patch communicationpools in namespace octo"},
		"the kind": {func(r *rig) func() {
			return r.refusePools(&status{404, "NotFound", `the server could not find the requested resource (patch communicationpools.octo-mesh.meshmakers.io a)`})
		}, "the cluster does not take the pool as things are", "does not know communicationpools"},
	} {
		for _, how := range []string{"an event", "the controller's answer", "an event before a restart"} {
			t.Run(name+", for "+how, func(t *testing.T) {
				r := newRig(t, withBroker, prepared(func(r *rig) {
					r.cluster.put(object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
						"metadata": object{"name": "operator"}, "webhooks": []object{{"name": "mutate.pool"}}})
				}))
				mend := test.lacks(r)
				if how == "the controller's answer" {
					r.life.Connecting()
					r.connect(pool)
				} else {
					r.accept(event(hub.PoolDeployed, pool))
				}
				waits := func() {
					r.eventually("it is to be tried again", func() bool { return len(r.log.records("event tried again: "+test.said)) > 0 })
				}
				waits()
				wantText(t, fmt.Sprint(r.log.records("event tried again: " + test.said)[0]["reason"]), test.why)
				if how == "an event before a restart" {
					r.shutdown(20 * patience) // half of which it would wait for what can end
					r.start()
				}
				mend()
				r.wantPoolStatus(poolPath, "Registered")
				r.wantThere(brokerSecret)
			})
		}
	}
}

func TestOnePoolThatIsMadeLetsAllOthersTryAtOnce(t *testing.T) {
	r := newRig(t, central)
	mend := r.refusePools(&status{500, "InternalError", noWebhook})
	const all = 40
	var events []accepted
	for i := range all {
		events = append(events, r.accept(event(hub.PoolDeployed, hub.Pool{TenantID: tenant, PoolRtID: fmt.Sprintf("65d5c447b420da3fb12%05x", i)})))
	}
	r.eventually("all are to be tried again", func() bool {
		return len(r.log.records("event tried again: a webhook that the API server asks cannot be reached")) >= all
	})
	mend()
	for _, e := range events {
		r.succeed(e.result())
	}
}

func TestAPoolThatIsRefusedForGoodFailsAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status status
		want   string
	}{
		"by its definition": {status{422, "Invalid", `CommunicationPool.x "a" is invalid: spec.tenantId: Invalid value: "": spec.tenantId in body should be at least 1 chars long`}, "spec.tenantId"},
		"by a webhook":      {status{403, "Forbidden", `admission webhook "policy" denied the request: pools are made on Mondays`}, "the pool is refused by the cluster's admission webhook policy: pools are made on Mondays"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, central)
			r.refusePools(&test.status)
			result := r.run(event(hub.PoolDeployed, pool))
			if result.Outcome != runs.Failed {
				t.Errorf("it has %s", result.Outcome)
			}
			wantText(t, result.Reason, test.want)
			if n := len(r.called("kubectl apply")); n != 1 {
				t.Errorf("it was tried %d times", n)
			}
		})
	}
}

func TestPoolsAndWorkloadsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	t.Run("deploys that hang", func(t *testing.T) {
		r := newRig(t, central)
		for i := range 16 {
			r.hold("upgrade", fmt.Sprint("hangs-", i))
			r.accept(deployEvent(fmt.Sprint("hangs-", i)))
		}
		r.eventually("all slots are taken", func() bool { return len(r.called("helm upgrade")) >= 4 })
		r.succeed(r.run(event(hub.PoolDeployed, pool)))
	})
	t.Run("pools that hang", func(t *testing.T) {
		r := newRig(t, central)
		hanging, release := make(chan bool, 100), make(chan bool)
		r.when("kubectl apply", func(c *call, usual func() int) int {
			if strings.Contains(c.String(), "pool.yaml") {
				hanging <- true
				<-release
			}
			return usual()
		})
		var last accepted
		for i := range 100 {
			last = r.accept(event(hub.PoolDeployed, hub.Pool{TenantID: tenant, PoolRtID: fmt.Sprintf("65d5c447b420da3fb12%05x", i)}))
		}
		r.eventually("they work", func() bool { return len(hanging) >= 2 })
		r.deploy("shop")
		close(release)
		r.succeed(last.result())
	})
}
