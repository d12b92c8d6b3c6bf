package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// longTenant is one whose releases' names the reference operator cuts off.
const longTenant = "a-tenant-with-a-name-of-38-characters-x"

// cutOff is the name that the reference operator gives to what it makes for the tenant and that id.
func cutOff(id string) string { return strings.TrimRight((longTenant + "-" + id)[:53], "-") }

func ofLongTenant(name string) hub.Workload {
	w := workload(name)
	w.TenantID = longTenant
	return w
}

func longDeploy(name string, change ...func(*hub.WorkloadDeployed)) hub.Event {
	return deployEvent(name, append(change, func(w *hub.WorkloadDeployed) { w.TenantID = longTenant })...)
}

func longUndeploy(name string) hub.Event {
	return event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: ofLongTenant(name)})
}

func longScale(name string, replicas int) hub.Event {
	return event(hub.ScaleWorkload, hub.WorkloadScale{Workload: ofLongTenant(name), Replicas: replicas})
}

// releases are the names of the releases in the cluster, each once.
func (r *rig) releases() (names []string) {
	for _, path := range r.cluster.paths("/api/v1/namespaces/" + namespace + "/secrets/sh.helm.release.v1.") {
		name := strings.TrimPrefix(path, "/api/v1/namespaces/"+namespace+"/secrets/sh.helm.release.v1.")
		name, _, _ = strings.Cut(name, ".v")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

func (r *rig) wantReleases(want ...string) {
	r.Helper()
	if got := r.releases(); strings.Join(got, " ") != strings.Join(want, " ") {
		r.Errorf("the releases are %q, want %q", got, want)
	}
}

func identity(w hub.Workload) object {
	return object{"tenantId": w.TenantID, "adapterRtId": w.WorkloadRtID}
}

// secretLabels are those that the reference operator puts on a release's Secret.
func secretLabels(tenant, workload string) object {
	return object{group + "/tenant": tenant, group + "/workload-rt-id": rtID(workload), group + "/managed-by": "communication-operator"}
}

func (r *rig) putSecret(name string, labels, data object) {
	r.cluster.put(object{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
		"metadata": object{"name": name, "namespace": namespace, "labels": labels},
	})
}

func TestAReleaseWithACutOffNameGoesOnUnderIt(t *testing.T) {
	r := newRig(t, with("CLUSTERJOURNAL", "false"))
	name := cutOff(rtID("shop"))
	r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
	r.putSecret(name+"-octo-secrets", secretLabels(longTenant, "shop"), object{"secrets.old": "b2xk"})

	r.succeed(r.run(longDeploy("shop", secret("secrets.key", "planted-key"))))
	r.wantReleases(name)
	if got := r.cluster.secret(namespace, name+"-octo-secrets"); len(got) != 1 || got["secrets.key"] != "planted-key" {
		t.Errorf("its secret holds %q", got)
	}
	r.succeed(r.run(longDeploy("shop", override("image.tag", "2"))))
	if got := r.cluster.releaseHistory(namespace, name); got != "1 superseded, 2 superseded, 3 deployed" {
		t.Errorf("its revisions are %s", got)
	}
	r.succeed(r.run(longScale("shop", 3)))
	if got := section(r.cluster.get("/apis/apps/v1/namespaces/octo/deployments/"+name), "spec")["replicas"]; got != 3.0 {
		t.Errorf("it has %v replicas", got)
	}
	r.succeed(r.run(longUndeploy("shop")))
	if left := r.cluster.paths("/api/v1/namespaces/octo/secrets/"); len(left) > 0 {
		t.Errorf("there is still %q", left)
	}
}

func TestADeployThatFailsIsTakenBackUnderTheCutOffName(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	name := cutOff(rtID("shop"))
	r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
	r.fails("helm upgrade", "Error: UPGRADE FAILED: a webhook has refused it")
	r.wantFailure(r.run(longDeploy("shop")), "shop", "a webhook has refused it")
	r.wantReleases(name)
}

// What the reference operator has cut off alike is one workload's alone.
func TestOfTwoWorkloadsWithOneCutOffNameTheOtherGetsItsOwn(t *testing.T) {
	r := newRig(t)
	name := cutOff(rtID("shop"))
	r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
	other := func(w *hub.WorkloadDeployed) { w.WorkloadRtID = rtID("shop")[:20] + "ffff" }

	r.succeed(r.run(longDeploy("shop", other)))
	if got := r.releases(); len(got) != 2 || r.cluster.releaseHistory(namespace, name) != "1 deployed" {
		t.Errorf("the releases are %q, the one with the cut-off name has %s", got, r.cluster.releaseHistory(namespace, name))
	}
	w := ofLongTenant("shop")
	w.WorkloadRtID = rtID("shop")[:20] + "ffff"
	r.succeed(r.run(event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: w})))
	r.wantReleases(name)
}

