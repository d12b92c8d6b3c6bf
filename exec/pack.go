package exec

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pack is the marked processes of one process group.
type pack struct {
	group  int
	marked []*os.Process
	mixed  bool // there are others in the group, who are none of ours
}

// terminateGroup reports whether there still was a group to signal. While one
// of its processes lives, the number of a group goes to no other.
func (p pack) terminateGroup() bool {
	alive := func(m *os.Process) bool { return m.Signal(syscall.Signal(0)) == nil }
	return slices.ContainsFunc(p.marked, alive) && syscall.Kill(-p.group, syscall.SIGTERM) == nil
}

func (p pack) kill() {
	for _, m := range p.marked {
		m.Signal(syscall.SIGKILL)
	}
}

// release gives the handles back and returns their numbers.
func (p pack) release() []int {
	var pids []int
	for _, m := range p.marked {
		pids = append(pids, m.Pid)
		m.Release()
	}
	return pids
}

// secondLook is the time between two looks for marked processes.
const secondLook = 5 * time.Millisecond

// findMarked looks twice before it says that there is none: one that forks
// and ends while we read /proc may be missed with its child, and the
// environment of one that becomes another program is empty for a moment.
func findMarked(variable string) ([]pack, error) {
	packs, err := lookForMarked(variable)
	if err == nil && len(packs) == 0 {
		time.Sleep(secondLook)
		packs, err = lookForMarked(variable)
	}
	return packs, err
}

func lookForMarked(variable string) ([]pack, error) {
	pids, err := allPIDs()
	if err != nil || !slices.ContainsFunc(pids, func(pid int) bool { return hasMark(pid, variable) }) {
		return nil, err // as it mostly is, and the daemon's start waits for that
	}
	packs := map[int]pack{}
	for _, pid := range pids {
		process, st, marked := look(pid, variable)
		if process == nil {
			continue
		}
		p := packs[st.group]
		p.group = st.group
		if marked {
			p.marked = append(p.marked, process)
		} else {
			p.mixed = true
			process.Release()
		}
		packs[st.group] = p
	}
	maps.DeleteFunc(packs, func(_ int, p pack) bool { return len(p.marked) == 0 })
	return slices.Collect(maps.Values(packs)), nil
}

// look returns no process when there is none that could be marked.
//
// The handle (a pidfd) comes first: should the number go to another process
// while we read, the handle is of a dead one, and a signal reaches nobody.
func look(pid int, variable string) (process *os.Process, st stat, marked bool) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, stat{}, false
	}
	st, err = readStat(pid)
	if err != nil || st.dead() || st.group == syscall.Getpgrp() {
		process.Release()
		return nil, stat{}, false
	}
	return process, st, hasMark(pid, variable) && pid != 1
}

func hasMark(pid int, variable string) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && slices.Contains(strings.Split(string(environ), "\x00"), variable)
}
