package runs

import (
	"testing"
	"time"

	"octo-operator/hub"
)

// The clocks of two nodes differ, and a clock may be set back.
func TestANewEventSortsBehindOneThatWasRestoredFromAnOperatorWhoseClockIsAhead(t *testing.T) {
	s := open(t, t.TempDir())
	event := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte("{}")}
	create(t, s) // the store has looked at its disk
	id := time.Now().Add(time.Hour).UTC().Format(idTime) + "-workload-deployed-a-000000"
	restored, err := s.Restore(id, event, "octo/a")
	must(t, err)
	if later := create(t, s); later.ID < restored.ID {
		t.Errorf("%s sorts before %s", later.ID, restored.ID)
	}
}

func TestARunKnowsOverLivesThatTheClusterHasHadACopy(t *testing.T) {
	dir := t.TempDir()
	run := create(t, open(t, dir))
	if run.Copied() {
		t.Error("it has none yet")
	}
	run.SetCopied()
	if !unfinished(t, dir).Copied() {
		t.Error("the next life does not know")
	}
	(&Run{ID: "x"}).SetCopied() // of a run that has never been on this disk: nowhere to note it
}
