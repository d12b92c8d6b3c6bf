package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"octo-operator/hub"
)

// New is an event for which a run is to be created.
type New struct {
	Event hub.Event
	Lane  string
}

// Create is CreateAll for one event.
func (s *Store) Create(event hub.Event, lane string) (*Run, error) {
	created, err := s.CreateAll([]New{{event, lane}})
	if err != nil {
		return nil, err
	}
	return created[0], nil
}

// CreateAll creates a run for each event, in the same order, and returns them. The events are then on disk and survive a crash; after an
// error none of them is. Many events take little longer than one.
func (s *Store) CreateAll(events []New) ([]*Run, error) {
	created := make([]*Run, len(events))
	half := make([]halfMade, len(events))
	for i, e := range events {
		created[i] = s.runOf(s.newID(e.Event.Callback, e.Lane), e)
		half[i] = halfMade{run: created[i], event: e.Event}
	}
	if err := s.writeAll(half); err != nil {
		return nil, err
	}
	return created, nil
}

var validID = regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}Z-[a-z0-9-]+$`)

// Restore creates a run that an operator with another disk has accepted, under its id there. A run that is already here is returned as it
// is. The error says that the id has not the form of a run's id, or that the disk cannot be written.
func (s *Store) Restore(id string, event hub.Event, lane string) (*Run, error) {
	if !validID.MatchString(id) {
		return nil, fmt.Errorf("cannot restore run %q: that is no run's id", id)
	}
	run := s.runOf(id, New{event, lane})
	if _, err := os.Stat(run.Path(eventFile)); err == nil {
		return run, nil
	}
	if err := s.writeAll([]halfMade{{run: run, event: event}}); err != nil {
		return nil, err
	}
	s.follow(run.Created())
	return run, nil
}

func (s *Store) runOf(id string, e New) *Run {
	return &Run{ID: id, Dir: filepath.Join(s.dir, id), Lane: e.Lane, Callback: e.Event.Callback}
}

// halfMade is a run whose directory is being created under a temporary name.
type halfMade struct {
	run   *Run
	event hub.Event
	dir   string // the temporary directory; empty: there is none yet
	named bool   // the directory already has the run's name
}

// writeAll writes and syncs the events, then renames their directories, and syncs the renames once for all.
func (s *Store) writeAll(half []halfMade) error {
	err := together(len(half), func(i int) error { return half[i].write(s.dir) })
	for i := 0; i < len(half) && err == nil; i++ {
		err = half[i].rename()
	}
	if err == nil {
		err = half[0].failed(s.sync(s.dir))
	}
	if err == nil {
		return nil
	}
	errs := []error{err}
	for i := range half { // these events are refused, so the next process must not find them
		errs = append(errs, half[i].remove())
	}
	_ = s.sync(s.dir) // make the removal durable if possible
	return errors.Join(errs...)
}

func (h *halfMade) write(runs string) error {
	text, err := json.Marshal(h.event)
	if err == nil {
		h.dir, err = os.MkdirTemp(runs, unfinishedName)
	}
	if err == nil {
		err = writeFileSynced(filepath.Join(h.dir, eventFile), text)
	}
	return h.failed(err)
}

func (h *halfMade) rename() error {
	err := os.Rename(h.dir, h.run.Dir)
	h.named = err == nil
	return h.failed(err)
}

func (h *halfMade) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot create run %s: %w", h.run.ID, err)
}

// remove deletes the directory. It renames it back first, because a directory with a run's name is an accepted event.
func (h *halfMade) remove() error {
	var err error
	if h.named {
		err = os.Rename(h.run.Dir, h.dir)
	}
	if h.dir == "" {
		return nil
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}

// syncers is how many files are synced at the same time. A file system with a journal (ext4, xfs) commits once for all that wait: 16
// files take hardly longer than one.
const syncers = 16

// together calls f for 0 to n-1, syncers at a time, and returns the first error.
func together(n int, f func(i int) error) error {
	if n == 1 {
		return f(0)
	}
	errs, slots := make([]error, n), make(chan struct{}, syncers)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(i)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
