package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenToRead opens the runs of an operator that may be at work beside this process: it creates, locks and writes nothing. set is
// OPERATOR__STATEDIR; if it is empty, the directory is looked for where Dir would have put it. The error says that there are no runs, or whose
// they are.
func OpenToRead(set string) (*Store, error) {
	return firstWithRuns(placesOf(set))
}

// placesOf are the directories that may be the state directory, in the order in which Dir tries them.
func placesOf(set string) []string {
	if set != "" {
		return []string{set}
	}
	return append([]string{UsualDir}, otherDirs...)
}

// firstWithRuns prefers a directory that can be written to: what is in another one was left by an operator that ran as somebody else.
func firstWithRuns(places []string) (*Store, error) {
	var readable *Store
	var reasons []error
	for _, place := range places {
		dir := filepath.Join(place, "runs")
		if err := mayRead(dir); err != nil {
			reasons = append(reasons, err)
			continue
		}
		s := &Store{dir: dir}
		if unix.Access(place, unix.W_OK) == nil {
			return s, nil
		}
		if readable == nil {
			readable = s
		}
	}
	if readable != nil {
		return readable, nil
	}
	for _, reason := range reasons { // somebody else's runs are probably those that are meant
		if errors.Is(reason, fs.ErrPermission) {
			return nil, reason
		}
	}
	return nil, fmt.Errorf("there are no runs in %s: no operator has worked here, or it has another state directory: set OPERATOR__STATEDIR as for the operator",
		strings.Join(places, ", "))
}

// mayRead returns an error if a directory does not exist, or is another user's alone.
func mayRead(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrPermission) { // the state directory is closed
		if info, statErr := os.Stat(filepath.Dir(dir)); statErr == nil {
			return othersRuns(dir, info)
		}
		return fmt.Errorf("cannot read the runs: %w: run this as the user that the operator runs as", err)
	}
	if err != nil {
		return err
	}
	if unix.Access(dir, unix.R_OK|unix.X_OK) != nil {
		return othersRuns(dir, info)
	}
	return nil
}

func othersRuns(dir string, info fs.FileInfo) error {
	return fmt.Errorf("cannot read the runs in %s: %w: they belong to user %d, and this is user %d: run this as the operator's user, as kubectl exec does",
		dir, fs.ErrPermission, info.Sys().(*syscall.Stat_t).Uid, os.Geteuid())
}
