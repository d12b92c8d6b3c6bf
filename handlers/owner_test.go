package handlers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// sameNames are tenants of whose ids Kubernetes names are made as of victimTenant's.
const victimTenant = "victim-corp"

var sameNames = []string{"victim.corp", "VICTIM_CORP", "victim corp", "victim@corp", "Victim-Corp", "victim--corp"}

func workloadOf(tenant, name string) hub.Workload {
	w := workload(name)
	w.TenantID = tenant
	return w
}

// attacks are what a tenant can ask for a workload.
func attacks(w hub.Workload) map[string]hub.Event {
	deploy := hub.WorkloadDeployed{Workload: w, RepositoryURL: repository, ChartName: "demo", ChartVersion: "1.2.3", Values: []hub.Value{{Path: "a", Value: "planted", IsSecret: true}}}
	reconciliation := deploy
	reconciliation.IsReconciliation = true
	return map[string]hub.Event{
		"deploy":         event(hub.WorkloadDeployedCallback, deploy),
		"reconciliation": event(hub.WorkloadDeployedCallback, reconciliation),
		"undeploy":       event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: w}),
		"scale":          event(hub.ScaleWorkload, hub.WorkloadScale{Workload: w, Replicas: 7}),
	}
}

// things are all objects in the cluster, as they are, without what lives as long as an event.
func (r *rig) things() map[string]string {
	all := map[string]string{}
	for _, path := range r.cluster.paths("/") {
		if o := r.cluster.get(path); o != nil && !strings.Contains(path, "octo-journal-") && !strings.Contains(path, "/leases/") {
			all[path] = asJSON(o)
		}
	}
	return all
}

// wantUntouched runs each event alone and wants it to fail, with the words, and everything to be as it was.
func (r *rig) wantUntouched(events map[string]hub.Event, words ...string) {
	r.Helper()
	before := r.things()
	for what, e := range events {
		result := r.run(e)
		if result.Outcome != runs.Failed {
			r.Errorf("the %s has %s", what, result.Outcome)
		}
		wantText(r.T, result.Reason, words...)
		if diff := cmp.Diff(before, r.things()); diff != "" {
			r.Errorf("the %s has changed what is another's:\n%s", what, diff)
		}
	}
}

func TestATenantWhoseNamesAreAnothersTouchesNoReleaseOfIt(t *testing.T) {
	t.Parallel()
	for _, tenants := range [][2]string{{victimTenant, "victim.corp"}, {victimTenant, "VICTIM_CORP"}, {victimTenant, "victim corp"}, {"victim.corp", victimTenant}, {"victim corp", victimTenant}} {
		t.Run(tenants[1]+" acts on "+tenants[0], func(t *testing.T) {
			r := newRig(t, with("CLUSTERJOURNAL", "false"))
			r.deploy("shop", ofTenant(tenants[0]), secret("secrets.key", "planted-key"))
			r.wantUntouched(attacks(workloadOf(tenants[1], "shop")), "belongs to another workload", "undeploy the other one, or rename one of them")
		})
	}
}

// The first deploy of a workload writes its Secret before helm makes the release. Whoever comes in between finds the Secret alone.
func TestATenantWhoseNamesAreAnothersTouchesNoSecretOfIt(t *testing.T) {
	t.Parallel()
	for _, attacker := range sameNames {
		t.Run(attacker, func(t *testing.T) {
			r := newRig(t, with("CLUSTERJOURNAL", "false"))
			r.putSecret(victimTenant+"-"+rtID("shop")+"-octo-secrets", secretLabels(victimTenant, "shop"), object{"secrets.key": "b2xk"})
			events := attacks(workloadOf(attacker, "shop"))
			before := r.things()
			r.run(events["undeploy"]) // of what is not there: it may succeed
			if diff := cmp.Diff(before, r.things()); diff != "" {
				t.Errorf("the undeploy has changed what is another's:\n%s", diff)
			}
			delete(events, "undeploy")
			delete(events, "scale") // there is nothing to scale
			r.wantUntouched(events, "secret "+victimTenant+"-"+rtID("shop")+"-octo-secrets in namespace octo")
		})
	}
}

func TestASecretThatNothingProvesToBeTheWorkloadsIsLeftAlone(t *testing.T) {
	r := newRig(t, with("CLUSTERJOURNAL", "false"))
	name := releaseName("shop") + "-octo-secrets"
	r.putSecret(name, nil, object{"by-hand": "b2xk"})
	events := attacks(workload("shop"))
	r.succeed(r.run(events["undeploy"])) // there is no release of the workload's, and this is not known to be its secret
	if got := r.cluster.secret(namespace, name); got["by-hand"] != "old" {
		t.Errorf("after the undeploy the secret holds %q", got)
	}
	way := "kubectl label secret " + name + " --namespace octo octo-mesh.meshmakers.io/managed-by=communication-operator octo-mesh.meshmakers.io/tenant=acme " +
		"octo-mesh.meshmakers.io/workload-rt-id=" + rtID("shop")
	r.wantUntouched(map[string]hub.Event{"deploy": events["deploy"]}, "nothing proves that it is this workload's", way)
	r.putSecret(name, secretLabels(tenant, "shop"), object{"by-hand": "b2xk"}) // what the way makes of it
	r.succeed(r.run(events["deploy"]))
}

