package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

func adapterPool(w *hub.WorkloadDeployed) { w.WorkloadType = hub.AdapterPool }

// owners are the names of an object's owners.
func (r *rig) owners(path string) (names []string) {
	for _, owner := range list(section(r.cluster.get(path), "metadata")["ownerReferences"]) {
		o := owner.(object)
		names = append(names, o["kind"].(string)+" "+o["name"].(string)+" "+o["uid"].(string))
		if o["controller"] != nil || o["blockOwnerDeletion"] != nil {
			panic("it controls, or blocks")
		}
	}
	return names
}

// made are the paths of what a deploy makes that can have an owner.
func made(namespace, workload string) (secret, deployment string) {
	return "/api/v1/namespaces/" + namespace + "/secrets/" + releaseName(workload) + "-octo-secrets",
		"/apis/apps/v1/namespaces/" + namespace + "/deployments/" + releaseName(workload)
}

func TestAnAdapterPoolIsOwnedByThePoolsResource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare option
		change  func(*hub.WorkloadDeployed)
		in      string
		want    string // the kind and name of the owner
	}{
		"a pool":                            {func(r *rig) { r.cluster.put(heldPool) }, adapterPool, namespace, "CommunicationPool " + resourceName},
		"a pool whose name is another":      {func(r *rig) { r.cluster.put(poolObject("by-hand", object{"tenantId": tenant, "poolRtId": poolID})) }, adapterPool, namespace, "CommunicationPool by-hand"},
		"a site":                            {func(r *rig) { r.cluster.put(heldSite) }, func(w *hub.WorkloadDeployed) { adapterPool(w); w.Pool = site }, namespace, "DeploymentSite " + resourceName},
		"an adapter of it":                  {func(r *rig) { r.cluster.put(heldPool) }, func(w *hub.WorkloadDeployed) { w.WorkloadType = hub.Adapter }, namespace, ""},
		"an application":                    {func(r *rig) { r.cluster.put(heldPool) }, func(*hub.WorkloadDeployed) {}, namespace, ""},
		"no resource":                       {func(*rig) {}, adapterPool, namespace, ""},
		"a resource that is being deleted":  {func(r *rig) { r.cluster.put(held(heldPool, theirs)); r.cluster.deleteByHand(pathOf(heldPool)) }, adapterPool, namespace, ""},
		"a resource in another namespace":   {func(r *rig) { r.cluster.put(heldPool); r.settings["PLATFORMNAMESPACE"] = "platform" }, adapterPool, "platform", ""},
		"the same, which is set explicitly": {func(r *rig) { r.cluster.put(heldPool); r.settings["PLATFORMNAMESPACE"] = namespace }, adapterPool, namespace, "CommunicationPool " + resourceName},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.prepare)
			secretPath, deployment := made(test.in, "adapters")
			r.deploy("adapters", test.change, secret("secrets.key", "planted-key"))
			var want []string
			if test.want != "" {
				for _, path := range append(r.cluster.paths(resources), r.cluster.paths(sites)...) {
					want = []string{test.want + " " + section(r.cluster.get(path), "metadata")["uid"].(string)}
				}
			}
			r.wantThere(secretPath, deployment)
			for _, path := range []string{secretPath, deployment} {
				if diff := cmp.Diff(want, r.owners(path)); diff != "" {
					t.Errorf("the owners of %s: %s", path, diff)
				}
			}
		})
	}
}

func TestAnOwnerThatCannotBeSetFailsNoDeploy(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"communicationpools", "deployments"} {
		r := newWorld(t, prepared(func(r *rig) {
			if part == "deployments" {
				r.cluster.put(heldPool)
			}
		}))
		r.start()
		r.cluster.setRefuse(func(_, path string) *status {
			if strings.Contains(path, "/"+part+"/") && (strings.HasSuffix(path, "?fieldManager=octo-communication-operator") || part == "communicationpools") {
				return &status{403, "Forbidden", "no"}
			}
			return nil
		})
		r.deploy("adapters", adapterPool)
		if said := r.log.records("adapter pool has no owner: it stays when its pool's resource is deleted, until it is undeployed"); len(said) != 1 {
			t.Errorf("it says %v", said)
		}
	}
}

// The cluster has deleted what the release has made, and helm calls it deployed still.
func TestAnAdapterPoolThatHasGoneWithItsPoolIsMadeAgain(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) { r.cluster.put(heldPool) }))
	r.deploy("adapters", adapterPool, secret("secrets.key", "planted-key"))
	secretPath, deployment := made(namespace, "adapters")
	r.cluster.remove(secretPath)
	r.cluster.remove(deployment)
	r.cluster.remove(pathOf(heldPool))
	r.wantRegistered()
	r.cluster.put(heldPool)
	r.wantRegistered(tenant + "/" + poolID)
	r.deploy("adapters", adapterPool, secret("secrets.key", "planted-key"), resent)
	r.wantThere(secretPath, deployment)
	uid := section(r.cluster.get(pathOf(heldPool)), "metadata")["uid"].(string)
	for _, path := range []string{secretPath, deployment} {
		if diff := cmp.Diff([]string{"CommunicationPool " + resourceName + " " + uid}, r.owners(path)); diff != "" {
			t.Errorf("the owners of %s: %s", path, diff)
		}
	}
	r.deploy("adapters", adapterPool, secret("secrets.key", "planted-key"), resent) // there is nothing to do
	r.wantHistory("adapters", "1 superseded, 2 deployed")
}

func TestARollbackLeavesTheSecretItsOwner(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) { r.cluster.put(heldPool) }))
	r.deploy("adapters", adapterPool, secret("secrets.key", "planted-key"))
	secretPath, _ := made(namespace, "adapters")
	before := r.owners(secretPath)
	r.fails("helm upgrade", "Error: no")
	r.run(deployEvent("adapters", adapterPool, secret("secrets.key", "planted-other-key")))
	if got := r.cluster.secret(namespace, releaseName("adapters")+"-octo-secrets"); got["secrets.key"] != "planted-key" {
		t.Errorf("the Secret has %v", got)
	}
	if diff := cmp.Diff(before, r.owners(secretPath)); diff != "" || len(before) == 0 {
		t.Errorf("the owners: %s", diff)
	}
}

// The controller sends what it takes for missing. helm calls deployed what the cluster has deleted.
func TestAnAdapterPoolThatHasGoneWithItsPoolIsNotReportedAsDeployed(t *testing.T) {
	r := newRig(t, central, prepared(func(r *rig) { r.cluster.put(heldPool) }))
	_, deployment := made(namespace, "adapters")
	r.deploy("adapters", adapterPool)
	r.deploy("shop")
	r.life.Connecting()
	r.connect(pool)
	r.life.PoolStatus(pool, hub.StatusRegistered)
	both := []string{rtID("adapters"), rtID("shop")}
	slices.Sort(both)
	r.wantTold(map[string][]string{poolID: both})

	r.cluster.remove(deployment)
	r.cluster.remove(pathOf(heldPool))
	r.wantRegistered()
	r.cluster.put(heldPool)
	r.wantRegistered(tenant + "/" + poolID)
	r.life.PoolStatus(pool, hub.StatusRegistered)
	r.wantTold(map[string][]string{poolID: {rtID("shop")}})

	r.deploy("adapters", adapterPool, resent)
	r.life.PoolStatus(pool, hub.StatusRegistered)
	r.wantTold(map[string][]string{poolID: both})
}
