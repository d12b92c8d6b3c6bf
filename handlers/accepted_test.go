package handlers

import (
	"fmt"
	"testing"
)

func TestAnEventThatIsHandedOverIsOutrunByWhatMakesItPointless(t *testing.T) {
	names := map[kind]string{deploy: "deploy", undeploy: "undeploy", scale: "scale", other: "other"}
	for _, test := range []struct {
		late, since kind
		outrun      bool
	}{
		{deploy, deploy, true}, {deploy, undeploy, true}, {deploy, scale, false},
		{undeploy, deploy, true}, {undeploy, undeploy, true}, {undeploy, scale, false},
		{scale, deploy, false}, {scale, undeploy, true}, {scale, scale, true},
		{other, deploy, false}, {other, other, false},
	} {
		var a accepted
		a.note("octo/a", test.since, "2")
		a.note("octo/a", test.since, "1")
		a.note("octo/b", deploy, "9")
		if got := a.outrun("octo/a", test.late, "1"); got != test.outrun {
			t.Errorf("a %s by a newer %s: %v", names[test.late], names[test.since], got)
		}
		if a.outrun("octo/a", test.late, "3") {
			t.Errorf("a %s by an older %s", names[test.late], names[test.since])
		}
	}
}

func TestWhatIsRememberedOfAcceptedEventsIsBounded(t *testing.T) {
	a := accepted{after: "the first"}
	for i := range 5 * maxAccepted {
		a.note(fmt.Sprint("octo/", i), deploy, fmt.Sprintf("%08d", i))
		if all := a.outrun("octo/0", deploy, ""); all != a.allSince("the first") {
			t.Fatalf("after %d events the oldest is remembered: %v, and that some are not: %v", i+1, all, all)
		}
		if !a.outrun(fmt.Sprint("octo/", max(0, i-maxAccepted+1)), deploy, "0") {
			t.Fatalf("after %d events one of the last %d is forgotten", i+1, maxAccepted)
		}
	}
	if n := len(a.newest) + len(a.before); n > 2*maxAccepted {
		t.Errorf("%d are remembered", n)
	}
}
