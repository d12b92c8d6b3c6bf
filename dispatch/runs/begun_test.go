package runs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// unfinished returns the only run that there is, as the operator finds it after a restart.
func unfinished(t *testing.T, stateDir string) *Run {
	t.Helper()
	all, err := open(t, stateDir).Unfinished()
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("got %d unfinished runs", len(all))
	}
	return all[0]
}

func TestAnEventThatThreeLivesOfTheOperatorEndedInIsNotBegunAgain(t *testing.T) {
	dir := t.TempDir()
	create(t, open(t, dir))
	for range 3 {
		run := unfinished(t, dir)
		must(t, run.Begin())
		must(t, run.Begin()) // a second step
	}
	run := unfinished(t, dir)
	err := run.Begin()
	if err == nil || !strings.Contains(err.Error(), "the operator ended 3 times while it worked on this event") || !strings.Contains(err.Error(), run.Dir) {
		t.Errorf("got %v", err)
	}
	run.Pause() // of a run that is not worked on
	if err := unfinished(t, dir).Begin(); err == nil {
		t.Error("the refusal was forgotten")
	}
}

func TestALifeThatEndedWhileTheRunRestedIsNotCounted(t *testing.T) {
	dir := t.TempDir()
	create(t, open(t, dir))
	must(t, unfinished(t, dir).Begin())
	for range 5 {
		run := unfinished(t, dir)
		must(t, run.Begin())
		run.Pause()
		run.Pause()
		must(t, run.Begin())
		run.Pause()
	}
	must(t, unfinished(t, dir).Begin())
	must(t, unfinished(t, dir).Begin())
	if err := unfinished(t, dir).Begin(); err == nil {
		t.Error("three lives ended in it, and it was begun again")
	}
}

func TestARunThatIsDoneLeavesNoNoteOfItsBegin(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, run.Begin())
	run.Pause()
	if _, err := os.Stat(run.Path(begunFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestABeginThatCannotBeNotedIsAClearError(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, os.Mkdir(run.Path(begunFile), 0o700))
	if err := run.Begin(); err == nil || !strings.Contains(err.Error(), "cannot begin run "+run.ID+": ") {
		t.Errorf("got %v", err)
	}
}
