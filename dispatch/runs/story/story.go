// Package story reads run directories, for the command "octo-operator runs" and for the status page. It only reads, while an operator may be
// at work in the directory, and returns no secrets. Its texts are as they were sent or printed: the caller makes them printable before it
// shows them.
//
//	store, err := runs.OpenToRead(settings.StateDir)
//	list, more, err := story.List(store, story.Filter{Failed: true, Most: 20}, time.Now())
//	run, err := story.Find(store, "acme-shop")
//	s := story.Read(run, time.Now())
package story

import (
	"encoding/json"
	"os"
	"time"

	"octo-operator/dispatch/runs"
)

// Story is all that a run directory says about its run.
type Story struct {
	Summary
	Event    json.RawMessage `json:"event"`    // the argument, without secrets; null: it cannot be read
	Timeline []Step          `json:"timeline"` // empty: an older version has written the run, or it has just come
	Commands []string        `json:"commands"` // in a form that can be pasted into a shell, in their order
	Result   *runs.Result    `json:"result"`   // null: it has not ended
	Values   Text            `json:"values"`   // as helm gets them
	Changes  Text            `json:"changes"`  // a diff of the objects in the cluster
	Output   Text            `json:"output"`   // its end
	Files    []string        `json:"files"`    // their names
	// NoRerun is why the last step cannot be run again, and what to do instead; "": it can.
	NoRerun string `json:"noRerun,omitempty"`
}

// ChangesFile holds the changes of a deploy as a diff.
const ChangesFile = "changes.diff"

// Read reads a run. It never fails: what cannot be read is in Damaged.
func Read(run *runs.Run, now time.Time) Story {
	timeline := run.Timeline() // before the result, so that it is complete if there is a result
	s := Story{Event: json.RawMessage("null"), Commands: []string{}, Timeline: []Step{}, Files: []string{}}
	summary, event, result := summarize(run, now)
	s.Summary, s.Result = summary, result
	if event.Argument != nil {
		s.Event = event.Argument
	}
	end := now
	if result != nil {
		timeline, end = run.Timeline(), result.Ended
	}
	s.Timeline = append(s.Timeline, steps(timeline, end, result != nil)...)
	for _, step := range s.Timeline {
		if step.Kind == runs.KindCommand {
			s.Commands = append(s.Commands, step.Name)
		}
	}
	s.Values, s.Changes, s.Output = readText(run.Path("values.yaml")), readText(run.Path(ChangesFile)), tail(run.Path("output.log"), maxTail)
	entries, _ := os.ReadDir(run.Dir) // after an error it is empty
	for _, entry := range entries {
		s.Files = append(s.Files, entry.Name())
	}
	s.NoRerun = noRerun(run, s.Ended != nil || s.Outcome == Unreadable)
	return s
}
