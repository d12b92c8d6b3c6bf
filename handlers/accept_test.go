package handlers_test

import (
	"fmt"
	"testing"

	"octo-operator/hub"
)

func TestEventsThatComeTogetherAreCarriedOutAsIfTheyCameOneByOne(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "busy")
	r.accept(deployEvent("busy"))
	r.reach(h)
	r.life.AcceptAll([]hub.Event{
		deployEvent("busy", override("image.tag", "2")), // a newer one takes its place
		deployEvent("shop", override("image.tag", "1")),
		deployEvent("bank"),
		undeployEvent("bank"), // takes the place of the deploy, or stops it
		deployEvent("busy", override("image.tag", "3")),
	})
	h.release()
	r.eventually("all have ended", func() bool { return len(r.ended()) == 6 })
	for name, image := range map[string]string{"busy": "demo/app:3", "shop": "demo/app:1"} {
		if got := r.deployment(name).image; got != image {
			t.Errorf("%s runs %s, want %s", name, got, image)
		}
	}
	r.wantHistory("busy", "1 superseded, 2 deployed")
	r.wantHistory("bank", "")
}

func TestOneOfManyThatCannotBeKeptIsRefusedAndTheOthersAreCarriedOut(t *testing.T) {
	r := newRig(t)
	broken := hub.Event{Callback: hub.WorkloadDeploy, Argument: []byte(`{"tenantId":"acme","workloadName":"broken"`)}
	r.life.AcceptAll([]hub.Event{deployEvent("shop"), broken, deployEvent("bank"), {Callback: "MoonDeployed", Argument: []byte("{}")}})
	for _, name := range []string{"shop", "bank"} {
		if s := r.status(name); !s.Success {
			t.Errorf("status of %s: %+v", name, s)
		}
	}
	for _, want := range []string{"event refused: it could not be kept", "event refused"} {
		if n := len(r.log.records(want)); n != 1 {
			t.Errorf("%d records %q", n, want)
		}
	}
	if n := len(r.runDirs()); n != 2 {
		t.Errorf("%d run directories", n)
	}
}

func TestManyEventsAreOnDiskInTheOrderInWhichTheyCame(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "busy")
	r.accept(deployEvent("busy"))
	r.reach(h)
	var events []hub.Event
	for i := range 100 {
		events = append(events, scaleEvent(fmt.Sprint("app-", i), i))
	}
	r.life.AcceptAll(events)
	dirs := r.runDirs()[1:]
	for i, dir := range dirs {
		wantText(t, readFile(dir+"/event.json"), fmt.Sprintf(`"replicas":%d`, i))
	}
	if len(dirs) != len(events) {
		t.Errorf("%d run directories", len(dirs))
	}
	h.release()
}
