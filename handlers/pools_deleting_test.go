package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

const (
	poolFinalizer = "octo-mesh.meshmakers.io/communicationpoolfinalizer"
	siteFinalizer = "octo-mesh.meshmakers.io/deploymentsitefinalizer"
	theirs        = "example.com/theirs"
)

// held is a pool's resource with finalizers.
func held(o object, finalizers ...any) object {
	o = clone(o)
	section(o, "metadata")["finalizers"] = finalizers
	return o
}

var (
	heldPool = poolObject(resourceName, object{"tenantId": tenant, "poolRtId": poolID})
	heldSite = object{
		"apiVersion": group + "/v1", "kind": "DeploymentSite", "metadata": object{"name": resourceName, "namespace": namespace},
		"spec": object{"tenantId": tenant, "deploymentSiteRtId": poolID},
	}
)

// wantFinalizers waits until an object has exactly these.
func (r *rig) wantFinalizers(path string, want ...any) {
	r.Helper()
	r.eventually("the finalizers", func() bool {
		return slices.Equal(list(section(r.cluster.get(path), "metadata")["finalizers"]), want)
	})
}

// Whoever deletes a pool's resource by hand must not wait for an operator that is gone, in either mode.
func TestTheReferenceOperatorsFinalizersGoWithTheResource(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]option{"edge": func(*rig) {}, "central": central} {
		for _, o := range []object{held(heldPool, poolFinalizer), held(heldSite, siteFinalizer), held(poolObject("odd", object{"tenantId": tenant, "poolRtId": "XYZ"}), poolFinalizer)} {
			t.Run(name+" "+pathOf(o), func(t *testing.T) {
				r := newRig(t, mode, prepared(func(r *rig) { r.cluster.put(o) }))
				r.eventually("it is seen", func() bool { return at(r.cluster.get(pathOf(o)), "status\x00communicationStatus") != nil })
				r.cluster.deleteByHand(pathOf(o))
				r.eventually("it is gone", func() bool { return r.cluster.get(pathOf(o)) == nil })
				r.wantRegistered()
				if said := r.log.records("pool is being deleted, and stays until somebody else's finalizers are removed"); len(said) > 0 {
					t.Errorf("it says %v", said)
				}
			})
		}
	}
}

func TestAPoolThatIsBeingDeletedIsRegisteredAgainOnlyAnew(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) { r.cluster.put(held(heldPool, theirs, poolFinalizer)) }))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	r.cluster.deleteByHand(path)
	r.wantRegistered()
	r.wantFinalizers(path, theirs) // that one is not ours to remove
	const said = "pool is being deleted, and stays until somebody else's finalizers are removed"
	r.eventually("it is said", func() bool { return len(r.log.records(said)) > 0 })

	// Another pool's registration shows that the watch has gone on.
	sees := func(what string) {
		t.Helper()
		r.cluster.put(poolObject(what, object{"tenantId": "beta", "poolName": what}))
		r.wantRegistered(slices.Sorted(slices.Values(betas(r)))...)
	}
	touched := r.cluster.get(path)
	section(section(touched, "metadata"), "labels")["a"] = "b"
	r.cluster.put(touched)
	sees("changed")
	r.cluster.setAway(true) // a new list after that
	r.cluster.setAway(false)
	sees("listed")
	r.restart() // another life has not seen it alive
	sees("restarted")
	r.eventually("it is said once in each life", func() bool { return len(r.log.records(said)) == 2 })
	if status := at(r.cluster.get(path), "status\x00communicationStatus"); status != "Registered" {
		t.Errorf("its status was changed to %v", status)
	}

	r.cluster.release(path)
	r.cluster.put(heldPool)
	r.wantRegistered(append([]string{tenant + "/" + poolID}, slices.Sorted(slices.Values(betas(r)))...)...)
}

// betas are the pools of tenant beta that have a resource.
func betas(r *rig) (names []string) {
	for _, path := range r.cluster.paths(resources) {
		if name := path[strings.LastIndex(path, "/")+1:]; name != resourceName {
			names = append(names, "beta/"+name)
		}
	}
	return names
}

func TestAFinalizerIsRemovedInTheEndAndNoneThatIsAddedMeanwhileIsLost(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) { r.cluster.put(held(heldPool, poolFinalizer)) }))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	tries := make(chan bool, 10)
	r.cluster.setRefuse(func(verb, asked string) *status {
		if verb != "PATCH" || !strings.HasPrefix(asked, path+"?") || len(tries) > 1 {
			return nil
		}
		tries <- true
		if len(tries) == 1 {
			return &status{500, "InternalError", `Internal error occurred: failed calling webhook "validate": connection refused`}
		}
		changed := r.cluster.get(path)
		section(changed, "metadata")["finalizers"] = []any{poolFinalizer, theirs}
		r.cluster.put(changed)
		return nil
	})
	r.cluster.deleteByHand(path)
	r.wantFinalizers(path, theirs)
	if len(r.log.records("pool that is being deleted stays: the reference operator's finalizer is not removed yet")) != 1 {
		t.Error("the failure is not said once")
	}
}

