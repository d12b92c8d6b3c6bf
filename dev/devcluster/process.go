package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// starts hands commands to one goroutine that is tied to its OS thread for
// ever: the kernel sends Pdeathsig when the *thread* that started a child ends,
// and Go ends idle threads. Started elsewhere, etcd is killed at random.
var starts = func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
}()

// startTied starts cmd so that it gets signal when devcluster dies.
func startTied(cmd *exec.Cmd, signal syscall.Signal, ownGroup bool) error {
	cmd.SysProcAttr = deathSignal(signal)
	cmd.SysProcAttr.Setpgid = ownGroup
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}

// Restarting is bounded: a component that cannot live must not fill the disk
// with its logs.
const (
	restartDelay = time.Second
	maxRestarts  = 100
)

// component is one process of the control plane. It writes NAME.log and
// NAME.pid in dir. Once the cluster is ready it is started again when it dies;
// while a file NAME.hold exists it stays down (for tests of an outage).
type component struct {
	name string
	dir  string
	path string
	args []string

	stopping chan struct{} // closed by stop
	exited   chan struct{} // closed when the process is gone for good
	died     chan struct{} // closed when the process died before the cluster was ready

	mu      sync.Mutex
	cmd     *exec.Cmd
	restart bool // set when the cluster is ready
}

func (c *component) file(suffix string) string { return filepath.Join(c.dir, c.name+suffix) }

func (c *component) start() error {
	c.stopping, c.exited, c.died = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if err := c.spawn(); err != nil {
		return fmt.Errorf("cannot start %s: %w", c.name, err)
	}
	go c.supervise()
	return nil
}

func (c *component) spawn() error {
	log, err := os.OpenFile(c.file(".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = c.dir
	// Not the user's environment: ETCD_* variables and proxies would change what runs.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "TMPDIR=" + c.dir}
	cmd.Stdout, cmd.Stderr = log, log
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.stopping: // stop came during the restart delay
		return fmt.Errorf("the cluster is stopping")
	default:
	}
	// A group of its own: Ctrl-C in a terminal is for the command, which may
	// still need the cluster to clean up.
	if err := startTied(cmd, syscall.SIGKILL, true); err != nil {
		return err
	}
	c.cmd = cmd
	return os.WriteFile(c.file(".pid"), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600)
}

func (c *component) supervise() {
	defer close(c.exited)
	for n := 1; ; n++ {
		err := c.cmd.Wait()
		c.mu.Lock()
		restart := c.restart
		c.mu.Unlock()
		select {
		case <-c.stopping:
			return
		default:
		}
		if !restart {
			close(c.died)
			return
		}
		progress("%s ended (%v), starting it again", c.name, err)
		if n > maxRestarts || !c.waitForRestart() {
			return
		}
		if err := c.spawn(); err != nil {
			progress("cannot start %s again: %v", c.name, err)
			return
		}
	}
}

// waitForRestart says false when the cluster stops meanwhile.
func (c *component) waitForRestart() bool {
	for wait := restartDelay; ; wait = 100 * time.Millisecond {
		select {
		case <-c.stopping:
			return false
		case <-time.After(wait):
		}
		if _, err := os.Stat(c.file(".hold")); err != nil {
			return true
		}
	}
}

func (c *component) keepAlive() {
	c.mu.Lock()
	c.restart = true
	c.mu.Unlock()
}

// stop sends SIGTERM, and SIGKILL after grace.
func (c *component) stop(grace time.Duration) {
	c.mu.Lock()
	close(c.stopping) // from here on nothing is started again
	process := c.cmd.Process
	c.mu.Unlock()
	_ = process.Signal(syscall.SIGTERM) // one that has exited needs none
	_ = process.Signal(syscall.SIGCONT) // a test may have stopped it with SIGSTOP
	select {
	case <-c.exited:
	case <-time.After(grace):
		_ = process.Kill()
		<-c.exited
	}
}
