// Package exec runs one script or command to its end: the whole process tree, with its output line by line as it comes, known secrets
// removed from the output, and a stop that leaves no process behind. It knows nothing of helm or of the operator. Linux only (it reads
// /proc).
//
//	_, err := exec.Run(ctx, exec.Command{Path: "/bin/sh", Args: []string{"script"}, Dir: dir, Env: env, OnLine: log})
//	stdout, err := exec.Capture(ctx, exec.Command{Path: "kubectl", Args: []string{"version"}, Env: env})
package exec

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// defaultGrace is the time between SIGTERM and SIGKILL. A helm that gets a SIGTERM marks its release as failed. A helm that is killed
// before it has done so leaves the release in a pending state, which blocks every later deploy.
const defaultGrace = 10 * time.Second

// Command is one program to run. It gets an empty standard input. It ignores no signal that ends a program, even if the operator itself
// was started with ignored signals (nohup).
type Command struct {
	// Path of the program. Without a slash it is looked up in the operator's PATH. A relative path is relative to the operator's working
	// directory, not to Dir.
	Path string
	Args []string // without the program's own name
	// Name is what errors call the program once it has started, such as the script that a shell runs. "" means Path.
	Name string
	Dir  string // working directory; "" means the operator's
	// Env is the whole environment as KEY=value. Nil means an EMPTY one, never the operator's own, which holds secrets. See AllowEnv.
	Env    []string
	Limits Limits
	// Grace is the time between SIGTERM and SIGKILL; 0 means defaultGrace.
	Grace time.Duration
	// Hurry, when it is closed, ends the grace period at once, before the stop or during it. It does not itself stop the program. Nil
	// means never.
	Hurry <-chan struct{}
	// Redact removes secrets from the output before it is split into lines. Nil removes nothing.
	Redact *Redactor
	// OnLine gets every line of output: those of one stream in order, one call at a time, and all before Run returns. A slow OnLine slows
	// the program down, because its pipe fills up. If OnLine never returns, Run does not return. May be nil.
	OnLine func(Line)
}

func (c Command) name() string { return cmp.Or(c.Name, c.Path) }

// Result is what is known of a program that has ended, besides the error.
type Result struct {
	ExitCode int // -1: it was killed by a signal, or never started
	// CPU is the processor time of the program and its descendants, as far as their parents have waited for them; 0: it never started.
	CPU time.Duration
	// Memory is the peak resident memory in bytes of the largest of these processes; 0: it never started. The kernel begins to count at the
	// operator's own resident memory, so a program that needs less shows the operator's value.
	Memory int64
}

// Run runs c and returns when no process of its process group is alive.
//
// When ctx ends, the process group gets a SIGTERM, and a SIGKILL after c.Grace or as soon as c.Hurry is closed. When the program ends by
// itself, the processes that it leaves running in its group are stopped in the same way: a background process of a script does not
// outlive the script. A process that has left the group (setsid) is neither stopped nor waited for, and its output is no longer read.
//
// The error is nil if the program has ended by itself with exit code 0. Otherwise it is a *StartError (it never ran), an *ExitError (it
// ended by itself, with another exit code or by a signal), a *StoppedError (ctx ended; wraps ctx.Err() and context.Cause), or says that a
// process could not be killed.
func Run(ctx context.Context, c Command) (Result, error) {
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	none, began := Result{ExitCode: -1}, time.Now()
	if ctx.Err() != nil {
		return none, stopped(ctx, c, began)
	}
	p, err := start(c)
	if err != nil {
		return none, err
	}
	p.read(c)

	byContext := waitForExitOrContext(ctx, p)
	stopErr := p.group.stop(c.Grace, c.Hurry)
	if stopErr == nil {
		<-p.exited // the group is dead, so this is only the go-cmd goroutine catching up
	}
	p.finishReading()

	if stopErr != nil {
		// Not a StoppedError, whatever ctx says: that would claim that the program has ended.
		return none, cannotComplete(c.name(), stopErr)
	}
	if p.cmd.ProcessState == nil {
		// Something else in this process has waited for the child (a reaper of all children).
		return none, cannotComplete(c.name(), errors.Join(errors.New("its exit status is lost"), p.waitErr()))
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if byContext {
		err = stopped(ctx, c, began)
	} else if code != 0 {
		err = &ExitError{Path: c.name(), Code: code, Signal: signalOf(status)}
	}
	result := Result{ExitCode: code, CPU: p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()}
	if usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		result.Memory = usage.Maxrss << 10
	}
	return result, err
}

func signalOf(status syscall.WaitStatus) string {
	if !status.Signaled() {
		return ""
	}
	return unix.SignalName(status.Signal())
}

// waitForExitOrContext reports whether ctx ended while the program was running.
func waitForExitOrContext(ctx context.Context, p *process) bool {
	select {
	case <-p.exited:
		return false
	case <-ctx.Done():
	}
	select {
	case <-p.exited: // it ended by itself at the same time
		return false
	default:
		return true
	}
}

func stopped(ctx context.Context, c Command, began time.Time) *StoppedError {
	return &StoppedError{
		Path: c.name(), After: time.Since(began), TimedOut: errors.Is(ctx.Err(), context.DeadlineExceeded),
		Cause: context.Cause(ctx), ctxErr: ctx.Err(),
	}
}

// oneAtATime returns f for two streams, which must not call it at the same time.
func oneAtATime(f func(Line)) func(Line) {
	if f == nil {
		return func(Line) {}
	}
	var mu sync.Mutex
	return func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		f(l)
	}
}
