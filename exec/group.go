package exec

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// killWait is how long to wait for the end of a group after SIGKILL. Only a process that hangs in the kernel (a dead NFS mount) takes
// longer.
const killWait = 10 * time.Second

// group is the number of a process group that we have started, which is the process id of its leader. While one of its processes exists,
// no other group gets the number. A group may end between a look and a signal. But the kernel assigns numbers in turn, so the number is
// not used again so soon.
type group int

// stop ends the group. It waits for the group and not only for its leader: a shell dies of a SIGTERM at once, while the helm that it has
// started handles the signal and cleans up for some seconds. There is only one SIGTERM, because helm ignores a second one. The grace period
// is over at once when hurry is closed.
func (g group) stop(grace time.Duration, hurry <-chan struct{}) error {
	if g.gone() {
		return nil
	}
	syscall.Kill(-int(g), syscall.SIGTERM)
	if g.waitGone(grace, hurry) {
		return nil
	}
	syscall.Kill(-int(g), syscall.SIGKILL)
	if g.waitGone(killWait, nil) {
		return nil
	}
	pids, err := g.members()
	return errors.Join(fmt.Errorf("cannot kill process group %d: processes %v are alive %s after SIGKILL", g, pids, killWait), err)
}

// waitGone waits until the group has ended, limit has passed or hurry is closed, and tells whether the group has ended.
func (g group) waitGone(limit time.Duration, hurry <-chan struct{}) bool {
	over := time.After(limit)
	for pause := time.Millisecond; !g.gone(); pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-over:
			return g.gone()
		case <-hurry:
			return g.gone()
		}
	}
	return true
}

// gone tells whether no process of the group is alive.
func (g group) gone() bool {
	if errors.Is(syscall.Kill(-int(g), 0), syscall.ESRCH) {
		return true
	}
	// There is at least one process, but it may be a zombie that nobody waits for.
	pids, err := g.members()
	return err == nil && len(pids) == 0
}

// members returns the ids of the group's living processes.
func (g group) members() ([]int, error) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range processes {
		if of, alive := groupOf(p); alive && of == g {
			pids = append(pids, p.PID)
		}
	}
	return pids, nil
}
