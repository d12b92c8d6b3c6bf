package cli

import (
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers/release"
	"octo-operator/hub"
)

func TestAPlanBesideARunOfTheReleaseSaysWhatGoesOnAndWhatToDo(t *testing.T) {
	const name = "acme-shop"
	for title, test := range map[string]struct {
		busy    bool
		prepare func(*testing.T, *runs.Run)
		planned bool     // the planned event is that of the run
		err     []string // nil: there is none
		notes   []string // nil: there is none
	}{
		"helm works": {
			busy: true, prepare: func(t *testing.T, run *runs.Run) {
				notes(t, run, runs.Moment{Kind: runs.KindPhase, Name: runs.PhaseInstall})
			},
			err: []string{"cannot tell what the deploy would change: release acme-shop in namespace octo is being worked on by run ", " (WorkloadDeployed) since 20", ": helm upgrade: see octo-operator runs show ", "and plan again when it has ended"},
		},
		"it waits for pods": {
			prepare: func(t *testing.T, run *runs.Run) {
				notes(t, run, runs.Moment{Kind: runs.KindWait, Name: runs.WaitPods})
			},
			notes: []string{"has not ended", ": waits for pods: see octo-operator runs show "},
		},
		"it is the run's own event": {
			prepare: func(t *testing.T, run *runs.Run) {
				notes(t, run, runs.Moment{Kind: runs.KindPhase, Name: runs.PhaseCheck})
			}, planned: true,
			notes: []string{"this run has not ended", "tries it without changing anything"},
		},
		"a helm of somebody else's works, and the run waits": {
			busy: true, prepare: func(t *testing.T, run *runs.Run) {
				notes(t, run, runs.Moment{Kind: runs.KindWait, Name: runs.WaitRetry})
			},
			notes: []string{"waits for the next try"},
		},
		"it has ended": {busy: true, prepare: func(t *testing.T, run *runs.Run) { must(t, run.Finish(runs.Result{Outcome: runs.Failed}, nil)) }},
	} {
		t.Run(title, func(t *testing.T) {
			store := stateDir(t)
			for _, workload := range []string{"Other", "Shop"} {
				_, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"tenantId":"acme","workloadName":"` + workload + `"}`)}, "octo/acme-"+strings.ToLower(workload))
				must(t, err)
			}
			all, err := store.List()
			must(t, err)
			run := all[len(all)-1]
			test.prepare(t, run)
			p := release.Preview{Release: name, Namespace: "octo", Busy: test.busy}
			var planned *runs.Run
			if test.planned {
				planned = run
			}
			wantWords(t, "the error", besideRuns(&p, store, planned, time.Now()), test.err, run.RandomEnd())
			wantWords(t, "the notes", strings.Join(p.Notes, "\n"), test.notes, run.RandomEnd())
		})
	}
}

// notes writes a moment into a run's timeline.
func notes(t *testing.T, run *runs.Run, m runs.Moment) {
	t.Helper()
	m.Time = time.Now()
	run.Record(m)
}

// wantWords fails if said lacks one of the words or the id; without words, said must be empty.
func wantWords(t *testing.T, what string, said any, words []string, id string) {
	t.Helper()
	text := ""
	switch said := said.(type) {
	case error:
		text = said.Error()
	case string:
		text = said
	}
	if words == nil && text != "" {
		t.Errorf("%s: %s", what, text)
	}
	for _, word := range append(words, id) {
		if words != nil && !strings.Contains(text, word) {
			t.Errorf("%s lacks %q: %s", what, word, text)
		}
	}
}