// There and back: helm has handed this operator's labels, of the one workload, down to the other one's revision.
func TestACutOffNameIsTheWorkloadsThatTheReferenceOperatorHasDeployedLast(t *testing.T) {
	t.Parallel()
	for name, undeploys := range map[string]bool{"the first one is undeployed": true, "the first one is deployed": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			name := cutOff(rtID("shop"))
			r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
			r.succeed(r.run(longDeploy("shop")))
			theirs := newest(r.cluster.revisions(namespace, name))
			theirs.Status = "superseded"
			r.cluster.putRevision(theirs)
			other := ofLongTenant("shop")
			other.WorkloadRtID = rtID("shop")[:20] + "ffff"
			theirs.Number, theirs.Status, theirs.Content.Values = 3, "deployed", identity(other)
			r.cluster.putRevision(theirs)

			if undeploys {
				r.succeed(r.run(longUndeploy("shop")))
				r.wantReleases(name)
			} else {
				r.succeed(r.run(longDeploy("shop")))
				if got := r.releases(); len(got) != 2 {
					t.Errorf("the releases are %q", got)
				}
			}
			if got := newest(r.cluster.revisions(namespace, name)); got.Number != 3 || got.Status != "deployed" {
				t.Errorf("the newest revision under the cut-off name is %d, %s", got.Number, got.Status)
			}
			own := len(r.releases())
			r.succeed(r.run(longDeploy("shop", func(w *hub.WorkloadDeployed) { w.WorkloadRtID = other.WorkloadRtID })))
			if got := newest(r.cluster.revisions(namespace, name)); got.Number != 4 || len(r.releases()) != own {
				t.Errorf("the other one went to another release than its own, %q", r.releases())
			}
		})
	}
}

func TestANewWorkloadWithALongNameGetsItsOwn(t *testing.T) {
	r := newRig(t)
	r.succeed(r.run(longDeploy("shop")))
	if got := r.releases(); len(got) != 1 || got[0] == cutOff(rtID("shop")) {
		t.Errorf("the releases are %q", got)
	}
}

// helm was ended after it had removed the release: only the Secret tells the name.
func TestAnUndeployThatWasEndedHalfwayRemovesTheSecretWithTheCutOffName(t *testing.T) {
	r := newRig(t, with("CLUSTERJOURNAL", "false"))
	r.putSecret(cutOff(rtID("shop"))+"-octo-secrets", secretLabels(longTenant, "shop"), nil)
	r.succeed(r.run(longUndeploy("shop")))
	if left := r.cluster.paths("/api/v1/namespaces/octo/secrets/"); len(left) > 0 {
		t.Errorf("there is still %q", left)
	}
}

// The installation has gone back to the reference operator and come again.
func TestAnUndeployRemovesBothReleasesOfAWorkloadThatHasTwo(t *testing.T) {
	r := newRig(t)
	r.succeed(r.run(longDeploy("shop")))
	r.foreignNamed(cutOff(rtID("shop")), nil, identity(ofLongTenant("shop")))
	r.succeed(r.run(longUndeploy("shop")))
	r.wantReleases()
}

// Each look-up is a request for all tenants' deploys.
func TestOnlyALongNameCostsAnotherLookUp(t *testing.T) {
	t.Parallel()
	asked := func(deploy func(r *rig)) int {
		r := newWorld(t, counted, with("CLUSTERJOURNAL", "false"))
		r.start()
		deploy(r)
		return r.cluster.asked("GET /api/v1/namespaces/octo/secrets")
	}
	short := asked(func(r *rig) { r.deploy("shop") })
	long := asked(func(r *rig) { r.succeed(r.run(longDeploy("shop"))) })
	if short == 0 || long != short+2 { // the release and the Secret with the name that is cut off
		t.Errorf("a short name costs %d look-ups, a long one %d, want two more", short, long)
	}
}

