package runs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestPruneKeepsTheNewestAndYoungFailuresAndWhatIsStillNeeded(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now()
	old := now.Add(-48 * time.Hour)
	ended := func(outcome Outcome, ended time.Time) *Run {
		run := create(t, s)
		finish(t, run, outcome, ended)
		return run
	}
	unfinished := create(t, s)
	ended(Succeeded, now)
	ended(Failed, old)
	young := ended(Failed, now.Add(-23*time.Hour))
	ended(Superseded, now)
	newest := []*Run{ended(Succeeded, old), ended(Failed, old)}
	must(t, s.Prune(2, 24*time.Hour, nothing))
	wantIDs(t, s.List, unfinished, young, newest[0], newest[1])

	must(t, s.Prune(0, 0, func(run *Run) bool { return run.ID == young.ID })) // its report is still to be delivered
	wantIDs(t, s.List, unfinished, young)
	must(t, s.Prune(0, 0, nothing))
	wantIDs(t, s.List, unfinished)
}

func TestARunWhoseRemovalIsCutShortIsNotRunAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	finish(t, create(t, s), Succeeded, time.Now())
	s.drop = func(dir string) error { // the operator is killed when the result is gone, and the event is not
		must(t, os.Remove(filepath.Join(dir, resultFile)))
		return syscall.EINTR
	}
	if err := s.Prune(0, 0, nothing); !errors.Is(err, syscall.EINTR) {
		t.Errorf("got %v", err)
	}
	s = open(t, dir)
	wantIDs(t, s.Unfinished)
	must(t, s.Tidy())
	if left, err := os.ReadDir(s.Dir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPruneRemovesHalfMadeDirectoriesThatNobodyIsMaking(t *testing.T) {
	s := open(t, t.TempDir())
	abandoned, fresh := filepath.Join(s.Dir(), unfinishedName+"1"), filepath.Join(s.Dir(), unfinishedName+"2")
	must(t, os.Mkdir(abandoned, 0o700))
	must(t, os.Mkdir(fresh, 0o700))
	twoHoursAgo := time.Now().Add(-2 * time.Hour)
	must(t, os.Chtimes(abandoned, twoHoursAgo, twoHoursAgo))
	must(t, s.Prune(100, time.Hour, nothing))
	if _, err := os.Stat(abandoned); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the abandoned one: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("the fresh one: %v", err)
	}
}

func TestWorkAsideThatWasKilledLeavesNothingForLong(t *testing.T) {
	for name, clean := range map[string]func(*Store) error{
		"at the start": func(s *Store) error { return s.Tidy() },
		"later":        func(s *Store) error { return s.Prune(10, 0, func(*Run) bool { return false }) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir)
			must(t, err)
			old, young := filepath.Join(dir, AsideName+"plan-1"), filepath.Join(dir, AsideName+"2")
			for _, aside := range []string{old, young} {
				must(t, os.MkdirAll(filepath.Join(aside, "runs"), 0o700))
				must(t, os.WriteFile(filepath.Join(aside, "manifest.yaml"), []byte("planted"), 0o600))
			}
			long := time.Now().Add(-2 * asideFor)
			must(t, os.Chtimes(old, long, long))
			must(t, clean(s))
			_, oldErr := os.Stat(old)
			_, youngErr := os.Stat(young)
			if !errors.Is(oldErr, fs.ErrNotExist) || youngErr != nil {
				t.Errorf("of the old one: %v; of the one that is at work: %v", oldErr, youngErr)
			}
		})
	}
}
