package exec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// KillMarked stops the process groups in which a process has exactly the entry variable (NAME=value) in its environment: what an earlier
// life of the operator left behind when it was killed itself. Each gets one SIGTERM, all at the same time, and what is left of it after
// grace a SIGKILL, as when Run stops it. The error is nil when none is left.
//
// A program inherits the mark from the one that started it. So a helm that cleans up is waited for, although its shell died of the SIGTERM
// at once, and what leaves the group meanwhile (setsid) is found too.
//
// Left alone are our own process group, that of process 1, and processes that we may not look at. Call it before the first Run with this
// mark in Env: it does not tell lives apart.
func KillMarked(variable string, grace time.Duration) error {
	if strings.Index(variable, "=") < 1 {
		return fmt.Errorf("cannot stop marked processes: the mark %q is not NAME=value", variable)
	}
	graceEnds := time.Now().Add(grace)
	for {
		groups, err := markedGroups(variable)
		if err == nil && len(groups) == 0 {
			return nil
		}
		if err == nil && time.Since(graceEnds) > killWait {
			err = fmt.Errorf("process groups %v: new ones are started all the time", groups)
		}
		if err == nil {
			err = stopAll(groups, time.Until(graceEnds))
		}
		if err != nil {
			return fmt.Errorf("cannot stop what is marked %s: %w", variable, err)
		}
	}
}

// stopAll stops groups at the same time: one may wait for another one to end.
func stopAll(groups []group, grace time.Duration) error {
	errs := make([]error, len(groups))
	var all sync.WaitGroup
	for i, g := range groups {
		all.Go(func() { errs[i] = g.stop(grace, nil) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// secondLook is the time between two looks for marked processes.
const secondLook = 5 * time.Millisecond

// markedGroups looks twice before it says that there is none: a process that forks and ends while we read /proc may be missed with its
// child, and the environment of one that becomes another program is empty for a moment.
func markedGroups(variable string) ([]group, error) {
	groups, err := lookForMarked(variable)
	if err == nil && len(groups) == 0 {
		time.Sleep(secondLook)
		groups, err = lookForMarked(variable)
	}
	return groups, err
}

func lookForMarked(variable string) (groups []group, err error) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		if environ, err := p.Environ(); err != nil || !slices.Contains(environ, variable) {
			continue
		}
		// 0 is the number of a group from outside our container.
		if g, alive := groupOf(p); alive && g > 1 && int(g) != syscall.Getpgrp() && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// groupOf is the group of a process. It is not alive if it has ended meanwhile, or only waits to be waited for.
func groupOf(p procfs.Proc) (g group, alive bool) {
	stat, err := p.Stat()
	return group(stat.PGRP), err == nil && stat.State != "Z" && stat.State != "X"
}
