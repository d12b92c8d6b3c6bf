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
		must(t, run.StartWork())
		must(t, run.StartWork()) // a second step
	}
	run := unfinished(t, dir)
	err := run.StartWork()
	if err == nil || !strings.Contains(err.Error(), "the operator ended 3 times while it worked on this event") || !strings.Contains(err.Error(), run.Dir) {
		t.Errorf("got %v", err)
	}
	run.StopWork() // of a run that is not worked on
	if err := unfinished(t, dir).StartWork(); err == nil {
		t.Error("the refusal was forgotten")
	}
}

func TestALifeThatEndedWhileTheRunRestedIsNotCounted(t *testing.T) {
	dir := t.TempDir()
	create(t, open(t, dir))
	must(t, unfinished(t, dir).StartWork())
	for range 5 {
		run := unfinished(t, dir)
		must(t, run.StartWork())
		run.StopWork()
		run.StopWork()
		must(t, run.StartWork())
		run.StopWork()
	}
	must(t, unfinished(t, dir).StartWork())
	must(t, unfinished(t, dir).StartWork())
	if err := unfinished(t, dir).StartWork(); err == nil {
		t.Error("three lives ended in it, and it was begun again")
	}
}

func TestARunThatIsDoneLeavesNoNoteOfItsBegin(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, run.StartWork())
	run.StopWork()
	if _, err := os.Stat(run.Path(begunFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestABeginThatCannotBeNotedIsAClearError(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, os.Mkdir(run.Path(begunFile), 0o700))
	if err := run.StartWork(); err == nil || !strings.Contains(err.Error(), "cannot begin run "+run.ID+": ") {
		t.Errorf("got %v", err)
	}
}
