package runs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

var deployed = hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"tenantId":"acme"}`)}

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

// A command that is being started has all of the operator's files for a moment, the lock too: between fork and exec.
func TestALockThatIsReleasedIsFreeWhileAChildStillHasItsFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	release, err := s.Lock()
	must(t, err)
	childs := openedIn(t, filepath.Join(dir, "lock"))
	must(t, release())
	release, err = s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	must(t, release())
	must(t, syscall.Close(childs))
}

// openedIn makes another descriptor of a file that this process has open, as a fork does.
func openedIn(t *testing.T, path string) (descriptor int) {
	t.Helper()
	opened, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, entry := range opened {
		if target, _ := os.Readlink("/proc/self/fd/" + entry.Name()); target == path {
			number, err := strconv.Atoi(entry.Name())
			must(t, err)
			descriptor, err = syscall.Dup(number)
			must(t, err)
			return descriptor
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
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

func TestOutputLinesHaveTimeAndStream(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	at := time.Date(2026, 11, 23, 14, 5, 6, 7_890_000, time.FixedZone("", 3600))
	for range 2 { // the second appends
		output, err := run.OpenOutput()
		must(t, err)
		output.Line(at, "stdout", "first")
		output.Line(at, "stderr", "")
		must(t, output.Close())
	}
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if want := strings.Repeat("13:05:06.007 stdout first\n13:05:06.007 stderr \n", 2); string(text) != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestOutputLinesFromManyGoroutinesStayWhole(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	output, err := run.OpenOutput()
	must(t, err)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() { output.Line(time.Time{}, "stdout", fmt.Sprintf("line %d", i)) })
	}
	all.Wait()
	must(t, output.Close())
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if lines := regexp.MustCompile(`(?m)^00:00:00.000 stdout line \d$`).FindAll(text, -1); len(lines) != 10 {
		t.Errorf("got %q", text)
	}
}

func TestAFullDiskIsToldAtTheEndOfTheOutput(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	must(t, os.Symlink("/dev/full", run.Path("output.log")))
	output, err := run.OpenOutput()
	must(t, err)
	output.Line(time.Now(), "stdout", "lost")
	if err := output.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

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

func TestOutputThatIsTooLongIsCutAndSaysSoOnce(t *testing.T) {
	run := create(t, open(t, t.TempDir()))
	long := strings.Repeat("x", 1<<20)
	for range 2 { // the event is tried again
		output, err := run.OpenOutput()
		must(t, err)
		for range 40 {
			output.Line(time.Now(), "stderr", long)
		}
		must(t, output.Close())
	}
	text, err := os.ReadFile(run.Path("output.log"))
	must(t, err)
	if len(text) > 66<<20 || strings.Count(string(text), "output cut") != 1 || !bytes.HasSuffix(text, []byte(" bytes\n")) {
		t.Errorf("it has %d bytes and ends in %q", len(text), text[len(text)-100:])
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
