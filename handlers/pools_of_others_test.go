package handlers_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// victim is a tenant's pool; others make the same name of their ids.
var (
	victim     = hub.Pool{TenantID: "victim-corp", PoolRtID: poolID}
	victimName = "victim-corp-" + poolID
	others     = map[string]hub.Pool{
		"with a dot":           {TenantID: "victim.corp", PoolRtID: poolID},
		"in capitals":          {TenantID: "VICTIM_CORP", PoolRtID: poolID},
		"as a deployment site": {TenantID: "victim.corp", DeploymentSiteRtID: poolID},
	}
)

func TestAPoolOfAnotherTenantWithTheSameNameIsNeitherWrittenNorRemoved(t *testing.T) {
	t.Parallel()
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withBroker)
			r.succeed(r.run(event(hub.PoolDeployed, victim)))
			r.wantRegistered("victim-corp/" + poolID)
			resource, secret := resources+victimName, "/api/v1/namespaces/octo/secrets/"+victimName+"-octo-mesh-connection"
			before := []object{section(r.cluster.get(resource), "spec"), section(section(r.cluster.get(secret), "metadata"), "labels")}
			for _, callback := range []string{hub.PoolDeployed, hub.PoolUndeployed} {
				result := r.run(event(callback, other))
				if result.Outcome != runs.Failed {
					t.Errorf("%s has %s", callback, result.Outcome)
				}
				wantText(t, result.Reason, victimName, "belongs to another pool", `"victim-corp"`, `"`+other.TenantID+`"`)
				r.wantThere(resource, secret)
				after := []object{section(r.cluster.get(resource), "spec"), section(section(r.cluster.get(secret), "metadata"), "labels")}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("after %s: %s", callback, diff)
				}
			}
			r.wantGone(sites + victimName)
			r.wantRegistered("victim-corp/" + poolID)
		})
	}
}

// It would never be made: nobody sends its event again.
func TestAPoolOfAnotherTenantWithTheSameNameStopsNoDeploy(t *testing.T) {
	t.Parallel()
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withBroker)
			r.fails("kubectl apply", `Error from server (InternalError): failed calling webhook "w": connection refused`)
			deploy := r.accept(event(hub.PoolDeployed, victim))
			r.eventually("it is to be tried again", func() bool {
				return len(r.log.records("event tried again: a webhook that the API server asks cannot be reached")) > 0
			})
			r.succeed(r.run(event(hub.PoolUndeployed, other)))
			r.usually()
			r.succeed(deploy.result())
		})
	}
}

// A controller's upgrade, and a name that was cut off, may leave one name with a resource of each kind.
func TestOfTwoPoolsUnderOneNameAnUndeployLeavesTheOther(t *testing.T) {
	r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
	r.referencePool("CommunicationPool", cutOff(poolID), "poolRtId", "pool-rt-id", poolID)
	other := poolID[:20] + "ffff"
	r.referencePool("DeploymentSite", cutOff(poolID), "deploymentSiteRtId", "deployment-site-rt-id", other)
	r.succeed(r.run(event(hub.PoolUndeployed, hub.Pool{TenantID: longTenant, DeploymentSiteRtID: poolID})))
	r.wantGone(resources + cutOff(poolID))
	r.wantThere(sites+cutOff(poolID), "/api/v1/namespaces/octo/secrets/"+cutOff(poolID)+"-octo-mesh-connection")
}

func TestAnAdapterPoolIsNotOwnedByThePoolOfAnotherTenant(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) {
		r.cluster.put(poolObject(resourceName, object{"tenantId": "ACME", "poolRtId": poolID}))
	}))
	r.deploy("adapters", adapterPool)
	_, deployment := made(namespace, "adapters")
	if owners := r.owners(deployment); len(owners) > 0 {
		t.Errorf("it is owned by %q", owners)
	}
}

// Each of them finds that nobody has the name, and then both would write.
func TestOfTwoPoolsWithOneNameThatAreDeployedAtTheSameTimeTheFirstHasIt(t *testing.T) {
	r := newRig(t, withBroker)
	reached, released := make(chan struct{}), make(chan struct{})
	var begun atomic.Bool
	r.when("kubectl apply", func(_ *call, usual func() int) int {
		if !begun.Swap(true) {
			close(reached)
			<-released
		}
		return usual()
	})
	first := r.accept(event(hub.PoolDeployed, victim))
	<-reached
	second := r.accept(event(hub.PoolDeployed, others["with a dot"]))
	third := r.accept(event(hub.PoolUndeployed, others["in capitals"]))
	r.succeed(r.run(event(hub.PoolDeployed, pool))) // comes after them, and needs a slot: they have begun, and wait without
	close(released)
	r.succeed(first.result())
	for _, other := range []accepted{second, third} {
		if result := other.result(); result.Outcome != runs.Failed || !strings.Contains(result.Reason, "belongs to another pool") {
			t.Errorf("%s has %s: %s", other.what, result.Outcome, result.Reason)
		}
	}
	if got := section(r.cluster.get(resources+victimName), "spec")["tenantId"]; got != "victim-corp" {
		t.Errorf("the resource is of tenant %v", got)
	}
}

// In G1 a pool's id is its name, and the labels of a broker secret may be made of other ids.
func TestABrokerSecretThatIsNotProvablyThePoolsIsLeftAlone(t *testing.T) {
	t.Parallel()
	labels := object{group + "/tenant": "victim-corp", group + "/pool-rt-id": poolID, group + "/managed-by": "communication-operator"}
	for name, test := range map[string]struct {
		labels object
		pool   hub.Pool
		words  string
	}{
		"another's, in the reference operator's words": {labels, hub.Pool{TenantID: "victim corp", PoolRtID: poolID}, "nothing proves that it is this pool's"},
		"another's, with a dot":                        {labels, hub.Pool{TenantID: "victim.corp", PoolRtID: poolID}, "belongs to another pool"},
		"another pool's of the tenant":                 {labels, hub.Pool{TenantID: "victim-corp", DeploymentSiteRtID: poolID[:20] + "ffff"}, ""},
		"made by hand":                                 {nil, victim, "kubectl label secret " + victimName + "-octo-mesh-connection --namespace octo"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
			r.putSecret(victimName+"-octo-mesh-connection", test.labels, object{"brokerusername": "b2xk"})
			before := r.things()
			r.run(event(hub.PoolUndeployed, test.pool))
			if diff := cmp.Diff(before, r.things()); diff != "" {
				t.Errorf("the undeploy has changed what is another's:\n%s", diff)
			}
			if test.words == "" {
				return // its own has another name
			}
			result := r.run(event(hub.PoolDeployed, test.pool))
			wantText(t, result.Reason, test.words)
			if diff := cmp.Diff(before, r.things()); diff != "" || result.Outcome != runs.Failed {
				t.Errorf("the deploy has %s, and changed what is another's:\n%s", result.Outcome, diff)
			}
		})
	}
}

func TestAPoolsOwnResourceProvesThatAnUnmarkedBrokerSecretIsItsOwn(t *testing.T) {
	r := newRig(t, withBroker)
	r.cluster.put(poolObject(victimName, object{"tenantId": "victim-corp", "poolRtId": poolID}))
	r.putSecret(victimName+"-octo-mesh-connection", nil, object{"brokerusername": "b2xk"})
	r.succeed(r.run(event(hub.PoolDeployed, victim)))
	r.succeed(r.run(event(hub.PoolUndeployed, victim)))
	r.wantGone(resources+victimName, "/api/v1/namespaces/octo/secrets/"+victimName+"-octo-mesh-connection")
}
