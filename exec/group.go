package exec

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// killWait bounds the wait for the end of a group after SIGKILL. Only a
// process that hangs in the kernel (a dead NFS mount) takes longer.
const killWait = 10 * time.Second

// group is the number of a process group that we have started: the process id
// of its leader. As long as one of its processes is there, no other group gets
// the number. It could end between a look and a signal; but the kernel hands
// numbers out in turn, so this one does not come up again so soon.
type group int

// stop ends the group. It looks at the group and not at its leader: a shell
// dies of a SIGTERM at once, while the helm that it started handles it and
// cleans up for some seconds.
// One SIGTERM only: helm swallows a second one. The grace is over at once when
// hurry is closed.
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

// waitGone reports whether the group has ended within limit, or by the time
// that hurry is closed.
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

// gone reports whether no process of the group is alive.
func (g group) gone() bool {
	if errors.Is(syscall.Kill(-int(g), 0), syscall.ESRCH) {
		return true
	}
	// There is somebody, if only a zombie that nobody waits for.
	pids, err := g.members()
	return err == nil && len(pids) == 0
}

// members returns the living processes of the group.
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
