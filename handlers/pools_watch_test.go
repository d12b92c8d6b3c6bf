package handlers_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

const brokerPassword = "planted-broker-password"

var (
	pool     = hub.Pool{TenantID: tenant, PoolRtID: poolID}
	poolPath = "/apis/" + group + "/v1alpha1/namespaces/" + namespace + "/communicationpools/" + tenant + "-" + poolID
	poolKind = object{"apiVersion": group + "/v1alpha1", "kind": "CommunicationPool"}
)

// poolObject is a pool's custom resource as somebody makes it by hand.
func poolObject(name string, spec object) object {
	return object{
		"apiVersion": poolKind["apiVersion"], "kind": poolKind["kind"],
		"metadata": object{"name": name, "namespace": namespace}, "spec": spec,
	}
}

func withBroker(r *rig) {
	central(r)
	r.settings["BROKERUSER"], r.settings["BROKERPASSWORD"] = "octo", brokerPassword
}

// wantRegistered waits until exactly these pools are, each as "tenant/id".
func (r *rig) wantRegistered(want ...string) {
	r.Helper()
	r.eventually("registered are "+cmp.Diff(want, nil), func() bool { return slices.Equal(r.controller.registered(), want) })
}

// poolStatus waits until a pool's resource says how its registration went.
func (r *rig) wantPoolStatus(path, want string) {
	r.Helper()
	r.eventually("status "+want+" of "+path, func() bool { return at(r.cluster.get(path), "status\x00communicationStatus") == want })
}

func TestADeployedPoolHasItsResourceAndItsSecretAndIsRegistered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, path, id string
		pool           hub.Pool
		spec           object
	}{
		{"by name", "v1alpha1/namespaces/octo/communicationpools/acme-main", "main", hub.Pool{TenantID: tenant, PoolName: "main"},
			object{"tenantId": tenant, "poolName": "main", "communicationControllerUri": controllerURI}},
		{"by id", "v1alpha1/namespaces/octo/communicationpools/acme-" + poolID, poolID, pool,
			object{"tenantId": tenant, "poolRtId": poolID}},
		{"a deployment site", "v1/namespaces/octo/deploymentsites/acme-" + poolID, poolID, hub.Pool{TenantID: tenant, DeploymentSiteRtID: poolID},
			object{"tenantId": tenant, "deploymentSiteRtId": poolID}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, withBroker)
			r.succeed(r.run(event(hub.PoolDeployed, test.pool)))
			path := "/apis/" + group + "/" + test.path
			if diff := cmp.Diff(test.spec, r.cluster.get(path)["spec"]); diff != "" {
				t.Errorf("the resource: %s", diff)
			}
			secret := map[string]string{"brokerusername": "octo", "brokerpassword": brokerPassword}
			if diff := cmp.Diff(secret, r.cluster.secret(namespace, "acme-"+test.id+"-octo-mesh-connection")); diff != "" {
				t.Errorf("the broker's Secret: %s", diff)
			}
			r.wantRegistered(tenant + "/" + test.id)
			r.wantPoolStatus(path, "Registered")

			r.succeed(r.run(event(hub.PoolUndeployed, test.pool)))
			r.wantRegistered()
			if left := r.cluster.paths("/apis/" + group); len(left) > 0 || r.cluster.secret(namespace, "acme-"+test.id+"-octo-mesh-connection") != nil {
				t.Errorf("after the undeploy there is still %q, or the Secret", left)
			}
		})
	}
}

func TestAPoolThatCannotBeIsNotMade(t *testing.T) {
	r := newRig(t, central)
	for _, callback := range []string{hub.PoolDeployed, hub.PoolUndeployed} {
		result := r.run(event(callback, hub.Pool{TenantID: tenant, PoolRtID: "XYZ"}))
		if result.Outcome != runs.Failed {
			t.Errorf("%s: it has %s", callback, result.Outcome)
		}
		wantText(t, result.Reason, "poolRtId")
	}
	if got := r.commands(); len(got) > 0 {
		t.Errorf("it ran %q", got)
	}
}

func TestThePoolsOfTheEdgeAreNotTheOperatorsToMake(t *testing.T) {
	r := newRig(t)
	for _, callback := range []string{hub.PoolDeployed, hub.PoolUndeployed} {
		if err := r.life.Accept(event(callback, pool), nil); err != nil {
			t.Error(err)
		}
	}
	r.life.Registered(t.Context(), []hub.Pool{pool})
	r.deploy("shop") // everything before it has had its turn
	if got := r.cluster.paths("/apis/" + group); len(got) > 0 || r.controller.deployedState() != nil || len(r.runDirs()) != 1 {
		t.Errorf("there are %q, %d runs, and it was reported %v", got, len(r.runDirs()), r.controller.deployedState())
	}
}

