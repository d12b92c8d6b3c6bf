// Package runs keeps run directories: one per event, in which everything about it can be read afterwards and from which
// it can be run again. A directory without a result is an event that is still to be done.
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

// Store is the folder of all runs.
type Store struct {
	dir  string
	sync func(dir string) error // makes renames in it durable
	drop func(dir string) error // removes a directory with all that is in it

	mu   sync.Mutex
	last time.Time // of an id; zero: none was given yet
}

const (
	eventFile  = "event.json"
	cleanFile  = "event.clean.json" // becomes eventFile once there is a result
	resultFile = "result.json"
	// unfinishedName marks a directory that is being made. A crash leaves it behind: the event in it was not accepted.
	unfinishedName = ".new-"
	// idTime sorts as text in the order of time, which is the order in which events are resumed.
	idTime = "20060102T150405.000000Z"
)

// Open makes sure that stateDir/runs exists and can be written to.
func Open(stateDir string) (*Store, error) {
	dir := filepath.Join(stateDir, "runs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot use the state directory: %w: set OPERATOR__STATEDIR to a directory that can be written to", err)
	}
	s := &Store{dir: dir, sync: syncDir, drop: os.RemoveAll}
	return s, s.Check()
}

// Check tells whether an event could be kept now.
func (s *Store) Check() error {
	probe, err := os.MkdirTemp(s.dir, unfinishedName)
	if err == nil {
		// A full disk still takes an empty file.
		err = errors.Join(os.WriteFile(filepath.Join(probe, eventFile), make([]byte, 4096), 0o600), os.RemoveAll(probe))
	}
	if err != nil {
		return fmt.Errorf("cannot use the state directory: %w: set OPERATOR__STATEDIR to a directory that can be written to", err)
	}
	return nil
}

// Dir is the folder of all runs.
func (s *Store) Dir() string { return s.dir }

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// newID is <time>-<callback>-<lane>-<short id>.
func (s *Store) newID(callback, lane string) string {
	now := s.now()
	short := make([]byte, 3)
	_, _ = rand.Read(short) // never fails
	// What stands before the slash is the lane's kind or namespace: the name is long enough without it.
	lane = notInNames.ReplaceAllString(strings.ToLower(path.Base(lane)), "")
	return fmt.Sprintf("%s-%s-%.60s-%s", now.Format(idTime), kebab(callback), lane, hex.EncodeToString(short))
}

// now never repeats and never goes back, not even behind the runs of earlier lives: a clock that is set back must not let
// a later event be resumed before an earlier one.
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

// follow lets later ids sort behind a run of an operator whose clock is ahead of this one's.
func (s *Store) follow(created time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && created.After(s.last) && created.Year() < 9999 {
		s.last = created
	}
}

// newest is when the newest run on disk came; zero: there is none, or none with a time that another can follow (idTime has
// four digits for the year).
func (s *Store) newest() time.Time {
	all, _ := s.List() // a disk that cannot be read cannot be written to either, which Create finds out
	for _, run := range slices.Backward(all) {
		if created := run.created(); !created.IsZero() && created.Year() < 9999 {
			return created
		}
	}
	return time.Time{}
}

var innerCapital = regexp.MustCompile(`([a-z])([A-Z])`)

func kebab(callback string) string {
	return strings.ToLower(innerCapital.ReplaceAllString(callback, "$1-$2"))
}

// List returns every run, oldest first.
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

// Run is the run with an id, whether there is one or not.
func (s *Store) Run(id string) *Run { return &Run{ID: id, Dir: filepath.Join(s.dir, id)} }

// Unfinished returns the runs without a result, oldest first.
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

// Tidy ends what a killed life was in the middle of: half-made directories go (they are no accepted events), and so do the
// secrets of runs that have ended. secretFiles are those of a run besides its event. Only for a store that nobody else uses.
func (s *Store) Tidy(secretFiles ...string) error {
	all, err := s.List()
	errs := []error{err, s.removeHalfMade(0)}
	for _, run := range all {
		if _, err := os.Stat(run.Path(resultFile)); err == nil {
			errs = append(errs, run.clean(), run.Remove(secretFiles...))
		}
	}
	return errors.Join(errs...)
}

// Prune removes finished runs, but keeps the newest keep of them, every failure that is younger than failures, and those
// that pending says are still needed.
// Half-made directories that are older than an hour go too.
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
		if kept++; kept <= keep || (result.Outcome == Failed && age < failures) || (age < lookAtDeaths && all[i].endedOperators()) || pending(all[i]) {
			continue
		}
		errs = append(errs, s.Remove(all[i]))
	}
	errs = append(errs, s.removeHalfMade(time.Hour))
	return errors.Join(errs...)
}

// Remove removes a run's directory: its name first, as a crash that leaves the event without the result must not have it run again.
func (s *Store) Remove(run *Run) error {
	nameless := filepath.Join(s.dir, unfinishedName+run.ID)
	if err := os.Rename(run.Dir, nameless); err != nil {
		return err
	}
	return s.drop(nameless)
}

func (s *Store) removeHalfMade(olderThan time.Duration) error {
	halfMade, _ := filepath.Glob(filepath.Join(s.dir, unfinishedName+"*"))
	var errs []error
	for _, dir := range halfMade {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) >= olderThan {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// writeSynced writes a file so that it is whole after a crash, or not there at all.
func writeSynced(path string, text []byte) error {
	half := path + ".new"
	if err := writeFileSynced(half, text); err != nil {
		return err
	}
	return os.Rename(half, path)
}

// writeFileSynced is os.WriteFile for a file that is on disk when it returns. A crash may leave half of it.
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
