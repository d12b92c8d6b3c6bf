package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked means that another operator is at work in the state directory.
var ErrLocked = errors.New("another operator is at work in it")

// Lock makes the state directory this process' own. Two operators in one directory would resume, and stop, each other's
// runs: that happens when a rolling update has both pods on one volume for a moment. The lock ends with the process,
// however it ends; release ends it earlier.
func Lock(stateDir string) (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(stateDir, "lock"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the state directory: %w", err)
	}
	if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock the state directory %s: %w", stateDir, err), file.Close())
	}
	return file.Close, nil
}
