package runs

import (
	"os"
	"path/filepath"
)

// Existing returns the state directory that an operator on this machine uses: that of OpenToRead, or if its runs cannot be read, the first
// that has some. It makes and writes nothing. set is OPERATOR__STATEDIR: if it is not empty it is returned. found is false if there is no
// directory with runs; dir is then where an operator would look first.
func Existing(set string) (dir string, found bool) { return existing(placesOf(set)) }

func existing(places []string) (dir string, found bool) {
	if s, err := firstWithRuns(places); err == nil {
		return filepath.Dir(s.dir), true
	}
	for _, dir := range places {
		if info, err := os.Stat(filepath.Join(dir, "runs")); err == nil && info.IsDir() {
			return dir, true
		}
	}
	return places[0], false
}

// Reading returns the runs of a state directory for a process that only reads, beside a daemon that writes. It creates and checks nothing.
func Reading(stateDir string) *Store { return &Store{dir: filepath.Join(stateDir, "runs")} }

// KnownIdentity is Identity, but does not create one; "": there is none, or it cannot be read.
func (s *Store) KnownIdentity() string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.dir), "identity"))
	if err != nil || !validIdentity.Match(text) {
		return ""
	}
	return string(text)
}
