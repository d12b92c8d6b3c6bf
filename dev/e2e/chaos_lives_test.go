package e2e

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// life is one process of the operator, and its log.
type life struct {
	number  int
	state   string // its state directory
	log     string // a file
	api     *wire  // its connection to the API server
	cmd     *osexec.Cmd
	pid     int
	done    chan struct{}
	started time.Time
	killed  time.Time // time of the SIGKILL; zero: it was not killed
	cut     time.Time // end of the last time that it was cut off from the API server; zero: never
}

// newState makes a new empty disk.
func (c *chaos) newState() string {
	dir := filepath.Join(c.dir, fmt.Sprintf("state-%02d", len(c.states)+1))
	c.must(os.Mkdir(dir, 0o700))
	c.states = append(c.states, dir)
	return dir
}

// startLife starts an operator and does not wait for it.
func (c *chaos) startLife(state string) *life {
	c.Helper()
	l := &life{number: len(c.lives) + 1, state: state, done: make(chan struct{})}
	l.log = filepath.Join(c.dir, fmt.Sprintf("operator-%03d.log", l.number))
	file, err := os.Create(l.log)
	c.must(err)
	defer file.Close()
	c.stateDir = state // of environment
	l.api = c.newWire(l.number)
	l.cmd = osexec.Command(operatorBinary)
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = append(c.environment(), "KUBECONFIG="+l.api.kubeconfig), file, file
	l.started = time.Now()
	c.must(l.cmd.Start())
	l.pid = l.cmd.Process.Pid
	go func() { _ = l.cmd.Wait(); close(l.done); l.api.close() }()
	c.lives = append(c.lives, l)
	return l
}

// keepUp restarts an operator that has ended by itself, as a kubelet would. Each such end is a failure, unless another operator has
// become the leader.
func (c *chaos) keepUp() {
	c.current = c.keepRunning(c.current)
	c.standby = c.keepRunning(c.standby)
}

func (c *chaos) keepRunning(l *life) *life {
	if l == nil {
		return nil // killed, and not replaced yet
	}
	select {
	case <-l.done:
	default:
		return l
	}
	if log, err := os.ReadFile(l.log); err == nil && c.plan.Standby && bytes.Contains(log, []byte("this operator does not lead any more: ")) {
		c.deposed++
	} else {
		c.badEnds = append(c.badEnds, fmt.Sprintf("operator %d ended by itself: %v: %s", l.number, l.cmd.ProcessState, l.log))
	}
	time.Sleep(time.Second)
	return c.startLife(l.state)
}

// living are the operators that run, or are about to run.
func (c *chaos) living() (all []*life) {
	for _, l := range []*life{c.current, c.standby} {
		if l != nil {
			all = append(all, l)
		}
	}
	return all
}

// isLiving tells whether an operator uses a disk.
func (c *chaos) isLiving(state string) bool {
	return slices.ContainsFunc(c.living(), func(l *life) bool { return l.state == state })
}

// findLeader makes the leader the current operator, if one of the two leads.
func (c *chaos) findLeader() {
	if c.standby == nil {
		return
	}
	holder, err := osexec.Command("kubectl", "get", "leases", "--namespace", c.namespace, "--output", "jsonpath={.items[*].spec.holderIdentity}").Output()
	identity, _ := os.ReadFile(filepath.Join(c.standby.state, "identity"))
	if err == nil && len(identity) > 0 && bytes.HasSuffix(holder, identity) {
		c.current, c.standby = c.standby, c.current
	}
}

// endLife ends an operator by a signal. It waits for the first log record, before which the operator does not listen for signals.
func (c *chaos) endLife(l *life) {
	c.waitUntil("the operator starts", patience, func() bool {
		info, err := os.Stat(l.log)
		return err == nil && info.Size() > 0
	})
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.done:
	case <-time.After(patience):
		_ = l.cmd.Process.Kill()
		<-l.done
	}
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		c.badEnds = append(c.badEnds, fmt.Sprintf("operator %d did not end well on SIGTERM: %v: %s", l.number, l.cmd.ProcessState, l.log))
	}
}

// killLife ends an operator like a crash. Its scripts go on: its next life must stop them.
func (c *chaos) killLife(l *life) {
	_ = l.cmd.Process.Kill()
	<-l.done
	c.kills, l.killed = c.kills+1, time.Now()
}

// killNode ends an operator and all its processes at once, as when its node dies.
func (c *chaos) killNode(l *life) {
	_ = l.cmd.Process.Kill()
	c.kills, l.killed = c.kills+1, time.Now()
	killAllBelow(c.T, l.state)
	<-l.done
}

// killAllBelow kills every process that works with a directory, until none is left, because they may be starting others.
func killAllBelow(t *testing.T, dir string) {
	t.Helper()
	for {
		found := processesBelow(t, dir)
		if len(found) == 0 {
			return
		}
		for _, p := range found {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

type proc struct {
	pid              int
	cmdline, environ []byte
}

func (p proc) String() string {
	return fmt.Sprintf("%d %s", p.pid, bytes.ReplaceAll(p.cmdline, []byte{0}, []byte{' '}))
}

// processesBelow are the living processes whose environment names the directory: for the operator in the setting of its state directory,
// for its scripts in that of helm's home.
func processesBelow(t *testing.T, dir string) (found []proc) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot read /proc: %v", err)
	}
	for _, file := range files {
		environ, err := os.ReadFile(file) // empty if the process has ended
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && pid != os.Getpid() && (bytes.Contains(environ, []byte(dir+"/")) || bytes.Contains(environ, []byte(dir+"\x00"))) {
			cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, proc{pid, cmdline, environ})
		}
	}
	return found
}
