package handlers_test

import (
	"encoding/json"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// wantHistory compares a release's revisions, such as "1 superseded, 2 deployed".
func (r *rig) wantHistory(workload, want string) {
	r.Helper()
	if got := r.cluster.releaseHistory(namespace, releaseName(workload)); got != want {
		r.Errorf("release of %s: revisions %q, want %q", workload, got, want)
	}
}

func (r *rig) wantImage(workload, want string) {
	r.Helper()
	if got := r.deployment(workload).image; got != want {
		r.Errorf("%s runs %s, want %s", workload, got, want)
	}
}

func deploymentPath(workload string) string {
	return "/apis/apps/v1/namespaces/" + namespace + "/deployments/" + releaseName(workload)
}

// running is what a workload's Deployment asks for.
type running struct {
	replicas int // -1: there is no Deployment
	image    string
}

func (r *rig) deployment(workload string) running {
	r.Helper()
	o := r.cluster.get(deploymentPath(workload))
	if o == nil {
		return running{replicas: -1}
	}
	var d struct {
		Spec struct {
			Replicas int
			Template struct {
				Spec struct{ Containers []struct{ Image string } }
			}
		}
	}
	text, _ := json.Marshal(o)
	r.must(json.Unmarshal(text, &d))
	return running{d.Spec.Replicas, d.Spec.Template.Spec.Containers[0].Image}
}

// foreign puts a release into the cluster that this operator has not made.
func (r *rig) foreign(workload string, labels map[string]string, values object) {
	r.foreignNamed(releaseName(workload), labels, values)
}

// foreignNamed is foreign for a release of that name, with its Deployment.
func (r *rig) foreignNamed(name string, labels map[string]string, values object) {
	objects := renderDemo(name, namespace, object{"replicaCount": 1, "image": object{"repository": "demo/app", "tag": "1"}})
	for _, o := range objects {
		r.cluster.put(o)
	}
	r.cluster.putRevision(revision{
		Name: name, Namespace: namespace, Number: 1, Status: "deployed", Labels: labels,
		Content: content{Chart: "demo", Version: "1.0.0", Values: values, Objects: objects},
	})
}

const group = "octo-mesh.meshmakers.io"

func TestAnotherWorkloadsReleaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		labels map[string]string
		values object
	}{
		{"by its labels", map[string]string{group + "/tenant": "other", group + "/workload-rt-id": rtID("x")}, nil},
		{"by its values, when the reference operator has made it", nil, object{"tenantId": "other", "adapterRtId": rtID("x")}},
		{"by its values, when the runtime id alone differs", nil, object{"tenantId": tenant, "adapterRtId": rtID("x")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.foreign("shop", test.labels, test.values)
			r.wantFailure(r.run(deployEvent("shop")), "shop", "belongs to another workload")
			r.wantFailure(r.run(undeployEvent("shop")), "shop", "belongs to another workload")
			r.wantHistory("shop", "1 deployed")
		})
	}
}

func TestTheReferenceOperatorsReleaseOfTheWorkloadIsTakenOver(t *testing.T) {
	r := newRig(t)
	r.foreign("shop", nil, object{"tenantId": tenant, "adapterRtId": rtID("shop")})
	r.deploy("shop")
	r.wantHistory("shop", "1 superseded, 2 deployed")
}

func TestAnUndeployLeavesNothing(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.key", "planted-key"))
	r.status("shop")
	r.succeed(r.run(undeployEvent("shop")))
	r.wantHistory("shop", "")
	if r.deployment("shop").replicas >= 0 || r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets") != nil {
		t.Error("something is left")
	}
	r.deploy("shop") // its status is the next one: an undeploy that went well has none
	r.wantSuccess("shop")
}

func TestAnUndeployOfNothingSucceeds(t *testing.T) {
	r := newRig(t)
	r.succeed(r.run(undeployEvent("shop")))
}

func TestAFailedUndeployIsTold(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	r.fails("helm uninstall", "Error: uninstallation completed with 1 error(s): a finalizer")
	r.wantFailure(r.run(undeployEvent("shop")), "shop", "a finalizer")
}

