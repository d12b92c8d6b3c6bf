package runs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// ErrLocked means that another operator uses the state directory.
var ErrLocked = errors.New("another operator is at work in it")

// Lock locks the state directory for this process. Two operators in one directory would resume and stop each other's runs; a rolling
// update runs both pods on one volume for a moment. The lock ends with the process, or with release. The error wraps ErrLocked if another
// process has the lock.
func (s *Store) Lock() (release func() error, err error) {
	stateDir := filepath.Dir(s.dir)
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
	return func() error { // closing alone would leave the lock to a command that is just being started: it has the file until its exec
		return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
	}, nil
}

// Identity returns the name of the operator that this state directory belongs to: 12 hex digits, the same after each restart. isNew: this call
// has created it.
func (s *Store) Identity() (identity string, isNew bool, err error) {
	file := filepath.Join(filepath.Dir(s.dir), "identity")
	text, err := os.ReadFile(file)
	if err == nil && validIdentity.Match(text) {
		return string(text), false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("cannot read the operator's identity: %w", err)
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	identity = hex.EncodeToString(random)
	if err := writeSynced(file, []byte(identity)); err != nil {
		return "", false, fmt.Errorf("cannot keep the operator's identity: %w", err)
	}
	return identity, true, nil
}

var validIdentity = regexp.MustCompile(`^[0-9a-f]{12}$`)
