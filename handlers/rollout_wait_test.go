package handlers_test

import (
	"testing"

	"octo-operator/hub"
)

func TestADeployHasSucceededWhenItsPodsAreReady(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", waitsFor("ContainerCreating", ""))
	deploy := r.accept(deployEvent("shop"))
	r.eventually("helm is done", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 deployed" })
	select {
	case result := <-deploy.done:
		t.Errorf("before its pods are ready it has %s", result.Outcome)
	default:
	}
	r.sicken("shop", nil)
	r.succeed(deploy.result())
	r.wantSuccess("shop")
}

func TestWhatKeepsPodsFromStartingIsToldMeanwhile(t *testing.T) {
	r := newRig(t, comparesFirst)
	r.sicken("shop", waitsFor("ImagePullBackOff", `Back-off pulling image "demo/app:1.0"`))
	deploy := r.accept(deployEvent("shop"))
	r.wantProgress("shop", "1 object new: Deployment")
	progress := nextReport[hub.WorkloadDeploymentProgress](r, methodProgress, "shop")
	if progress.WorkloadRtID != rtID("shop") || progress.TenantID != tenant {
		t.Errorf("progress: %+v", progress)
	}
	wantText(t, progress.Message, "ImagePullBackOff", `Back-off pulling image "demo/app:1.0"`)
	r.sicken("shop", nil)
	r.succeed(deploy.result())
}

func TestAnUpgradeThatNeverBecomesReadyIsTakenBackAndSaysWhy(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	r.deploy("shop")
	r.status("shop")
	r.sicken("shop", waitsFor("ImagePullBackOff", `Back-off pulling image "demo/app:2"`))
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "the image demo/app:2 of container app cannot be pulled", "ImagePullBackOff", "rolled back to revision 1")
	r.wantImage("shop", "demo/app:1.0")
}

func TestAFirstInstallThatNeverBecomesReadyIsTakenBack(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"))
	r.sicken("shop", waitsFor("CrashLoopBackOff", "back-off 40s"))
	r.wantFailure(r.run(deployEvent("shop")), "shop", "container app starts and ends again and again", "CrashLoopBackOff", "uninstalled")
	r.wantHistory("shop", "")
}

func TestAnUndeployEndsTheWaitForPods(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", waitsFor("ImagePullBackOff", ""))
	r.accept(deployEvent("shop"))
	r.eventually("helm is done", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 deployed" })
	r.succeed(r.run(undeployEvent("shop")))
	r.wantHistory("shop", "")
	if got := len(r.controller.all(methodDeploymentStatus)); got > 0 {
		t.Errorf("the deploy was reported %d times", got)
	}
}

func TestTheWaitForPodsGoesOnInTheNextLife(t *testing.T) {
	r := newRig(t)
	r.sicken("shop", waitsFor("ImagePullBackOff", ""))
	r.accept(deployEvent("shop"))
	r.eventually("helm is done", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 deployed" })
	r.restart()
	r.sicken("shop", nil)
	r.wantSuccess("shop")
	r.wantHistory("shop", "1 deployed")
}
