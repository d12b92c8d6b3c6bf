package handlers_test

import (
	"testing"

	"octo-operator/dispatch/runs"
)

// overtaken is a deploy of image 2 that waited for its pods until another one took its place, which has then failed before it
// could change anything.
func (r *rig) overtaken() accepted {
	r.Helper()
	first := r.accept(deployEvent("shop", override("image.tag", "2")))
	r.eventually("the pods of image 2 are waited for", func() bool { return r.deployment("shop").image == "demo/app:2" })
	second := r.accept(deployEvent("shop", version("9.9.9"))) // there is none
	if result := first.result(); result.Outcome != runs.Superseded {
		r.Errorf("the first has %+v", result)
	}
	return second
}

func TestABrokenDeployIsTakenBackThoughANewerOneThatIsRefusedTookItsPlace(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	r.deploy("shop")
	r.status("shop")
	r.sicken("shop", pulling)
	r.wantFailure(r.overtaken().result(), "shop", "has no chart demo 9.9.9", "rolled back to revision 1")
	r.wantImage("shop", "demo/app:1.0")
}

func TestADeployWhosePodsBecomeReadyStaysThoughANewerOneThatIsRefusedTookItsPlace(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	r.sicken("shop", pulling)
	second := r.overtaken()
	r.eventually("the pods of image 2 are still waited for", func() bool {
		return len(r.log.records("the deploy has failed before it changed anything: the pods of the one before it are waited for")) > 0
	})
	r.sicken("shop", nil)
	r.wantFailure(second.result(), "shop", "has no chart demo 9.9.9")
	r.wantImage("shop", "demo/app:2")
	if got := newest(r.cluster.revisions(namespace, releaseName("shop"))).Labels["octo-mesh.meshmakers.io/rollout"]; got != "ready" {
		t.Errorf("its revision is marked as %s", got)
	}
}
