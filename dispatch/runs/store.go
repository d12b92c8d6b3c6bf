// Package runs keeps run directories: one per event, in which everything about the event can be read afterwards, and from which an
// unfinished event is resumed. A run without a result (result.json) is unfinished.
//
//	store, err := runs.Open(stateDir)
//	run, err := store.Create(event, lane) // on disk, durably
//	err = run.Finish(runs.Result{Outcome: runs.Succeeded, …}, nil)
package runs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Store is the directory with all runs. Its methods may be called by several goroutines.
type Store struct {
	dir  string
	sync func(dir string) error // makes renames in it durable
	drop func(dir string) error // removes a directory with all that is in it

	mu   sync.Mutex
	last time.Time // time in the last id; zero: none was created yet
}

const (
	eventFile  = "event.json"
	cleanFile  = "event.clean.json" // replaces eventFile once there is a result
	resultFile = "result.json"
	// unfinishedName is the beginning of the names of directories that are being created or removed. If a crash leaves one, its event was
	// not accepted.
	unfinishedName = ".new-"
	// AsideName is the prefix of directories in the state directory for work that is not a run, such as a plan. They have the same files as a
	// run. Whoever creates one removes it; if it was killed, Prune removes it after asideFor.
	AsideName = "aside-"
	asideFor  = time.Hour
	// idTime is the format of the time in an id. Sorted as text, ids are in the order of time, in which events are resumed.
	idTime = "20060102T150405.000000Z"
)

// Open creates stateDir/runs if necessary. The error says that it cannot be written.
func Open(stateDir string) (*Store, error) {
	dir := filepath.Join(stateDir, "runs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot use the state directory: %w: set OPERATOR__STATEDIR to a directory that can be written to", err)
	}
	s := &Store{dir: dir, sync: syncDir, drop: os.RemoveAll}
	return s, s.Check()
}

// Check returns an error if no event could be written now.
func (s *Store) Check() error {
	probe, err := os.MkdirTemp(s.dir, unfinishedName)
	if err == nil {
		// An empty file could be created even on a full disk.
		err = errors.Join(os.WriteFile(filepath.Join(probe, eventFile), make([]byte, 4096), 0o600), os.RemoveAll(probe))
	}
	if err != nil {
		return fmt.Errorf("cannot use the state directory: %w: set OPERATOR__STATEDIR to a directory that can be written to", err)
	}
	return nil
}

// Dir returns the directory with all runs.
func (s *Store) Dir() string { return s.dir }

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// newID returns <time>-<callback>-<lane>-<random hex>.
func (s *Store) newID(callback, lane string) string {
	now := s.now()
	short := make([]byte, 3)
	_, _ = rand.Read(short) // never fails
	// Without the lane's kind or namespace, which stands before the slash: the id is long enough.
	lane = notInNames.ReplaceAllString(strings.ToLower(path.Base(lane)), "")
	return fmt.Sprintf("%s-%s-%.60s-%s", now.Format(idTime), kebab(callback), lane, hex.EncodeToString(short))
}

// now returns a time that is later than all times returned before and than those of all runs on disk. So a clock that is set back does
// not change the order in which events are resumed.
func (s *Store) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.IsZero() {
		s.last = s.newest()
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !now.After(s.last) {
		now = s.last.Add(time.Microsecond)
	}
	s.last = now
	return now
}

// follow makes later ids sort behind a restored run, even if the clock of the operator that created it was ahead.
func (s *Store) follow(created time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && created.After(s.last) && created.Year() < 9999 {
		s.last = created
	}
}

// newest returns the time of the newest run on disk; zero: there is none. It ignores times that no later id could follow: idTime has four
// digits for the year.
func (s *Store) newest() time.Time {
	all, _ := s.List() // if the disk cannot be read, Create fails
	for _, run := range slices.Backward(all) {
		if created := run.Created(); !created.IsZero() && created.Year() < 9999 {
			return created
		}
	}
	return time.Time{}
}