// In G1 names decide, and what this operator makes of a tenant's id where that is no label may be another tenant's id.
func TestATenantWhoseIDIsTheLabelOfAnotherTouchesNothingOfIt(t *testing.T) {
	const owner = "victim corp"
	sum := sha256.Sum256([]byte(owner))
	hash := hex.EncodeToString(sum[:])[:10]
	named := func(tenant, name string) hub.Workload {
		return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolName: "main-pool"}, WorkloadName: name, WorkloadType: hub.Application}
	}
	r := newRig(t, with("CLUSTERJOURNAL", "false"))
	r.succeed(r.run(attacks(named(owner, hash+"-shop"))["deploy"]))
	r.wantReleases("victim-corp-" + hash + "-shop")
	r.wantUntouched(attacks(named("victim-corp-"+hash, "shop")), "belongs to another workload")
	// Before there was the hash of the whole id, the label was all: now the values tell.
	path := "/api/v1/namespaces/octo/secrets/sh.helm.release.v1.victim-corp-" + hash + "-shop.v1"
	r.cluster.change(path, func(o object) { delete(section(o, "metadata")["labels"].(object), group+"/tenant-hash") })
	r.wantUntouched(attacks(named("victim-corp-"+hash, "shop")), "belongs to another workload", `its value tenantId is "victim corp"`)
	r.succeed(r.run(attacks(named(owner, hash+"-shop"))["deploy"]))
}

func TestAReleaseWhoseLabelsSomebodyHasChangedIsNobodysByThem(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		labels object
		reason string
	}{
		"to the other's": {object{group + "/tenant": "VICTIM_CORP"}, "belongs to another workload"},
		"away":           {object{group + "/tenant": nil, group + "/tenant-hash": nil, group + "/workload-rt-id": nil, group + "/managed-by": nil}, `its value tenantId is "victim-corp"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, with("CLUSTERJOURNAL", "false"))
			r.deploy("shop", ofTenant(victimTenant), secret("secrets.key", "planted-key"))
			for _, path := range []string{"sh.helm.release.v1." + victimTenant + "-" + rtID("shop") + ".v1", victimTenant + "-" + rtID("shop") + "-octo-secrets"} {
				r.cluster.change("/api/v1/namespaces/octo/secrets/"+path, func(o object) {
					labels := section(o, "metadata")["labels"].(object)
					for key, value := range change.labels {
						if labels[key] = value; value == nil {
							delete(labels, key)
						}
					}
				})
			}
			r.wantUntouched(attacks(workloadOf("VICTIM_CORP", "shop")), change.reason)
		})
	}
}

// The operator's upgrade must not make every reconciliation a deploy.
func TestASecretOfBeforeNeedsNoNewMarks(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.key", "planted-key"))
	path := "/api/v1/namespaces/octo/secrets/" + releaseName("shop") + "-octo-secrets"
	r.cluster.change(path, func(o object) { delete(section(o, "metadata")["annotations"].(object), group+"/tenant-id") })
	r.cluster.change("/api/v1/namespaces/octo/secrets/sh.helm.release.v1."+releaseName("shop")+".v1", func(o object) {
		delete(section(o, "metadata")["labels"].(object), group+"/tenant-hash")
	})
	r.deploy("shop", secret("secrets.key", "planted-key"), resent)
	r.wantHistory("shop", "1 deployed")
}

func TestReplicasHaveABound(t *testing.T) {
	r := newRig(t, with("MAXREPLICAS", "5"))
	r.deploy("shop")
	for replicas, want := range map[int]string{6: "replicas is 6: at most 5 are allowed: ask for fewer, or raise OPERATOR__MAXREPLICAS", -1: "replicas is -1: it must be 0 or more", 1 << 40: "at most 5 are allowed"} {
		result := r.run(scaleEvent("shop", replicas))
		if result.Outcome != runs.Failed {
			t.Errorf("%d replicas: it has %s", replicas, result.Outcome)
		}
		wantText(t, result.Reason, want)
	}
	if got := r.deployment("shop").replicas; got != 1 {
		t.Errorf("it has %d replicas", got)
	}
	r.succeed(r.run(scaleEvent("shop", 5)))
}
