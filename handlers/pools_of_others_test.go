package handlers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
	"octo-operator/runs"
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
