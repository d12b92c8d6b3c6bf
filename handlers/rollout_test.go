package handlers_test

import (
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

var (
	// pulling is the status of a pod whose image cannot be had, and may be had later; misnamed, of one whose never can.
	pulling  = waitsFor("ImagePullBackOff", `Back-off pulling image "demo/app:1.0"`)
	misnamed = waitsFor("InvalidImageName", `couldn't parse image reference "demo/APP"`)
)

// waits returns when a deploy of a workload waits for its pods.
func (r *rig) waits(workload string) {
	r.Helper()
	r.eventually("a wait for the pods of "+workload, func() bool {
		return len(r.log.records("waiting until the release is ready", "release", releaseName(workload))) > 0
	})
}

func TestWhatWaitsForItsPodsKeepsNobodyFromWorking(t *testing.T) {
	r := newRig(t, with("CONCURRENCY", "1"))
	for _, name := range []string{"a", "b", "c"} {
		r.sicken(name, pulling)
		r.accept(deployEvent(name))
		r.waits(name)
	}
	r.deploy("shop")
	r.sicken("b", nil)
	r.wantSuccess("b")
}

func TestANewerDeployTakesThePlaceOfOneThatWaitsForItsPods(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", pulling)
	first := r.accept(deployEvent("shop", colour("red")))
	r.waits("shop")
	again := r.accept(deployEvent("shop", colour("red"), resent))
	if result := again.result(); result.Outcome != runs.Superseded {
		t.Errorf("the one sent again has %+v", result)
	}
	r.sicken("shop", nil)
	second := r.accept(deployEvent("shop", colour("blue")))
	if result := first.result(); result.Outcome == runs.Failed {
		t.Errorf("the first has %+v", result)
	}
	r.succeed(second.result())
	if got := r.deployed("shop"); !strings.HasPrefix(got, "1.2.3 blue") {
		t.Errorf("the release has %q", got)
	}
}

func TestAKillWhileThePodsAreWaitedForMakesNoSecondRevision(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", pulling)
	r.accept(deployEvent("shop"))
	r.waits("shop")
	r.restart()
	r.sicken("shop", nil)
	r.wantSuccess("shop")
	r.wantHistory("shop", "1 deployed")
}

func TestADeployWhosePodsNeverBecomeReadyIsTakenBack(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	r.deploy("shop", override("image.tag", "1"))
	r.status("shop")
	r.sicken("shop", pulling)
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "ImagePullBackOff", "rolled back to revision 1")
	r.wantImage("shop", "demo/app:1")
	r.wantHistory("shop", "1 superseded, 2 superseded, 3 deployed")

	t.Log("and a first install altogether")
	r.sicken("other", pulling)
	r.wantFailure(r.run(deployEvent("other")), "other", "ImagePullBackOff", "uninstalled")
	r.wantHistory("other", "")
}

func TestARollbackGoesBackToWhatHasWorked(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	r.deploy("shop", override("image.tag", "1"))
	r.status("shop")
	r.sicken("shop", pulling)
	first := r.accept(deployEvent("shop", override("image.tag", "2")))
	r.eventually("the wait", func() bool {
		return len(r.log.records("waiting until the release is ready", "release", releaseName("shop"))) > 1
	})
	second := r.run(deployEvent("shop", override("image.tag", "3"))) // takes the place of the first
	if result := first.result(); result.Outcome != runs.Superseded {
		t.Errorf("the first has %+v", result)
	}
	r.wantFailure(second, "shop", "rolled back to revision 1")
	if got := r.deployment("shop").image; got != "demo/app:1" {
		t.Errorf("it runs %s: revision 2 has never been ready", got)
	}
}

func TestAWaitThatCannotSucceedEndsAtOnce(t *testing.T) {
	r := newRig(t) // with helm's usual timeout of five minutes
	r.sicken("shop", misnamed)
	r.wantFailure(r.run(deployEvent("shop")), "shop", "InvalidImageName", "uninstalled")
}

func TestAWaitThatCannotSucceedGoesOnWhereSoSet(t *testing.T) {
	r := newRig(t, with("FAILFAST", "false"), comparesFirst)
	r.sicken("shop", misnamed)
	a := r.accept(deployEvent("shop"))
	r.wantProgress("shop", "1 object new: Deployment")
	progress := nextReport[hub.WorkloadDeploymentProgress](r, methodProgress, "shop")
	if !strings.Contains(progress.Message, "InvalidImageName") {
		t.Errorf("progress: %+v", progress)
	}
	r.sicken("shop", nil)
	r.succeed(a.result())
}

func TestThePodsOfAnAPIServerThatIsAwayAreWaitedForLonger(t *testing.T) {
	const timeout = 8 * time.Second // a busy machine may take seconds until the API server is away
	r := newRig(t, with("HELM__TIMEOUT", timeout.String()))
	r.sicken("shop", pulling)
	a := r.accept(deployEvent("shop"))
	r.waits("shop")
	r.cluster.setAway(true)
	time.Sleep(timeout + time.Second)
	r.sicken("shop", nil)
	r.cluster.setAway(false)
	r.succeed(a.result())
}

func TestWhatAFailedDeployHasLeftIsTakenBackWhenTheAPIServerIsThereAgain(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", override("image.tag", "1"))
	r.status("shop")
	h := r.hold("upgrade", "shop")
	h.fail("a hook failed")
	r.when("helm rollback", func(c *call, _ func() int) int {
		r.usually()
		return c.fail("Kubernetes cluster unreachable: connection refused")
	})
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "a hook failed", "rolled back to revision 1")
	r.wantImage("shop", "demo/app:1")
}

func TestAReleaseWhosePodsAreWaitedForIsNotReportedAsDeployed(t *testing.T) {
	r := newRig(t, central)
	r.deploy("ready")
	r.sicken("waits", pulling)
	r.accept(deployEvent("waits"))
	r.waits("waits")
	r.connect(pool)
	r.wantTold(map[string][]string{poolID: {rtID("ready")}})
}
