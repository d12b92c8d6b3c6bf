package handlers

import (
	"fmt"
	"testing"
)

func TestAnEventThatIsHandedOverIsOutrunByWhatMakesItPointless(t *testing.T) {
	const again = 10 // a deploy that the controller has sent again
	names := map[kind]string{deploy: "deploy", undeploy: "undeploy", scale: "scale", other: "other", again: "deploy that was sent again"}
	of := func(k kind, owner string) (place, kind) {
		where := place{lane: "octo/a", owner: owner, asks: ask{reconciliation: k == again}}
		if k == again {
			k = deploy
		}
		return where, k
	}
	for _, test := range []struct {
		late, since kind
		outrun      bool
	}{
		{deploy, deploy, true}, {deploy, undeploy, true}, {deploy, scale, false}, {deploy, again, false},
		{again, deploy, true}, {again, undeploy, true}, {again, scale, false}, {again, again, true},
		{undeploy, deploy, true}, {undeploy, undeploy, true}, {undeploy, scale, false}, {undeploy, again, true},
		{scale, deploy, false}, {scale, undeploy, true}, {scale, scale, true}, {scale, again, false},
		{other, deploy, false}, {other, other, false},
	} {
		var a accepted
		since, k := of(test.since, "acme")
		a.note(since, k, "2")
		a.note(since, k, "1")
		a.note(place{lane: "octo/b", owner: "acme"}, deploy, "9")
		late, k := of(test.late, "acme")
		if got := a.outrun(late, k, "1"); got != test.outrun {
			t.Errorf("a %s by a newer %s: %v", names[test.late], names[test.since], got)
		}
		if a.outrun(late, k, "3") {
			t.Errorf("a %s by an older %s", names[test.late], names[test.since])
		}
		if late, k := of(test.late, "globex"); a.outrun(late, k, "1") {
			t.Errorf("a %s by a newer %s of another owner", names[test.late], names[test.since])
		}
	}
}

func TestWhatIsRememberedOfAcceptedEventsIsBounded(t *testing.T) {
	a := accepted{after: "the first"}
	for i := range 5 * maxAccepted {
		a.note(place{lane: fmt.Sprint("octo/", i)}, deploy, fmt.Sprintf("%08d", i))
		if all := a.outrun(place{lane: "octo/0"}, deploy, ""); all != a.allSince("the first") {
			t.Fatalf("after %d events the oldest is remembered: %v, and that some are not: %v", i+1, all, all)
		}
		if !a.outrun(place{lane: fmt.Sprint("octo/", max(0, i-maxAccepted+1))}, deploy, "0") {
			t.Fatalf("after %d events one of the last %d is forgotten", i+1, maxAccepted)
		}
	}
	if n := len(a.newest) + len(a.before); n > 2*maxAccepted {
		t.Errorf("%d are remembered", n)
	}
}
