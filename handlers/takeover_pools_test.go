package handlers_test

import (
	"testing"

	"octo-operator/hub"
)

const poolPaths = "/apis/octo-mesh.meshmakers.io/"

// referencePool puts a pool's objects into the cluster as the reference operator makes them. spec has the ids, the labels too.
func (r *rig) referencePool(kind, name, idField, idLabel, id string) {
	version := map[string]string{"CommunicationPool": "v1alpha1", "DeploymentSite": "v1"}[kind]
	labels := object{group + "/tenant": longTenant, group + "/" + idLabel: id, group + "/managed-by": "communication-operator"}
	r.cluster.put(object{
		"apiVersion": group + "/" + version, "kind": kind, "spec": object{"tenantId": longTenant, idField: id, "poolName": "Main"},
		"metadata": object{"name": name, "namespace": namespace, "labels": labels},
	})
	r.putSecret(name+"-octo-mesh-connection", labels, object{"brokerusername": "b2xk"})
}

func TestAPoolWithACutOffNameGoesOnUnderIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind, field, label string
		pool                     hub.Pool
	}{
		{"a pool", "CommunicationPool", "poolRtId", "pool-rt-id", hub.Pool{TenantID: longTenant, PoolRtID: poolID}},
		{"a deployment site", "DeploymentSite", "deploymentSiteRtId", "deployment-site-rt-id", hub.Pool{TenantID: longTenant, DeploymentSiteRtID: poolID}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
			r.referencePool(test.kind, cutOff(poolID), test.field, test.label, poolID)
			r.succeed(r.run(event(hub.PoolDeployed, test.pool)))
			if all := r.cluster.paths(poolPaths); len(all) != 1 {
				t.Errorf("there are the pools %q", all)
			}
			if got := r.cluster.secret(namespace, cutOff(poolID)+"-octo-mesh-connection"); got["brokerusername"] != "octo" || got["brokerpassword"] != brokerPassword {
				t.Errorf("the broker secret holds %q", got)
			}
			r.succeed(r.run(event(hub.PoolUndeployed, test.pool)))
			if left := append(r.cluster.paths(poolPaths), r.cluster.paths("/api/v1/namespaces/octo/secrets/")...); len(left) > 0 {
				t.Errorf("there is still %q", left)
			}
		})
	}
}

func TestOfTwoPoolsWithOneCutOffNameTheOtherGetsItsOwn(t *testing.T) {
	r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
	r.referencePool("CommunicationPool", cutOff(poolID), "poolRtId", "pool-rt-id", poolID)
	other := hub.Pool{TenantID: longTenant, PoolRtID: poolID[:20] + "ffff"}
	r.succeed(r.run(event(hub.PoolDeployed, other)))
	if all := r.cluster.paths(poolPaths); len(all) != 2 {
		t.Errorf("there are the pools %q", all)
	}
	r.succeed(r.run(event(hub.PoolUndeployed, other)))
	if all := r.cluster.paths(poolPaths); len(all) != 1 || r.cluster.secret(namespace, cutOff(poolID)+"-octo-mesh-connection")["brokerusername"] != "old" {
		t.Errorf("left are the pools %q", all)
	}
}

// The resource is gone, and its broker secret is not: an undeploy was ended halfway.
func TestAnUndeployRemovesABrokerSecretWithACutOffName(t *testing.T) {
	r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
	r.referencePool("CommunicationPool", cutOff(poolID), "poolRtId", "pool-rt-id", poolID)
	r.cluster.remove(r.cluster.paths(poolPaths)[0])
	r.succeed(r.run(event(hub.PoolUndeployed, hub.Pool{TenantID: longTenant, PoolRtID: poolID})))
	if left := r.cluster.paths("/api/v1/namespaces/octo/secrets/"); len(left) > 0 {
		t.Errorf("there is still %q", left)
	}
}

// A controller tells every pool at each registration.
func TestAPoolOfTheReferenceOperatorsIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	for name, resource := range map[string]string{"with a name that is cut off": cutOff(poolID), "with another spec": ""} {
		t.Run(name, func(t *testing.T) {
			known := hub.Pool{TenantID: longTenant, PoolRtID: poolID}
			r := newRig(t, withBroker, prepared(func(r *rig) {
				if resource != "" {
					r.referencePool("CommunicationPool", resource, "poolRtId", "pool-rt-id", poolID)
					return
				}
				known = pool
				r.cluster.put(object{
					"apiVersion": group + "/v1alpha1", "kind": "CommunicationPool", "spec": object{"tenantId": tenant, "poolRtId": poolID, "poolName": "Main"},
					"metadata": object{"name": resourceName, "namespace": namespace},
				})
				r.putSecret(resourceName+"-octo-mesh-connection", object{group + "/managed-by": "communication-operator"}, nil)
			}))
			r.wantRegistered(known.TenantID + "/" + poolID)
			r.life.Connecting()
			r.connect(known)
			r.life.PoolStatus(known, hub.StatusRegistered)
			r.eventually("the deployed state is told", func() bool { return r.controller.timesDeployedState() > 0 })
			if dirs := r.runDirs(); len(dirs) > 0 {
				t.Errorf("it is made again: %q", dirs)
			}
		})
	}
}

func TestInG1APoolWithTheNameOfTheFirstVersionsGoesOnUnderIt(t *testing.T) {
	r := newRig(t, withBroker, with("CLUSTERJOURNAL", "false"))
	name := "acme.corp-main--pool"
	r.cluster.put(object{
		"apiVersion": group + "/v1alpha1", "kind": "CommunicationPool", "spec": object{"tenantId": "acme.corp", "poolName": "Main--Pool"},
		"metadata": object{"name": name, "namespace": namespace},
	})
	p := hub.Pool{TenantID: "acme.corp", PoolName: "Main--Pool"}
	r.succeed(r.run(event(hub.PoolDeployed, p)))
	if all := r.cluster.paths(poolPaths); len(all) != 1 {
		t.Errorf("there are the pools %q", all)
	}
	r.succeed(r.run(event(hub.PoolUndeployed, p)))
	if left := r.cluster.paths(poolPaths); len(left) > 0 {
		t.Errorf("there is still %q", left)
	}
}
