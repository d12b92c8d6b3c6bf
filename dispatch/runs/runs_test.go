package runs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

var deployed = hub.Event{Callback: hub.WorkloadDeploy, Argument: []byte(`{"tenantId":"acme"}`)}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, stateDir string) *Store {
	t.Helper()
	s, err := Open(stateDir)
	must(t, err)
	return s
}

func create(t *testing.T, s *Store) *Run {
	t.Helper()
	run, err := s.Create(deployed, "octo/acme-demo")
	must(t, err)
	return run
}

func finish(t *testing.T, run *Run, outcome Outcome, ended time.Time) {
	t.Helper()
	must(t, run.Finish(Result{Outcome: outcome, Started: ended.Add(-1500 * time.Millisecond), Ended: ended}, nil))
}

func ids(runs []*Run) (ids []string) {
	for _, run := range runs {
		ids = append(ids, run.ID)
	}
	return ids
}

func nothing(*Run) bool { return false }

func wantIDs(t *testing.T, list func() ([]*Run, error), want ...*Run) {
	t.Helper()
	got, err := list()
	must(t, err)
	if diff := cmp.Diff(ids(want), ids(got)); diff != "" {
		t.Error(diff)
	}
}

func TestACreatedRunHoldsItsEventAfterAReopening(t *testing.T) {
	dir := t.TempDir()
	created := create(t, open(t, dir))
	again, err := open(t, dir).List()
	must(t, err)
	if len(again) != 1 || again[0].Dir != created.Dir || again[0].ID != created.ID {
		t.Fatalf("got %+v, want %+v", again, created)
	}
	event, err := again[0].Event()
	must(t, err)
	if diff := cmp.Diff(deployed, event); diff != "" {
		t.Error(diff)
	}
}

func TestCreateFromManyGoroutinesLosesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.Create(deployed, "octo/acme"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := s.Unfinished()
	must(t, err)
	if len(list) != 20 {
		t.Errorf("got %d runs, want 20", len(list))
	}
}

func TestUnfinishedRunsAreFoundInOrderAfterAReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first, done, failed, last := create(t, s), create(t, s), create(t, s), create(t, s)
	finish(t, done, Succeeded, time.Now())
	finish(t, failed, Failed, time.Now())
	wantIDs(t, s.Unfinished, first, last)
	wantIDs(t, open(t, dir).Unfinished, first, last)
	wantIDs(t, open(t, dir).List, first, done, failed, last)
}

func TestAHalfMadeDirectoryIsNoEvent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	run := create(t, s)
	// What a crash leaves before the rename, and before the end of a write.
	half := filepath.Join(s.Dir(), unfinishedName+"123")
	must(t, os.Mkdir(half, 0o700))
	must(t, os.WriteFile(filepath.Join(half, eventFile), []byte(`{"callback":"WorkloadDeployed"}`), 0o600))
	must(t, os.WriteFile(run.Path(resultFile+".new"), []byte(`{"outcome":"succ`), 0o600))
	must(t, os.WriteFile(filepath.Join(s.Dir(), "note.txt"), nil, 0o600))
	s = open(t, dir)
	wantIDs(t, s.List, run)
	wantIDs(t, s.Unfinished, run)
}

func TestFinishIsWholeOrNotThere(t *testing.T) {
	s := open(t, t.TempDir())
	run := create(t, s)
	if _, err := run.Result(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v before the end", err)
	}
	ended := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	finish(t, run, Failed, ended)
	result, err := run.Result()
	must(t, err)
	want := Result{Outcome: Failed, Started: ended.Add(-1500 * time.Millisecond), Ended: ended, Seconds: 1.5}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(run.Dir)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}

	// A write that cannot be completed leaves the run unfinished.
	unwritable := create(t, s)
	must(t, os.Mkdir(unwritable.Path(resultFile+".new"), 0o700))
	if err := unwritable.Finish(Result{}, nil); err == nil || !strings.Contains(err.Error(), "cannot write the result of run "+unwritable.ID) {
		t.Errorf("got %v", err)
	}
	wantIDs(t, s.Unfinished, unwritable)
}

