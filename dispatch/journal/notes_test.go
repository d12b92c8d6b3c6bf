package journal

import (
	"bytes"
	"testing"

	"octo-operator/dispatch/runs"
)

// takesOver makes the operator that follows one that has died with its disk, and returns it with the unfinished run.
func takesOver(t *testing.T, api *fakeAPI) (*pod, *runs.Run) {
	t.Helper()
	next := newPod(t, api).load()
	if len(next.found) != 1 {
		t.Fatalf("found: %q", next.found)
	}
	return next, next.known(laneA.Name).find(next.found[0]).run
}

func begin(t *testing.T, p *pod, run *runs.Run) {
	t.Helper()
	if err := run.StartWork(); err != nil {
		t.Fatal(err)
	}
	if err := p.CopyNotes(t.Context(), laneA); err != nil {
		t.Fatal(err)
	}
}

func TestANoteThatARestoredEventIsWorkedOnSurvivesTheDiskUntilItIsTakenBack(t *testing.T) {
	api := newAPI()
	p := newPod(t, api)
	p.accept(laneA, 1)
	p.copied(laneA)
	p, run := takesOver(t, api)
	begin(t, p, run)
	want(t, "while it is worked on", api.secrets(), run.ID, run.ID+".begun")

	p, run = takesOver(t, api)
	if notes := bytes.Count(run.CrashNotes(), []byte("\n")); notes != 1 {
		t.Errorf("%d notes came", notes)
	}
	begin(t, p, run)
	run.StopWork()
	p.NotesChanged(laneA)
	p.copyAll()

	p, run = takesOver(t, api)
	if notes := bytes.Count(run.CrashNotes(), []byte("\n")); notes != 1 {
		t.Errorf("%d notes came, one of which was taken back", notes)
	}
	p.Finished(laneA, run.ID)
	p.copyAll()
	want(t, "at the end", api.secrets())
}
