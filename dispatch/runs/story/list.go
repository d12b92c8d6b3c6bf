package story

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/text"
)

// Filter selects the runs to list. The zero Filter selects all.
type Filter struct {
	Failed     bool // only those that have failed, or whose result cannot be read
	Unfinished bool // only those that have not ended
	Callback   string
	Tenant     string    // its id, in any case
	Release    string    // a name or id, see Summary.Matches
	Since      time.Time // only those that came later; zero: all
	Most       int       // how many at most; 0: all
}

// List returns the runs that match the filter, the newest first, and whether there may be more. It reads only the runs that it returns,
// and those that it must read to know whether they match.
func List(store *runs.Store, filter Filter, now time.Time) (list []Summary, more bool, err error) {
	all, err := store.List()
	if err != nil {
		return nil, false, err
	}
	list = []Summary{}
	for _, run := range slices.Backward(all) {
		if created := run.Created(); !filter.Since.IsZero() && !created.IsZero() && created.Before(filter.Since) {
			break
		}
		if filter.Most > 0 && len(list) == filter.Most {
			return list, true, nil
		}
		if s, ok := filter.read(run, now); ok {
			list = append(list, s)
		}
	}
	return list, false, nil
}

// read returns a run if it matches the filter. It reads no more than it must.
func (f Filter) read(run *runs.Run, now time.Time) (s Summary, ok bool) {
	if callback, _ := run.Named(); f.Callback != "" && callback != "" && callback != f.Callback {
		return s, false
	}
	if (f.Failed || f.Unfinished) && !f.outcome(run) {
		return s, false
	}
	if f.Tenant != "" || f.Release != "" {
		s.addEvent(run)
		if f.Tenant != "" && !strings.EqualFold(s.Tenant, f.Tenant) || f.Release != "" && !s.Matches(f.Release) {
			return s, false
		}
	}
	s = Summarize(run, now)
	gone := len(s.Damaged) > 0 && s.Ended == nil && isGone(run) // it was removed meanwhile
	return s, !gone && (f.Callback == "" || s.Callback == f.Callback)
}

// outcome tells whether a run matches the filter by its outcome.
func (f Filter) outcome(run *runs.Run) bool {
	if !run.Has("result.json") {
		return f.Unfinished
	}
	if !f.Failed {
		return false
	}
	var s Summary
	s.addResult(run)
	return s.Outcome == runs.Failed || s.Outcome == Unreadable
}

func isGone(run *runs.Run) bool {
	_, err := os.Stat(run.Dir)
	return errors.Is(err, fs.ErrNotExist)
}

// Find returns the run that a person means: by its id, see runs.Store.Find, or the newest one of a release, workload or pool, see
// Summary.Matches. The error is fs.ErrNotExist if there is none.
func Find(store *runs.Store, what string) (*runs.Run, error) {
	run, err := store.Find(what)
	if !errors.Is(err, fs.ErrNotExist) {
		return run, err
	}
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, run := range slices.Backward(all) {
		var s Summary
		s.Callback, _ = run.Named()
		s.addEvent(run)
		if s.Matches(what) {
			return run, nil
		}
	}
	return nil, fmt.Errorf("cannot find a run by %s: it is no id of a run, and no name or id of a release, workload or pool that has one in %s: "+
		"octo-operator runs lists them: %w", text.Quoted(what), store.Dir(), fs.ErrNotExist)
}

// SameLane returns the other runs of the same release or pool, the newest first.
func SameLane(store *runs.Store, run *runs.Run) (others []*runs.Run, err error) {
	all, err := store.List()
	_, lane := run.Named()
	for _, other := range slices.Backward(all) {
		if _, otherLane := other.Named(); otherLane == lane && other.ID != run.ID {
			others = append(others, other)
		}
	}
	return others, err
}
