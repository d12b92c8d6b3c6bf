package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// UsualDir is the state directory if OPERATOR__STATEDIR is not set. If it can never be written, as in a pod with another user than the
// image's or with a read-only root file system, one of otherDirs is used: where a chart mounts no volume there is no other place.
const UsualDir = "/var/lib/octo-operator"

var otherDirs = []string{"/tmp/octo-operator", "/dev/shm/octo-operator"}

// Dir returns the state directory. set is OPERATOR__STATEDIR: if it is not empty it is returned, whether it can be used or not. If one of
// otherDirs is returned, instead is the error because of which UsualDir cannot be used; otherwise it is nil. err says that none can be
// used.
func Dir(set string) (dir string, instead, err error) {
	if set != "" {
		return set, nil, nil
	}
	return firstUsable(UsualDir, otherDirs)
}

func firstUsable(usual string, others []string) (dir string, instead, err error) {
	// Only if nothing could ever be written there. A disk that is full or broken now may hold events, which another directory would hide.
	if instead = writable(usual); !errors.Is(instead, fs.ErrPermission) && !errors.Is(instead, syscall.EROFS) {
		return usual, nil, nil
	}
	reasons := []error{fmt.Errorf("cannot use the state directory: %w: set OPERATOR__STATEDIR to a directory that can be written to", instead)}
	for _, other := range others {
		err := private(other)
		if err == nil {
			err = writable(other)
		}
		if err == nil {
			return other, instead, nil
		}
		reasons = append(reasons, err)
	}
	return "", nil, errors.Join(reasons...)
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// private creates a directory in a place where everybody may create one. If it exists already, it must belong to this user alone:
// somebody may have prepared it to read secrets, or to have our files written elsewhere.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	case int(owner) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not to this one, %d", dir, owner, os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s lets others in: its mode is %o, not 700", dir, info.Mode().Perm())
	}
	return nil
}

// Home returns home, or stateDir if this user may not read home's .kube, as in a pod with another user than the image's: helm and kubectl would
// fail. A .kube that does not exist is no problem.
func Home(home, stateDir string) string {
	if _, err := os.Stat(filepath.Join(home, ".kube")); errors.Is(err, fs.ErrPermission) {
		return stateDir
	}
	return home
}