var innerCapital = regexp.MustCompile(`([a-z])([A-Z])`)

func kebab(callback string) string {
	return strings.ToLower(innerCapital.ReplaceAllString(callback, "$1-$2"))
}

// List returns every run, the oldest first.
func (s *Store) List() ([]*Run, error) {
	entries, err := os.ReadDir(s.dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("cannot list the runs: %w", err)
	}
	var runs []*Run
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), unfinishedName) {
			runs = append(runs, s.Run(e.Name()))
		}
	}
	return runs, nil
}

// Run returns the run with an id. It does not check whether the run exists.
func (s *Store) Run(id string) *Run { return &Run{ID: id, Dir: filepath.Join(s.dir, id)} }

// Unfinished returns the runs without a result, the oldest first.
func (s *Store) Unfinished() ([]*Run, error) {
	all, err := s.List()
	var unfinished []*Run
	for _, run := range all {
		if _, err := run.Result(); errors.Is(err, fs.ErrNotExist) {
			unfinished = append(unfinished, run)
		}
	}
	return unfinished, err
}

// Tidy completes what a killed process has left half done: it deletes directories that were being created (their events were not
// accepted), and the secrets of finished runs. secretFiles are the names of a run's files with secrets, besides its event. The caller
// must hold the lock.
func (s *Store) Tidy(secretFiles ...string) error {
	all, err := s.List()
	errs := []error{err, s.removeHalfMade(0), s.removeAside()}
	for _, run := range all {
		if _, err := os.Stat(run.Path(resultFile)); err == nil {
			errs = append(errs, run.clean(), run.Remove(secretFiles...))
		}
	}
	return errors.Join(errs...)
}

// Prune deletes finished runs. It keeps the newest keep of them, failed ones younger than failures, those during which the operator crashed (for
// a day), and those for which pending is true. It also deletes what killed processes have left: directories that were being created more than an
// hour ago, and old directories with the prefix AsideName.
func (s *Store) Prune(keep int, failures time.Duration, pending func(*Run) bool) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	var errs []error
	kept := 0
	for i := len(all) - 1; i >= 0; i-- {
		result, err := all[i].Result()
		if err != nil {
			continue // not finished
		}
		age := time.Since(result.Ended)
		if kept++; kept <= keep || (result.Outcome == Failed && age < failures) || (age < keepCrashing && all[i].gaveUp()) || pending(all[i]) {
			continue
		}
		errs = append(errs, s.Remove(all[i]))
	}
	errs = append(errs, s.removeHalfMade(time.Hour), s.removeAside())
	return errors.Join(errs...)
}

// Remove deletes a run's directory. It renames it first: if the operator crashes while the result is deleted but the event is not, the event must
// not be run again.
func (s *Store) Remove(run *Run) error {
	nameless := filepath.Join(s.dir, unfinishedName+run.ID)
	if err := os.Rename(run.Dir, nameless); err != nil {
		return err
	}
	return s.drop(nameless)
}

func (s *Store) removeHalfMade(olderThan time.Duration) error {
	return removeOld(filepath.Join(s.dir, unfinishedName+"*"), olderThan)
}

func (s *Store) removeAside() error {
	return removeOld(filepath.Join(filepath.Dir(s.dir), AsideName+"*"), asideFor)
}

// removeOld removes what matches a pattern and has not been changed for a time.
func removeOld(pattern string, olderThan time.Duration) error {
	found, _ := filepath.Glob(pattern)
	var errs []error
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) >= olderThan {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// writeSynced writes a file so that after a crash it is complete or not there.
func writeSynced(path string, text []byte) error {
	half := path + ".new"
	if err := writeFileSynced(half, text); err != nil {
		return err
	}
	return os.Rename(half, path)
}

// writeFileSynced is os.WriteFile followed by a sync. After a crash the file may be incomplete.
func writeFileSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
