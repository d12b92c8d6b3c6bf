package journal

import (
	"bytes"
	"testing"

	"octo-operator/runs"
)

// takesOver is the next operator, after one that has died with its disk, and the run that is left.
func takesOver(t *testing.T, api *fakeAPI, old *pod, identity string) (*pod, *runs.Run) {
	t.Helper()
	old.giveUp(t.Context())
	next := newPod(t, api, identity)
	left, err := next.Hold(t.Context(), laneA.Name)
	if err != nil || len(left) != 1 {
		t.Fatalf("left: %v, %v", left, err)
	}
	return next, left[0]
}

func begin(t *testing.T, p *pod, run *runs.Run) {
	t.Helper()
	if err := run.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := p.Note(t.Context(), laneA); err != nil {
		t.Fatal(err)
	}
}

func TestANoteThatARestoredEventIsWorkedOnSurvivesTheDiskUntilItIsTakenBack(t *testing.T) {
	api := newAPI()
	p := newPod(t, api, "000000000000")
	p.accept(laneA, 1)
	p.hold(laneA)
	run := (*runs.Run)(nil)
	p, run = takesOver(t, api, p, "111111111111")
	begin(t, p, run)
	want(t, "while it is worked on", api.secrets(), run.ID, run.ID+".begun")

	p, run = takesOver(t, api, p, "222222222222")
	if notes := bytes.Count(run.Notes(), []byte("\n")); notes != 1 {
		t.Errorf("%d notes came", notes)
	}
	begin(t, p, run)
	run.Pause()
	p.Noted(laneA)
	p.copyAll()

	p, run = takesOver(t, api, p, "333333333333")
	if notes := bytes.Count(run.Notes(), []byte("\n")); notes != 1 {
		t.Errorf("%d notes came, one of which was taken back", notes)
	}
	p.Finished(laneA, run.ID)
	p.copyAll()
	want(t, "at the end", api.secrets())
}
