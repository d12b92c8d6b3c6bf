package cli

import (
	"fmt"
	"slices"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/handlers/release"
)

// besideRuns notes in a plan the unfinished runs for the same release, of the operator that works here. If one of them works on the
// release with helm, it is an error: what another deploy would change cannot be told until that has ended. planned is the run whose event
// is planned; nil: it comes from no run.
func besideRuns(p *release.Preview, store *runs.Store, planned *runs.Run, now time.Time) error {
	if p.Release == "" {
		return nil
	}
	list, _, err := story.List(store, story.Filter{Unfinished: true, Release: p.Release}, now)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(list) { // the oldest one works; the others wait for it
		if s.Release != p.Release || s.Namespace != "" && s.Namespace != p.Namespace {
			continue
		}
		is := fmt.Sprintf("run %s (%s) since %s: %s", s.ShortID, s.Callback, s.Came.UTC().Format(time.RFC3339), firstLine(s.Reason))
		switch {
		case p.Busy && s.Outcome == story.Running:
			return fmt.Errorf("cannot tell what the deploy would change: release %s in namespace %s is being worked on by %s: see octo-operator runs show %s, and plan again when it has ended",
				p.Release, p.Namespace, is, s.RandomEnd())
		case planned != nil && s.ID == planned.ID:
			p.Notes = append(p.Notes, "this run has not ended, and may have changed some of it already: "+is)
		default:
			p.Notes = append(p.Notes, fmt.Sprintf("the release has another event, which has not ended and may change what is planned here: %s: see octo-operator runs show %s", is, s.RandomEnd()))
		}
	}
	return nil
}