func TestWhatHasAResourceIsRegisteredWhoeverMadeIt(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) {
		r.cluster.put(poolObject("first", object{"tenantId": tenant, "poolRtId": poolID}))
	}))
	r.wantRegistered("acme/" + poolID)
	path := "/apis/" + group + "/v1alpha1/namespaces/octo/communicationpools/"
	r.wantPoolStatus(path+"first", "Registered")

	r.cluster.put(poolObject("second", object{"tenantId": tenant, "poolName": "main"}))
	r.wantRegistered("acme/"+poolID, "acme/main")
	r.cluster.put(poolObject("second", object{"tenantId": tenant, "poolName": "other"}))
	r.wantRegistered("acme/"+poolID, "acme/other")
	r.cluster.remove(path + "first")
	r.wantRegistered("acme/other")

	r.cluster.put(poolObject("wrong", object{"tenantId": tenant, "poolRtId": "XYZ"}))
	r.wantPoolStatus(path+"wrong", `Failed: poolRtId "XYZ" is not 24 lowercase hexadecimal digits`)
	r.wantRegistered("acme/other")
}

func TestAPoolWithAResourceOfEachKindStaysWhileOneIsThere(t *testing.T) {
	site := object{
		"apiVersion": group + "/v1", "kind": "DeploymentSite", "metadata": object{"name": "site", "namespace": namespace},
		"spec": object{"tenantId": tenant, "deploymentSiteRtId": poolID},
	}
	r := newRig(t, prepared(func(r *rig) {
		r.cluster.put(poolObject("old", object{"tenantId": tenant, "poolRtId": poolID}))
		r.cluster.put(site)
	}))
	r.wantPoolStatus(pathOf(site), "Registered")
	r.wantPoolStatus(pathOf(poolObject("old", nil)), "Registered")
	r.cluster.remove(pathOf(poolObject("old", nil)))
	r.cluster.put(poolObject("other", object{"tenantId": tenant, "poolName": "other"}))
	r.wantRegistered("acme/"+poolID, "acme/other") // the watch tells one after the other
	r.cluster.remove(pathOf(site))
	r.wantRegistered("acme/other")
}

func TestPoolsAreWatchedAgainAfterAnOutage(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) {
		r.cluster.put(poolObject("first", object{"tenantId": tenant, "poolName": "first"}))
	}))
	r.wantRegistered("acme/first")
	r.cluster.setAway(true)
	r.cluster.remove(pathOf(poolObject("first", nil)))
	r.cluster.put(poolObject("second", object{"tenantId": tenant, "poolName": "second"}))
	r.cluster.setAway(false)
	r.wantRegistered("acme/second")
}

func TestARegistrationMakesWhatIsMissingAndTellsWhatIsDeployed(t *testing.T) {
	r := newRig(t, withBroker)
	r.deploy("shop")
	r.fails("helm upgrade", "Error: no")
	r.run(deployEvent("broken"))
	r.usually()
	end := r.connect(pool)
	r.wantRegistered("acme/" + poolID)
	r.eventually("the pool's objects are made", func() bool { return slices.Contains(r.ended(), "PoolDeployed succeeded") })
	want := []hub.DeployedPool{{Pool: pool, WorkloadRtIDs: []string{rtID("shop")}}}
	r.eventually("the deployed state is told", func() bool { return cmp.Equal(want, r.controller.deployedState()) })

	r.wantPoolStatus(poolPath, "Registered")
	end()
	before, told := len(r.runDirs()), r.controller.timesDeployedState()
	r.connect(pool)
	r.life.PoolStatus(pool, hub.StatusRegistered)
	r.eventually("it is told again", func() bool { return r.controller.timesDeployedState() > told })
	if after := len(r.runDirs()); after != before {
		t.Errorf("what is there was made again: %d runs more", after-before)
	}
}

func TestADeployedStateThatCannotBeToldIsAWarning(t *testing.T) {
	r := newRig(t, central)
	r.controller.setRefuse(methodDeployedState, errors.New("it warms up"))
	r.connect(pool)
	r.eventually("somebody is told", func() bool {
		return len(r.log.records("deployed state not reported", "reason", "it warms up")) > 0
	})
}

func TestPoolsWithoutABrokerHaveNoSecret(t *testing.T) {
	r := newRig(t, central)
	r.succeed(r.run(event(hub.PoolDeployed, pool)))
	if r.cluster.secret(namespace, tenant+"-"+poolID+"-octo-mesh-connection") != nil || r.cluster.get(poolPath) == nil {
		t.Error("there is a Secret, or no resource")
	}
}
