package handlers_test

import (
	"testing"

	"octo-operator/dispatch/runs"
)

// Each life hangs in the same place when it is killed, and nothing is left of its disk.
func TestAnEventThatEndsOneOperatorAfterTheOtherFailsAlthoughNoDiskStays(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "shop")
	r.accept(deployEvent("shop"))
	for range 4 {
		r.reach(h)
		h = r.hold("upgrade", "shop")
		r.freshDisk()
	}
	s := r.status("shop")
	if s.Success {
		t.Error("it has succeeded")
	}
	wantText(t, s.StatusMessage, "the operator ended 3 times while it worked on this event")
	r.eventually("the end of the event", func() bool { return len(r.ended()) > 0 })
	if got := r.ended(); len(got) != 1 || got[0] != "WorkloadDeployed "+string(runs.Failed) {
		t.Errorf("ended: %v", got)
	}
}
