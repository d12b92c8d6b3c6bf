package handlers_test

import "testing"

func TestAnInstallThatCannotBeTakenBackIsNotSaidToBeGone(t *testing.T) {
	r := newRig(t)
	r.fails("helm uninstall", `Error: failed to delete release: secrets is forbidden`)
	h := r.hold("upgrade", "shop")
	deploy := r.accept(deployEvent("shop"))
	r.reach(h)
	h.die()
	r.wantFailure(deploy.result(), "shop", "it could not be taken back: ", "failed to delete release: secrets is forbidden")
	r.wantHistory("shop", "1 pending-install")
}
