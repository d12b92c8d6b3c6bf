package runs

import (
	"fmt"
	"io/fs"
	"strings"
)

// Find returns the run with this whole id, short id, or random end of the id. If there is none, the error is fs.ErrNotExist; if there are
// several, it names them.
func (s *Store) Find(id string) (*Run, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	var found []*Run
	var ids []string
	for _, run := range all {
		switch {
		case run.ID == id:
			return run, nil
		case run.Is(id):
			found, ids = append(found, run), append(ids, run.ShortID())
		}
	}
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("cannot tell which run is meant by %q: %s", id, strings.Join(ids, ", "))
	case len(found) == 0:
		return nil, fmt.Errorf("cannot find run %q in %s: %w", id, s.dir, fs.ErrNotExist)
	}
	return found[0], nil
}