// deletedPool is central mode with a pool whose resource somebody else's finalizer holds.
func deletedPool(r *rig) {
	withBroker(r)
	r.cluster.put(held(heldPool, theirs))
	r.cluster.put(object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": resourceName + "-octo-mesh-connection", "namespace": namespace}})
}

func TestAnUndeployDoesNotWaitForFinalizersAndADeployAfterItMakesThePoolAnew(t *testing.T) {
	r := newRig(t, prepared(deletedPool))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	r.succeed(r.run(event(hub.PoolUndeployed, pool)))
	r.wantRegistered()
	r.wantGone(brokerSecret)
	r.wantFinalizers(path, theirs)

	deploy := r.accept(event(hub.PoolDeployed, pool))
	r.eventually("it waits", func() bool {
		return len(r.log.records("event tried again: the pool's old resource is still being deleted")) > 0
	})
	if r.wantRegistered(); section(r.cluster.get(path), "metadata")["deletionTimestamp"] == nil {
		t.Error("it is there again")
	}
	r.succeed(r.run(tenantEvent(tenant))) // the tenant's update does not wait for that
	r.deploy("shop")                      // nor do workloads
	r.cluster.release(path)
	r.succeed(deploy.result())
	r.wantPoolStatus(path, "Registered")
	r.wantThere(brokerSecret)
	r.wantRegistered(tenant + "/" + poolID)
}

func TestADeployThatWaitsForTheOldResourceMakesWayAndSurvivesTheOperator(t *testing.T) {
	r := newRig(t, prepared(deletedPool))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	r.cluster.deleteByHand(path)
	r.wantRegistered()
	waiting := map[any]bool{} // runs that wait
	waits := func() {         // the next event
		t.Helper()
		before := len(waiting)
		r.eventually("it waits", func() bool {
			for _, record := range r.log.records("event tried again: the pool's old resource is still being deleted") {
				waiting[record["run"]] = true
			}
			return len(waiting) > before
		})
	}
	first := r.accept(event(hub.PoolDeployed, pool))
	waits()
	newer := r.accept(event(hub.PoolDeployed, pool))
	if result := first.result(); result.Outcome != runs.Superseded {
		t.Errorf("the first one has %s", result.Outcome)
	}
	waits()
	r.succeed(r.run(event(hub.PoolUndeployed, pool)))
	if result := newer.result(); result.Outcome != runs.Superseded || !strings.Contains(result.Reason, "the pool is being undeployed") {
		t.Errorf("the second one has %s: %s", result.Outcome, result.Reason)
	}
	r.accept(event(hub.PoolDeployed, pool))
	waits()
	r.shutdown(20 * patience) // half of which it would wait for what can end
	r.cluster.release(path)
	r.start()
	r.wantPoolStatus(path, "Registered")
}

// The API server takes a change of an object that is being deleted, and deletes it all the same.
func TestAPoolThatIsDeletedWhileItIsDeployedIsMadeAnew(t *testing.T) {
	r := newRig(t, prepared(deletedPool))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	old := section(r.cluster.get(path), "metadata")["uid"]
	r.when("kubectl apply", func(_ *call, usual func() int) int {
		r.usually()
		r.cluster.deleteByHand(path)
		return usual()
	})
	deploy := r.accept(event(hub.PoolDeployed, pool))
	r.eventually("it waits", func() bool {
		return len(r.log.records("event tried again: the pool's old resource is still being deleted")) > 0
	})
	r.cluster.release(path)
	r.succeed(deploy.result())
	if now := section(r.cluster.get(path), "metadata")["uid"]; now == nil || now == old {
		t.Errorf("the resource is %v, and was %v", now, old)
	}
}

func TestAPoolStaysOutWhileItsResourceCannotBeDeletedAndComesBackWithADeploy(t *testing.T) {
	r := newRig(t, withBroker, prepared(func(r *rig) { r.cluster.put(heldPool) }))
	path := pathOf(heldPool)
	r.wantPoolStatus(path, "Registered")
	r.cluster.setRefuse(func(verb, _ string) *status {
		if verb == "DELETE" {
			return &status{403, "Forbidden", `communicationpools "a" is forbidden: User "u" cannot delete resource "communicationpools" in API group "x" in the namespace "octo"`}
		}
		return nil
	})
	undeploy := r.accept(event(hub.PoolUndeployed, pool))
	r.eventually("it is to be tried again", func() bool {
		return len(r.log.records("event tried again: the cluster does not take the pool as things are")) > 0
	})
	touched := r.cluster.get(path)
	section(section(touched, "metadata"), "labels")["a"] = "b"
	r.cluster.put(touched)
	r.cluster.put(poolObject("other", object{"tenantId": "beta", "poolName": "other"}))
	r.wantRegistered("beta/other")
	r.succeed(r.run(event(hub.PoolDeployed, pool)))
	if result := undeploy.result(); result.Outcome != runs.Superseded {
		t.Errorf("the undeploy has %s", result.Outcome)
	}
	r.wantRegistered(tenant+"/"+poolID, "beta/other")
}

func TestAPoolThatHasGoneIsNotReportedAsDeployedHoweverLongItsResourceStays(t *testing.T) {
	other := hub.Pool{TenantID: "beta", PoolRtID: poolID}
	r := newRig(t, prepared(deletedPool))
	r.wantPoolStatus(pathOf(heldPool), "Registered")
	r.cluster.put(poolObject("odd", object{"tenantId": tenant, "poolRtId": "XYZ"}))
	r.life.Connecting()
	r.connect(pool, other)
	r.wantRegistered(tenant+"/"+poolID, "beta/"+poolID)
	r.succeed(r.run(event(hub.PoolUndeployed, pool)))
	r.eventually("the other one alone is told", func() bool {
		r.life.PoolStatus(other, hub.StatusRegistered)
		return r.isTold(map[string][]string{other.PoolRtID: {}}) && len(r.controller.deployedState()) == 1
	})
	r.wantFinalizers(pathOf(heldPool), theirs)
}
