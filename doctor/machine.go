package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"octo-operator/config"
)

// memory tells for how many helms at a time the memory suffices.
func (x *examination) memory(context.Context) []Finding {
	machine := config.ThisMachine()
	capacity := x.Settings.Capacity(machine)
	told := found(OK, "memory", "limit %s, cores %.2g, helms at a time %d", config.FormatMemory(capacity.Memory), machine.Cores, capacity.Slots)
	switch {
	case capacity.Warning != "":
		told = found(Warn, "memory", "%s", capacity.Warning).todo("raise the container's memory limit, or lower OPERATOR__CONCURRENCY")
	case capacity.Slots == 1:
		told.Mark = Warn
		told = told.todo("raise the container's memory limit: one deploy at a time keeps all others waiting; the chart's 512Mi is for four")
	}
	return []Finding{told}
}

// How much of the disk must be free, in bytes and in files: below leastFree or leastFiles no event can be accepted, below the others
// there is a warning. A chart and its manifest take some MiB for a moment, a run directory has a dozen files.
const (
	leastFree, littleFree   = 16 << 20, 256 << 20
	leastFiles, littleFiles = 100, 2000
)

const stateDirectory = "state directory"

// disk tells whether events can be kept.
func (x *examination) disk(ctx context.Context) []Finding {
	what := fmt.Sprintf("%s (user %d)", x.stateDir, os.Geteuid())
	at := x.stateDir
	if !x.hasState { // an operator will create it, in that directory
		for parent := filepath.Dir(at); !exists(at) && at != parent; parent = filepath.Dir(at) {
			at = parent
		}
	}
	err := writable(at)
	switch {
	case err != nil && !x.hasState && x.Settings.StateDir == "":
		return []Finding{found(Skip, stateDirectory, "no operator has run here: there is no %s", x.stateDir)}
	case err != nil:
		return []Finding{found(Fail, stateDirectory, "cannot be written: %s: %v", what, err).
			todo("set OPERATOR__STATEDIR to a directory that this user may write to, or give the volume to it (the pod's fsGroup)")}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		return []Finding{found(Fail, stateDirectory, "cannot look at the disk of %s: %v", what, err).todo("look whether its volume is mounted")}
	}
	free := int64(disk.Bavail) * disk.Bsize
	told := fmt.Sprintf("%s: %d MiB free, %s", what, free>>20, x.sizeOfRuns(ctx))
	return []Finding{judgeDisk(told, free, disk.Ffree, disk.Files)}
}

// judgeDisk tells whether there is enough space: free bytes, and free files out of all that the disk can have (0: it has no limit).
func judgeDisk(told string, free int64, files, all uint64) Finding {
	const makeRoom = "make the volume larger, or lower OPERATOR__KEEPRUNS and OPERATOR__KEEPFAILEDHOURS"
	if all > 0 {
		told += fmt.Sprintf(", room for %d files", files)
	}
	switch {
	case free < leastFree:
		return found(Fail, stateDirectory, "the disk is full: %s", told).todo("%s; until then no event can be accepted", makeRoom)
	case all > 0 && files < leastFiles:
		return found(Fail, stateDirectory, "the disk has no room for more files: %s", told).todo("%s; until then no event can be accepted", makeRoom)
	case free < littleFree || all > 0 && files < littleFiles:
		return found(Warn, stateDirectory, "the disk is almost full: %s", told).todo("%s", makeRoom)
	}
	return found(OK, stateDirectory, "can be written: %s", told)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writable returns an error if this user may not create files in a directory. It creates none.
func writable(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	return unix.Access(dir, unix.W_OK|unix.X_OK)
}

// countingTime bounds the counting of the space that runs take: there may be ten thousand, on a slow disk.
const countingTime = 2 * time.Second

// sizeOfRuns says how many runs there are and what space they take, as far as they can be counted in countingTime.
func (x *examination) sizeOfRuns(ctx context.Context) string {
	if !x.hasState {
		return "no runs yet"
	}
	all, err := x.runs.List()
	if err != nil {
		return "runs that cannot be listed"
	}
	var bytes int64
	ctx, cancel := context.WithTimeout(ctx, countingTime)
	defer cancel()
	err = filepath.WalkDir(x.runs.Dir(), func(_ string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil // files that are deleted meanwhile, or may not be read, are not counted
	})
	least := ""
	if err != nil {
		least = "at least "
	}
	return fmt.Sprintf("runs %d, of %s%.1f MiB", len(all), least, float64(bytes)/(1<<20))
}
