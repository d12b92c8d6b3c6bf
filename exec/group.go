package exec

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killWait bounds the wait for the end of a group after SIGKILL. Only a
// process that hangs in the kernel (a dead NFS mount) takes longer.
const killWait = 10 * time.Second

// group is a process group, told apart from a later one of the same number:
// process ids are reused, start times are not.
type group struct {
	id    int    // its number, which is the process id of its leader
	start uint64 // start time of its leader, in clock ticks since boot
}

// newGroup describes the group of a leader that we have just started. The
// leader may be over already; no member is older than notBefore then.
func newGroup(leader int, notBefore uint64) group {
	st, err := readStat(leader)
	if err != nil {
		return group{id: leader, start: notBefore}
	}
	return group{id: leader, start: st.start}
}

// KillGroup stops what is left of a process group of an earlier life of the
// operator (pid and startTime as given to Command.OnStart): SIGTERM, SIGKILL
// after DefaultGrace. It returns nil when nothing of it is left.
//
// A group is left alone unless its leader has exactly this start time or, when
// its leader is gone, all its members are at least as young. Call it before
// the first Run of a new life: in a new container the numbers begin anew.
func KillGroup(pid int, startTime uint64) error {
	if pid <= 1 || pid == syscall.Getpgrp() {
		return fmt.Errorf("cannot kill process group %d: it is not one that Run has started", pid)
	}
	_, err := group{id: pid, start: startTime}.stop(DefaultGrace)
	return err
}

// stop ends the group and reports whether it took a SIGKILL. It looks at the
// group and not at its leader: a shell dies of a SIGTERM at once, while the
// helm that it started handles it and cleans up for some seconds.
// One SIGTERM only: helm swallows a second one.
func (g group) stop(grace time.Duration) (killed bool, err error) {
	if g.gone() {
		return false, nil
	}
	g.signal(syscall.SIGTERM)
	if g.waitGone(grace) {
		return false, nil
	}
	g.signal(syscall.SIGKILL)
	if !g.waitGone(killWait) {
		pids, err := g.members()
		return true, errors.Join(fmt.Errorf("cannot kill process group %d: processes %v are alive %s after SIGKILL", g.id, pids, killWait), err)
	}
	return true, nil
}

// signal ignores errors: whether it worked is seen by who is left.
//
// Between the look at the members and the kill, the group could end and its
// number go to another one. The kernel hands numbers out in turn, so that
// takes a full round of process ids within microseconds.
func (g group) signal(sig syscall.Signal) {
	if pids, err := g.members(); err == nil && len(pids) == 0 {
		return
	}
	syscall.Kill(-g.id, sig)
}

// waitGone reports whether the group has ended within limit.
func (g group) waitGone(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if g.gone() {
			return true
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		time.Sleep(min(pause, left))
	}
}

// gone reports whether no process of the group is alive.
func (g group) gone() bool {
	if errors.Is(syscall.Kill(-g.id, 0), syscall.ESRCH) {
		return true
	}
	// There is somebody: a zombie that nobody waits for, or a stranger?
	pids, err := g.members()
	return err == nil && len(pids) == 0
}

// members returns the living processes of the group; none when the group of
// this number is another one.
func (g group) members() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		st, err := readStat(pid)
		if err != nil || st.group != g.id {
			continue // it ended meanwhile, or is none of ours
		}
		if st.start < g.start || pid == g.id && st.start != g.start {
			return nil, nil
		}
		if st.state != 'Z' && st.state != 'X' {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// stat is what we need of /proc/PID/stat, see proc_pid_stat(5).
type stat struct {
	state byte   // field 3
	group int    // field 5
	start uint64 // field 22, in clock ticks since boot
}

func readStat(pid int) (stat, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := os.ReadFile(name)
	if err != nil {
		return stat{}, err
	}
	// Field 2 is the program's name, which may hold blanks and parentheses.
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("cannot parse %s: %d fields", name, len(fields)+2)
	}
	pgrp, err1 := strconv.Atoi(fields[2])
	start, err2 := strconv.ParseUint(fields[19], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return stat{}, fmt.Errorf("cannot parse %s: %w", name, err)
	}
	return stat{state: fields[0][0], group: pgrp, start: start}, nil
}

// bootTicks is the present in the unit of stat.start. Linux shows these
// ticks to programs as hundredths of a second on every machine we build for.
func bootTicks() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // older than everything: still right, only less strict
	}
	return uint64(now.Nano() / int64(10*time.Millisecond))
}
