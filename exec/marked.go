package exec

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// KillMarked stops every process whose environment holds exactly the entry
// variable (NAME=value): what an earlier life of the operator left behind
// when it was killed itself. All get a SIGTERM at the same time, and what is
// left after grace a SIGKILL. The error is nil when none is left.
//
// A program inherits the mark from the one that started it. So a helm that
// cleans up is waited for, although its shell died of the SIGTERM at once,
// and what is started while we look is found too.
//
// Left alone are our own process and process group, pid 1, and processes that
// we may not look at. Call it before the first Run with this mark in Env: it
// does not tell lives apart.
func KillMarked(variable string, grace time.Duration) error {
	if strings.Index(variable, "=") < 1 {
		return fmt.Errorf("cannot stop marked processes: the mark %q is not NAME=value", variable)
	}
	left, err := tellUntilGone(variable, grace, told{}.terminate)
	if err == nil && len(left) > 0 {
		left, err = tellUntilGone(variable, killWait, pack.kill)
	}
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("processes %v are alive %s after SIGKILL", left, killWait)
	}
	if err != nil {
		return fmt.Errorf("cannot stop what is marked %s: %w", variable, err)
	}
	return nil
}

// tellUntilGone tells all packs again and again, as there may be new ones. It
// returns the processes that are left when limit is over.
func tellUntilGone(variable string, limit time.Duration, tell func(pack)) ([]int, error) {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		packs, err := findMarked(variable)
		if err != nil || len(packs) == 0 {
			return nil, err
		}
		var left []int
		for _, p := range packs {
			tell(p)
			left = append(left, p.release()...)
		}
		if time.Now().After(deadline) {
			slices.Sort(left)
			return left, nil
		}
		time.Sleep(min(pause, max(0, time.Until(deadline))))
	}
}

// told are those who got a SIGTERM, by the number that kill(2) takes: of a
// process, or of a group with a minus.
type told map[int]bool

// terminate sends one SIGTERM to everyone: helm swallows a second one.
//
// A whole group gets it in one call, as from Run. The kernel lets nobody slip
// through by a fork meanwhile, and what starts in the group afterwards, such
// as the commands of a shell's trap, may do its work. Processes in a group
// with others get it one by one, and so do those whose group has no number
// that kill(2) could take: 0 is how we see a group from outside our container.
func (t told) terminate(p pack) {
	known := func(m *os.Process) bool { return t[m.Pid] }
	if t[-p.group] {
		return
	}
	if !p.mixed && p.group > 1 && !slices.ContainsFunc(p.marked, known) {
		t[-p.group] = p.terminateGroup()
		return
	}
	for _, m := range p.marked {
		if !known(m) {
			t[m.Pid] = true
			m.Signal(syscall.SIGTERM)
		}
	}
}
