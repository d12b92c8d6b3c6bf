package dispatch

import (
	"fmt"
	"testing"

	"octo-operator/dispatch/queue"
)

func TestAnEventThatIsHandedOverIsOutrunByWhatMakesItPointless(t *testing.T) {
	names := map[queue.Kind]string{queue.Deploy: "deploy", queue.Undeploy: "undeploy", queue.Scale: "scale", queue.Other: "other"}
	for _, test := range []struct {
		late, since queue.Kind
		outrun      bool
	}{
		{queue.Deploy, queue.Deploy, true}, {queue.Deploy, queue.Undeploy, true}, {queue.Deploy, queue.Scale, false},
		{queue.Undeploy, queue.Deploy, true}, {queue.Undeploy, queue.Undeploy, true}, {queue.Undeploy, queue.Scale, false},
		{queue.Scale, queue.Deploy, false}, {queue.Scale, queue.Undeploy, true}, {queue.Scale, queue.Scale, true},
		{queue.Other, queue.Deploy, false}, {queue.Other, queue.Other, false},
	} {
		var a accepted
		a.note("octo/a", test.since, "2")
		a.note("octo/a", test.since, "1")
		a.note("octo/b", queue.Deploy, "9")
		if got := a.outrun("octo/a", test.late, "1"); got != test.outrun {
			t.Errorf("a %s by a newer %s: %v", names[test.late], names[test.since], got)
		}
		if a.outrun("octo/a", test.late, "3") {
			t.Errorf("a %s by an older %s", names[test.late], names[test.since])
		}
	}
}

func TestWhatIsRememberedOfAcceptedEventsIsBounded(t *testing.T) {
	var a accepted
	for i := range 5 * maxAccepted {
		a.note(fmt.Sprint("octo/", i), queue.Deploy, fmt.Sprintf("%08d", i))
		if !a.outrun(fmt.Sprint("octo/", max(0, i-maxAccepted+1)), queue.Deploy, "0") {
			t.Fatalf("after %d events one of the last %d is forgotten", i+1, maxAccepted)
		}
	}
	if n := len(a.newest) + len(a.before); n > 2*maxAccepted {
		t.Errorf("%d are remembered", n)
	}
}
