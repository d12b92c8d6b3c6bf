package dispatch

import (
	"fmt"
	"testing"

	"octo-operator/dispatch/queue"
)

func TestAnEventThatIsHandedOverIsOutrunByWhatMakesItPointless(t *testing.T) {
	const again = 10 // a deploy that the controller has sent again
	names := map[queue.Kind]string{queue.Deploy: "deploy", queue.Undeploy: "undeploy", queue.Scale: "scale", queue.Other: "other", again: "deploy that was sent again"}
	of := func(k queue.Kind, owner string) (Place, queue.Kind) {
		where := Place{Lane: "octo/a", Subject: owner, Asks: queue.Ask{Reconciliation: k == again}}
		if k == again {
			k = queue.Deploy
		}
		return where, k
	}
	for _, test := range []struct {
		late, since queue.Kind
		superseded  bool
	}{
		{queue.Deploy, queue.Deploy, true}, {queue.Deploy, queue.Undeploy, true}, {queue.Deploy, queue.Scale, false}, {queue.Deploy, again, false},
		{again, queue.Deploy, true}, {again, queue.Undeploy, true}, {again, queue.Scale, false}, {again, again, true},
		{queue.Undeploy, queue.Deploy, true}, {queue.Undeploy, queue.Undeploy, true}, {queue.Undeploy, queue.Scale, false}, {queue.Undeploy, again, true},
		{queue.Scale, queue.Deploy, false}, {queue.Scale, queue.Undeploy, true}, {queue.Scale, queue.Scale, true}, {queue.Scale, again, false},
		{queue.Other, queue.Deploy, false}, {queue.Other, queue.Other, false},
	} {
		var a accepted
		since, k2 := of(test.since, "acme")
		a.note(since, k2, "2", false)
		a.note(since, k2, "1", false)
		a.note(Place{Lane: "octo/b", Subject: "acme"}, queue.Deploy, "9", false)
		late, k := of(test.late, "acme")
		if got := a.superseded(late, k, "1", false); got != test.superseded {
			t.Errorf("a %s by a newer %s: %v", names[test.late], names[test.since], got)
		}
		if a.superseded(late, k, "3", false) {
			t.Errorf("a %s by an older %s", names[test.late], names[test.since])
		}
		if handed := a.superseded(late, k, "3", true); handed {
			t.Errorf("a handed over %s by an older %s that another operator has left", names[test.late], names[test.since])
		}
		a.note(since, k2, "1", true)
		if handed := a.superseded(late, k, "3", true); handed != test.superseded {
			t.Errorf("a handed over %s, whose clock was ahead, by a %s of this life: %v", names[test.late], names[test.since], handed)
		}
		if late, k := of(test.late, "globex"); a.superseded(late, k, "1", false) {
			t.Errorf("a %s by a newer %s of another owner", names[test.late], names[test.since])
		}
	}
}

func TestWhatIsRememberedOfAcceptedEventsIsBounded(t *testing.T) {
	a := accepted{after: "the first"}
	for i := range 5 * maxAccepted {
		a.note(Place{Lane: fmt.Sprint("octo/", i)}, queue.Deploy, fmt.Sprintf("%08d", i), false)
		if all := a.superseded(Place{Lane: "octo/0"}, queue.Deploy, "", false); all != a.allSince("the first") {
			t.Fatalf("after %d events the oldest is remembered: %v, and that some are not: %v", i+1, all, all)
		}
		if !a.superseded(Place{Lane: fmt.Sprint("octo/", max(0, i-maxAccepted+1))}, queue.Deploy, "0", false) {
			t.Fatalf("after %d events one of the last %d is forgotten", i+1, maxAccepted)
		}
	}
	if n := len(a.newest) + len(a.before); n > 2*maxAccepted {
		t.Errorf("%d are remembered", n)
	}
}