func TestAFinishedRunHasLostItsSecretsAndNothingElse(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	clean := hub.Event{Callback: deployed.Callback, Argument: []byte(`{"tenantId":"removed"}`)}
	must(t, run.Finish(Result{Outcome: Succeeded}, &clean))
	event, err := run.Event()
	must(t, err)
	if diff := cmp.Diff(clean, event); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(run.Dir)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestTidyEndsWhatAKilledLifeWasInTheMiddleOf(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	clean := []byte(`{"callback":"WorkloadDeployed","argument":"clean"}`)
	// Killed before there was a result: the event keeps what it needs to be run again.
	unfinished := create(t, s)
	must(t, unfinished.Write(cleanFile, clean))
	must(t, unfinished.Write("secret.yaml", nil))
	// Killed just after.
	finished := create(t, s)
	must(t, finished.Finish(Result{Outcome: Succeeded}, nil))
	must(t, finished.Write(cleanFile, clean))
	must(t, finished.Write("secret.yaml", nil))
	must(t, os.Mkdir(filepath.Join(dir, "runs", unfinishedName+"1"), 0o700))

	must(t, s.Tidy("secret.yaml"))
	for _, test := range []struct {
		run       *Run
		want      string
		hasSecret bool
	}{{unfinished, string(deployed.Argument), true}, {finished, `"clean"`, false}} {
		event, err := test.run.Event()
		must(t, err)
		_, err = os.Stat(test.run.Path("secret.yaml"))
		if string(event.Argument) != test.want || (err == nil) != test.hasSecret {
			t.Errorf("got %s and secret.yaml %v, want %s and %v", event.Argument, err == nil, test.want, test.hasSecret)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "runs", ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestARestoredRunKeepsItsIDAndIsNotWrittenTwice(t *testing.T) {
	s := open(t, t.TempDir())
	id := create(t, open(t, t.TempDir())).ID
	run, err := s.Restore(id, deployed, "octo/acme-demo")
	must(t, err)
	finish(t, run, Succeeded, time.Now())
	again, err := s.Restore(id, deployed, "octo/acme-demo")
	must(t, err)
	if _, err := again.Result(); err != nil || again.ID != id {
		t.Errorf("got %+v, %v", again, err)
	}
	for _, bad := range []string{"", "../x", id + "/..", "20261123T121121.907773Z", ".new-1"} {
		if _, err := s.Restore(bad, deployed, "octo/acme-demo"); err == nil {
			t.Errorf("%q was taken for a run's id", bad)
		}
	}
}

func TestOneStateDirectoryHasOneOperator(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	release, err := s.Lock()
	must(t, err)
	if _, err := s.Lock(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	must(t, release())
	release, err = s.Lock()
	must(t, err)
	must(t, release())
}

func TestAnIdentityOutlivesTheProcessAndIsNoOthers(t *testing.T) {
	dir := t.TempDir()
	first, isNew, err := open(t, dir).Identity()
	must(t, err)
	again, stillNew, err := open(t, dir).Identity()
	must(t, err)
	other, _, err := open(t, t.TempDir()).Identity()
	must(t, err)
	if !isNew || stillNew {
		t.Errorf("new in the first life: %v, in the second: %v", isNew, stillNew)
	}
	if first != again || first == other || !validIdentity.MatchString(first) {
		t.Errorf("got %q, then %q, elsewhere %q", first, again, other)
	}
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // the operator must not depend on it
	dir := filepath.Join(t.TempDir(), "state")
	run := create(t, open(t, dir))
	must(t, run.Write("values.yaml", []byte("a: 1\n")))
	must(t, run.WriteProgram("rerun", []byte("#!/bin/sh\n")))
	output, err := run.OpenOutput()
	must(t, err)
	must(t, output.Close())
	finish(t, run, Succeeded, time.Now())
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		want := fs.FileMode(0o600)
		if entry.IsDir() || entry.Name() == "rerun" {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	}))
}

func TestRemoveTakesWhatIsThere(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, run.Write("secret.yaml", nil))
	must(t, os.MkdirAll(run.Path("cache/deep"), 0o700))
	must(t, run.Remove("secret.yaml", "cache", "never-there"))
	entries, err := os.ReadDir(run.Dir)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != eventFile {
		t.Errorf("got %v", entries)
	}
}

func TestAStateDirectoryThatCannotBeMadeIsAClearError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(filepath.Join(file, "state"))
	if !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "set OPERATOR__STATEDIR to") {
		t.Errorf("got %v", err)
	}
}

func TestAnEventThatCannotBeKeptIsAClearError(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, os.RemoveAll(s.Dir()))
	if _, err := s.Create(deployed, "octo/acme"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "cannot create run ") {
		t.Errorf("got %v", err)
	}
	s = open(t, dir)
	if _, err := s.Create(hub.Event{Callback: "X", Argument: []byte("{")}, "octo/acme"); err == nil {
		t.Error("an argument that is no JSON was kept")
	}
	entries, err := os.ReadDir(s.Dir())
	must(t, err)
	if len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestARefusedEventIsNotResumedAlthoughItWasOnDiskAlready(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	kept := create(t, s)
	s.sync = func(string) error { return syscall.EIO }
	if run, err := s.Create(deployed, "octo/acme"); run != nil || !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "cannot create run ") {
		t.Errorf("got %v, %v", run, err)
	}
	if run, err := s.Restore(open(t, t.TempDir()).newID(deployed.Callback, "octo/acme"), deployed, "octo/acme"); run != nil || !errors.Is(err, syscall.EIO) {
		t.Errorf("restored: got %v, %v", run, err)
	}
	wantIDs(t, open(t, dir).Unfinished, kept)
	entries, err := os.ReadDir(s.Dir())
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAnEventThatCannotBeReadNamesTheRun(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, run.Write(eventFile, []byte("half")))
	if _, err := run.Event(); err == nil || !strings.Contains(err.Error(), "cannot read the event of run "+run.ID) {
		t.Errorf("got %v", err)
	}
	must(t, run.Write(resultFile, []byte("half")))
	if _, err := run.Result(); err == nil || !strings.Contains(err.Error(), "cannot read the result of run "+run.ID) {
		t.Errorf("got %v", err)
	}
}