func TestAReconciliationKeepsTheInstalledVersion(t *testing.T) {
	r := newRig(t)
	r.charts.add("demo", "2.0.0", nil)
	r.deploy("fresh", version(""), reconciliation)
	r.deploy("shop", version("1.2.3"))
	r.deploy("shop", version(""), reconciliation)
	r.deploy("newest", version(""))
	for workload, want := range map[string]string{"fresh": "2.0.0", "shop": "1.2.3", "newest": "2.0.0"} {
		if got := newest(r.cluster.revisions(namespace, releaseName(workload))).Content.Version; got != want {
			t.Errorf("%s has version %s, want %s", workload, got, want)
		}
	}
}

func TestAChartThatIsNotThereIsNamed(t *testing.T) {
	r := newRig(t)
	r.wantFailure(r.run(deployEvent("shop", version("9.9.9"))), "shop", "the registry "+repository+" has no chart demo 9.9.9: check chartName and chartVersion, or publish it")
}

func TestAnArchiveThatIsNoChartIsSaidToBe(t *testing.T) {
	r := newRig(t)
	r.charts.addArchive("demo", "6.6.6", []byte("<html>"))
	r.wantFailure(r.run(deployEvent("shop", version("6.6.6"))), "shop", "cannot read chart demo 6.6.6")
}

func TestScaling(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.succeed(r.run(scaleEvent("shop", 3)))
	if got := r.deployment("shop").replicas; got != 3 {
		t.Errorf("it has %d replicas, want 3", got)
	}
	s := nextReport[hub.WorkloadScaleStatus](r, methodScaleStatus, "shop")
	if !s.Success || s.Replicas != 3 || s.WorkloadRtID != rtID("shop") || s.TenantID != tenant {
		t.Errorf("status: %+v", s)
	}
}

func TestAScalingThatCannotBeIsAnswered(t *testing.T) {
	r := newRig(t)
	for replicas, want := range map[int]string{2: "nothing to scale", -1: "replicas is -1: it must be 0 or more"} {
		if result := r.run(scaleEvent("shop", replicas)); result.Outcome != runs.Failed {
			t.Errorf("%d replicas: it has %s", replicas, result.Outcome)
		}
		s := nextReport[hub.WorkloadScaleStatus](r, methodScaleStatus, "shop")
		wantText(t, s.StatusMessage, want)
		if s.Success || s.Replicas != replicas {
			t.Errorf("status: %+v", s)
		}
	}
}

func TestWhatHasBeenScaledStaysScaled(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.succeed(r.run(scaleEvent("shop", 3)))
	r.deploy("shop", override("image.tag", "2.0"))
	if got := r.deployment("shop"); got != (running{3, "demo/app:2.0"}) {
		t.Errorf("it runs %+v", got)
	}
}

func TestAWorkloadGoesToSleepAndWakesUp(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", override("replicaCount", "2"))
	r.succeed(r.run(scaleEvent("shop", 3)))
	r.deploy("shop", override("replicaCount", "2"), hibernated)
	if got := r.deployment("shop").replicas; got != 0 {
		t.Errorf("asleep it has %d replicas", got)
	}
	r.deploy("shop", override("replicaCount", "2"))
	if got := r.deployment("shop").replicas; got != 2 {
		t.Errorf("awake it has %d replicas, want 2", got)
	}
}

func TestAWorkloadCanBeDeployedAsleep(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", hibernated)
	if got := r.deployment("shop").replicas; got != 0 {
		t.Errorf("it has %d replicas", got)
	}
}

func TestAnUndeployWhoseHelmWasKilledIsFinishedAtOnce(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	h, undeployed := r.acceptAndHold("uninstall", "shop", undeployEvent("shop"))
	h.die()
	r.succeed(undeployed.result())
	r.wantHistory("shop", "")
	r.restart() // the next life knows nothing of the helm that was killed
	r.deploy("shop")
	r.wantHistory("shop", "1 deployed")
}