// What a person installed is not touched because of its name.
func TestAReleaseThatNothingProvesToBeTheWorkloadsIsLeftAlone(t *testing.T) {
	t.Parallel()
	refers := object{"key": object{"valueFrom": object{"secretKeyRef": object{"name": releaseName("shop") + "-octo-secrets"}}}}
	for _, test := range []struct {
		name   string
		values object
		secret object // labels of the release's Secret
	}{
		{"no values at all", nil, nil},
		{"the tenant alone", object{"tenantId": tenant}, nil},
		{"the runtime id alone", object{"adapterRtId": rtID("shop")}, nil},
		{"names that are like the right ones", object{"tenantid": tenant, "AdapterRtId": rtID("shop")}, nil},
		{"values of another type", object{"tenantId": []any{tenant}, "adapterRtId": object{}}, nil},
		{"a secret that the release does not use", nil, secretLabels(tenant, "shop")},
		{"a secret of somebody else", refers, object{group + "/tenant": tenant, group + "/workload-rt-id": rtID("shop")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.foreign("shop", nil, test.values)
			if test.secret != nil {
				r.putSecret(releaseName("shop")+"-octo-secrets", test.secret, object{"a": "Yg=="})
			}
			way := "kubectl label secret --namespace octo --selector owner=helm,name=" + releaseName("shop") +
				" octo-mesh.meshmakers.io/tenant=acme octo-mesh.meshmakers.io/workload-rt-id=" + rtID("shop")
			r.wantFailure(r.run(deployEvent("shop")), "shop", releaseName("shop"), way)
			r.wantFailure(r.run(undeployEvent("shop")), "shop", way)
			if result := r.run(scaleEvent("shop", 7)); result.Outcome != runs.Failed || !strings.Contains(result.Reason, way) {
				t.Errorf("the scaling has %s: %s", result.Outcome, result.Reason)
			}
			r.wantHistory("shop", "1 deployed")
			if got := r.deployment("shop").replicas; got != 1 {
				t.Errorf("it has %d replicas", got)
			}
			if got := r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets"); test.secret != nil && got["a"] != "b" {
				t.Errorf("the secret holds %q", got)
			}
		})
	}
}

func TestAReleaseThatSomebodyHasLabelledByHandIsTheWorkloads(t *testing.T) {
	r := newRig(t)
	r.foreign("shop", map[string]string{group + "/tenant": tenant, group + "/workload-rt-id": rtID("shop")}, nil)
	r.deploy("shop")
	r.wantHistory("shop", "1 superseded, 2 deployed")
}

// The reference operator once gave no identity among the values.
func TestTheSecretOfAReleaseProvesWhoseItIs(t *testing.T) {
	r := newRig(t)
	r.foreign("shop", nil, object{"secrets": object{"key": object{"valueFrom": object{"secretKeyRef": object{"name": releaseName("shop") + "-octo-secrets", "key": "secrets.key"}}}}})
	r.putSecret(releaseName("shop")+"-octo-secrets", secretLabels(tenant, "shop"), object{"secrets.key": "b2xk"})
	r.deploy("shop", secret("secrets.key", "planted-key"))
	r.wantHistory("shop", "1 superseded, 2 deployed")
}

// The reference operator makes another label of a tenant's id that is none.
func TestASecretWithTheReferenceOperatorsLabelIsTheWorkloads(t *testing.T) {
	r := newRig(t)
	odd := func(w *hub.WorkloadDeployed) { w.TenantID = "acme corp." }
	name := "acme-corp-" + rtID("shop")
	r.foreignNamed(name, nil, object{"tenantId": "acme corp.", "adapterRtId": rtID("shop")})
	r.putSecret(name+"-octo-secrets", secretLabels("acme-corp", "shop"), object{"secrets.old": "b2xk"})
	r.succeed(r.run(deployEvent("shop", odd, secret("secrets.key", "planted-key"))))
	if got := r.cluster.secret(namespace, name+"-octo-secrets"); len(got) != 1 || got["secrets.key"] != "planted-key" {
		t.Errorf("its secret holds %q", got)
	}
	r.succeed(r.run(deployEvent("shop", odd)))
	if got := r.cluster.secret(namespace, name+"-octo-secrets"); got != nil {
		t.Errorf("without a secret override there is still %q", got)
	}
}

func ofG1(name string) hub.Workload {
	return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolName: "main-pool"}, WorkloadName: name, WorkloadType: hub.Application}
}

func TestTheSecretOfAReleaseProvesThatItIsAnotherWorkloads(t *testing.T) {
	r := newRig(t)
	r.foreign("shop", nil, object{"key": object{"valueFrom": object{"secretKeyRef": object{"name": releaseName("shop") + "-octo-secrets"}}}})
	r.putSecret(releaseName("shop")+"-octo-secrets", secretLabels(tenant, "bank"), nil)
	r.wantFailure(r.run(undeployEvent("shop")), "shop", "belongs to another workload: so says its secret "+releaseName("shop")+"-octo-secrets", rtID("bank"))
	r.wantHistory("shop", "1 deployed")
}

// In G1 an undeploy has no runtime id. The reference operator gives it with every deploy, a person's release has none.
func TestInG1AnUndeployWantsAReleaseThatAnOperatorHasMade(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values object
		gone   bool
	}{
		{"a platform's release", object{"tenantId": tenant}, false},
		{"another tenant's", object{"tenantId": "other", "adapterRtId": rtID("shop")}, false},
		{"the reference operator's", object{"tenantId": tenant, "adapterRtId": rtID("shop")}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.foreignNamed("acme-mesh-controller", nil, test.values)
			result := r.run(event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: ofG1("Mesh Controller")}))
			if gone := len(r.releases()) == 0; gone != test.gone || (result.Outcome == runs.Succeeded) != test.gone {
				t.Errorf("it has %s, the release is gone: %v", result.Outcome, gone)
			}
		})
	}
}

