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

// KillMarked stops every process group in which a process has exactly the entry variable (NAME=value) in its environment. These are what
// an operator that was killed has left running. Each group gets one SIGTERM, all at the same time, and after grace a SIGKILL, as when Run
// stops it. The error is nil if none is left.
//
// A program inherits the mark from the one that has started it. So a helm that cleans up is waited for, although its shell has died of
// the SIGTERM at once, and a process that leaves its group meanwhile (setsid) is found too.
//
// It leaves alone our own process group, that of process 1, and processes that we may not inspect. Call it before the first Run with this
// mark in Env, because it would stop that one too.
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

// stopAll stops groups at the same time, because one may wait for another to end.
func stopAll(groups []group, grace time.Duration) error {
	errs := make([]error, len(groups))
	var all sync.WaitGroup
	for i, g := range groups {
		all.Go(func() { errs[i] = g.stop(grace, nil) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// secondLook is how long markedGroups waits before it searches again.
const secondLook = 5 * time.Millisecond

// markedGroups searches twice before it finds nothing: a process that forks and ends while /proc is being read may be missed together
// with its child, and while a process executes another program, its environment is empty for a moment.
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
		// A group from outside our container has the number 0.
		if g, alive := groupOf(p); alive && g > 1 && int(g) != syscall.Getpgrp() && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// groupOf returns the group of a process. The process is not alive if it has ended meanwhile, or is a zombie.
func groupOf(p procfs.Proc) (g group, alive bool) {
	stat, err := p.Stat()
	return group(stat.PGRP), err == nil && stat.State != "Z" && stat.State != "X"
}
