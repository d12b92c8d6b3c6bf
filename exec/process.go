package exec

import (
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	gocmd "github.com/go-cmd/cmd"
)

// process is a started program. go-cmd starts it and waits for its end; output and signals are handled here: see prepare.
type process struct {
	lifecycle *gocmd.Cmd
	exited    <-chan struct{} // closed when the program has ended and its status is known
	cmd       *osexec.Cmd     // ProcessState is to be read only after exited
	group     group
	stdout    *stream
	stderr    *stream
}

// start starts c in a process group of its own. The output waits in the pipes until read is called. The error is a *StartError.
func start(c Command) (*process, error) {
	stopIgnoring()
	path, err := absolute(c.Path)
	if err != nil {
		return nil, explainStart(c, path, err)
	}
	program, args := c.Limits.within(path, c.Args)
	if program != path {
		if err := checkProgram(path); err != nil {
			return nil, explainStart(c, path, err)
		}
	}
	stdout, err := newStream("stdout")
	if err != nil {
		return nil, explainStart(c, path, err)
	}
	stderr, err := newStream("stderr")
	if err != nil {
		stdout.close()
		return nil, explainStart(c, path, err)
	}

	p := &process{stdout: stdout, stderr: stderr}
	started := startSignal{ch: make(chan struct{})}
	p.lifecycle = gocmd.NewCmdOptions(gocmd.Options{
		BeforeExec: []func(*osexec.Cmd){func(cmd *osexec.Cmd) { p.prepare(cmd, c) }},
	}, program, args...)
	p.lifecycle.Env, p.lifecycle.Dir = c.Env, c.Dir
	p.lifecycle.StartWithStdin(&started)
	p.exited = p.lifecycle.Done()

	select {
	case <-started.ch:
	case <-p.exited: // it could not be started, or has ended already
	}
	stdout.closeOurWriteEnd()
	stderr.closeOurWriteEnd()
	if p.cmd.Process == nil {
		stdout.close()
		stderr.close()
		return nil, explainStart(c, path, p.lifecycle.Status().Error)
	}
	p.group = group(p.cmd.Process.Pid)
	return p, nil
}

// prepare sets attributes and pipes before the program is started.
//
// go-cmd's own streaming has faults with long lines and with progress displays that use \r (go-cmd/cmd#30, #67, #104). The pipes are
// files and not writers. With writers, Wait would go on until the last grandchild closes the pipe (golang/go#23019), and a WaitDelay that
// ends this would also discard output that a slow reader has not read yet. With files, Wait is only about the program, and stream.finish
// ends the reading without a loss.
func (p *process) prepare(cmd *osexec.Cmd, c Command) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = p.stdout.theirs, p.stderr.theirs
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would mean the operator's own environment
	}
	// Bounds how long Wait waits for os/exec's goroutine for stdin, the only goroutine left. It is longer than the grace period, so that
	// it never interferes with a stop.
	cmd.WaitDelay = c.Grace + 5*time.Second
	p.cmd = cmd
}

func (p *process) read(c Command) {
	emit := oneAtATime(c.OnLine)
	p.stdout.read(c.Redact, emit)
	p.stderr.read(c.Redact, emit)
}

// finishReading returns when all output of the group has been passed to OnLine.
func (p *process) finishReading() {
	p.stdout.finish()
	p.stderr.finish()
	<-p.stdout.done
	<-p.stderr.done
}

func (p *process) waitErr() error { return p.lifecycle.Status().Error }

// startSignal is an empty standard input that reports the first read. os/exec reads standard input in a goroutine that it starts once the
// program runs. go-cmd has no other way to tell that there is a process, except for polling its Status.
type startSignal struct {
	ch   chan struct{}
	once sync.Once
}

func (s *startSignal) Read([]byte) (int, error) {
	s.once.Do(func() { close(s.ch) })
	return 0, io.EOF
}

// absolute returns the path of a program. os/exec would look up a relative path under Command.Dir, where the operator's scripts never
// are.
func absolute(path string) (string, error) {
	if !strings.Contains(path, string(os.PathSeparator)) {
		found, err := osexec.LookPath(path)
		if err != nil {
			return path, err
		}
		path = found
	}
	return filepath.Abs(path)
}
