package handlers_test

import (
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func TestAnInstallThatCannotBeTakenBackIsNotSaidToBeGone(t *testing.T) {
	r := newRig(t)
	r.fails("helm uninstall", `Error: failed to delete release: secrets is forbidden`)
	h, deploy := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	h.die()
	r.wantFailure(deploy.result(), "shop", "it could not be taken back: ", "failed to delete release: secrets is forbidden")
	r.wantHistory("shop", "1 pending-install")
}

func TestAWakeUpThatFailsGoesBackToSleep(t *testing.T) {
	t.Parallel()
	for name, sleep := range map[string]hub.Event{
		"hibernated": deployEvent("shop", hibernated),
		"scaled":     scaleEvent("shop", 0),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, with("HELM__TIMEOUT", "1s"))
			r.deploy("shop")
			r.status("shop")
			r.succeed(r.run(sleep))
			r.sicken("shop", pulling)
			if result := r.run(deployEvent("shop", override("replicaCount", "3"), override("image.tag", "2"))); result.Outcome != runs.Failed {
				t.Errorf("it has %+v", result)
			}
			if got := r.deployment("shop"); got != (running{0, "demo/app:1.0"}) {
				t.Errorf("it runs %+v", got)
			}
		})
	}
}