// The first versions made as many dashes as there were odd characters, and gave no identity among the values.
func TestInG1AReleaseWithTheNameOfTheFirstVersionsGoesOnUnderIt(t *testing.T) {
	r := newRig(t)
	const name = "acme-web---shop"
	r.foreignNamed(name, nil, object{"key": object{"valueFrom": object{"secretKeyRef": object{"name": name + "-octo-secrets"}}}})
	r.putSecret(name+"-octo-secrets", object{group + "/tenant": tenant, group + "/workload": "Web---Shop", group + "/managed-by": "communication-operator"}, nil)
	w := hub.WorkloadDeployed{Workload: ofG1("Web - Shop"), RepositoryURL: repository, ChartName: "demo", ChartVersion: "1.2.3"}
	r.succeed(r.run(event(hub.WorkloadDeployedCallback, w)))
	r.wantReleases(name)
	r.succeed(r.run(event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: w.Workload})))
	r.wantReleases()
}

// Its name is this operator's for the other one too, and an undeploy of G1 has no runtime id to tell them apart.
func TestInG1AnUndeployOfANameOfTheFirstVersionsLeavesTheOtherWorkloadsRelease(t *testing.T) {
	r := newRig(t)
	r.foreignNamed("acme-web---shop", nil, object{"tenantId": tenant, "adapterRtId": rtID("dashes")})
	r.foreignNamed("acme-web-shop", nil, object{"tenantId": tenant, "adapterRtId": rtID("shop")})
	r.succeed(r.run(event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: ofG1("Web - Shop")})))
	r.wantReleases("acme-web-shop")
}

// What runs in a lane runs on a release whose name is another one.
func TestAReleaseWithACutOffNameWhosePodsAreWaitedForIsNotReportedAsDeployed(t *testing.T) {
	r := newRig(t, central)
	name := cutOff(rtID("shop"))
	r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
	path := "/apis/apps/v1/namespaces/octo/deployments/" + name
	r.cluster.mu.Lock()
	r.cluster.sick[path] = pulling
	r.cluster.mu.Unlock()
	deploy := r.accept(longDeploy("shop", override("image.tag", "2")))
	r.eventually("its pods are waited for", func() bool { return r.cluster.releaseHistory(namespace, name) == "1 superseded, 2 deployed" })
	long := hub.Pool{TenantID: longTenant, PoolRtID: poolID}
	r.life.Connecting()
	r.connect(long)
	r.life.PoolStatus(long, hub.StatusRegistered)
	r.eventually("the deployed state is told", func() bool { return r.controller.timesDeployedState() > 0 })
	if got := r.controller.deployedState(); len(got) != 1 || len(got[0].WorkloadRtIDs) > 0 {
		t.Errorf("reported as deployed: %v", got)
	}
	r.cluster.mu.Lock()
	delete(r.cluster.sick, path)
	r.cluster.set(path, r.cluster.objects[path], "kube-controller-manager")
	r.cluster.mu.Unlock()
	r.succeed(deploy.result())
}

func TestAnEventThatWasLeftRecoversTheReleaseWithTheCutOffName(t *testing.T) {
	r := newRig(t)
	name := cutOff(rtID("shop"))
	r.foreignNamed(name, nil, identity(ofLongTenant("shop")))
	r.succeed(r.run(longDeploy("shop")))
	h := r.holdNamed("upgrade", name) // a helm that is killed leaves its revision pending
	r.accept(longDeploy("shop", override("image.tag", "2")))
	r.reach(h)
	r.restart()
	r.eventually("it is deployed", func() bool {
		v := newest(r.cluster.revisions(namespace, name))
		return v.Status == "deployed" && v.Number > 2
	})
	r.wantReleases(name)
}

// What an operator's earlier life has begun is recovered before it goes on: only what is its own.
func TestAnEventThatWasLeftRecoversNoReleaseOfSomebodyElses(t *testing.T) {
	r := newRig(t)
	v := revision{Name: releaseName("shop"), Namespace: namespace, Number: 1, Status: "pending-install", Content: content{Chart: "demo", Version: "1.0.0"}}
	r.cluster.putRevision(v)
	r.cluster.age(v.path(), time.Hour)
	r.whenPulled(func(_ http.ResponseWriter, request *http.Request, _ func()) { <-request.Context().Done() })
	r.accept(deployEvent("shop"))
	r.eventually("the chart is pulled", func() bool { return len(r.pulled()) > 0 })
	r.usually()
	r.restart()
	s := r.status("shop")
	wantText(t, s.StatusMessage, "nothing proves that it is this workload's")
	r.wantHistory("shop", "1 pending-install")
}
