package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/exec"
)

const (
	firstRestart = 100 * time.Millisecond
	lastRestart  = 5 * time.Second
	// settled: a process that has lived so long and then ends is started again at once, without back-off. One that has lived so long and
	// gets no access is stopped and started again, because kubectl reads the kubeconfig only at its start, and the file may have changed.
	settled = time.Minute
)

// proxy keeps a kubectl proxy running. The first request starts it; after its end, the next request starts it again.
type proxy struct {
	env    []string
	dir    string
	socket string // in dir
	log    *slog.Logger

	ctx     context.Context // ends with close
	end     context.CancelFunc
	mu      sync.Mutex
	process *process // nil: none is running or starting
	wait    time.Duration
	waits   *backoff.ExponentialBackOff // of wait
	running sync.WaitGroup              // the goroutines of all processes
}

// process is one kubectl proxy, from its start to its end.
type process struct {
	began time.Time
	stop  context.CancelCauseFunc
	ready chan struct{} // closed when it serves, or has ended without serving
	err   error         // why it did not serve; set before ready is closed
	ended chan struct{}
}

// cannotRunError says that kubectl proxy cannot run and that trying again does not help.
type cannotRunError struct{ cause error }

func (e *cannotRunError) Error() string { return e.cause.Error() }
func (e *cannotRunError) Unwrap() error { return e.cause }

var (
	errClosed  = &cannotRunError{errors.New("cannot ask the API server: the operator ends")}
	errRenewed = errors.New("the kubeconfig may have changed")
)

func newProxy(env []string, dir string, log *slog.Logger) *proxy {
	p := &proxy{
		// The proxy runs for long: memory matters more than speed. Of two variables with the same name the last counts.
		env: append(slices.Clone(env), "GOGC=20"), dir: dir, log: log,
		// With the process id: a one-shot command uses the daemon's directory, and must not replace the daemon's socket.
		socket: fmt.Sprintf("api-%d.sock", os.Getpid()),
		waits:  backoff.NewExponentialBackOff(),
	}
	p.waits.InitialInterval, p.waits.MaxInterval = firstRestart, lastRestart
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// dial connects to kubectl proxy, and waits for its start if necessary.
func (p *proxy) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	for {
		l, err := p.current()
		if err != nil {
			return nil, err
		}
		if err := await(ctx, l.ready); err != nil {
			return nil, err
		}
		if l.err != nil {
			return nil, l.err
		}
		conn, err := p.connect(ctx)
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist) {
			return conn, err
		}
		l.stop(err) // the process is ending, or somebody has removed its socket
		if err := await(ctx, l.ended); err != nil {
			return nil, err
		}
	}
}

func await(ctx context.Context, what <-chan struct{}) error {
	select {
	case <-what:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connect opens the socket through a descriptor of its directory, because the path of a socket must be shorter than 108 bytes.
func (p *proxy) connect(ctx context.Context) (net.Conn, error) {
	dir, err := os.Open(p.dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), p.socket))
}

// current returns the process that runs, or starts one.
func (p *proxy) current() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, errClosed
	}
	if p.process == nil {
		ctx, stop := context.WithCancelCause(p.ctx)
		p.process = &process{began: time.Now(), stop: stop, ready: make(chan struct{}), ended: make(chan struct{})}
		l, wait := p.process, p.wait
		p.running.Go(func() { p.run(ctx, l, wait) })
	}
	return p.process, nil
}

// run waits, starts the process, and returns when it has ended.
func (p *proxy) run(ctx context.Context, l *process, wait time.Duration) {
	defer l.stop(nil)
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	args := []string{"proxy", "--append-server-path", "--unix-socket=" + p.socket}
	p.log.Debug("command", "cmd", exec.Quote(append([]string{"kubectl"}, args...)), "dir", p.dir)
	serves, said := false, ""
	_, err := exec.Run(ctx, exec.Command{
		Path: "kubectl", Args: args, Env: p.env, Dir: p.dir,
		OnLine: func(line exec.Line) {
			switch {
			case line.Stream == "stderr":
				said = strings.TrimPrefix(line.Text, "error: ")
				p.log.Debug("kubectl proxy", "line", line.Text)
			case !serves: // the first line on stdout is "Starting to serve on api.sock"
				serves = true
				close(l.ready)
			}
		},
	})
	p.ended(l)
	if !serves {
		l.err = p.neverServed(err, said)
		close(l.ready)
	} else if p.ctx.Err() == nil {
		p.logEnd(err, said)
	}
	close(l.ended)
}

// ended makes room for the next process, and sets how long that one waits.
func (p *proxy) ended(l *process) {
	_ = os.Remove(filepath.Join(p.dir, p.socket))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process, p.wait = nil, 0
	if time.Since(l.began) >= settled {
		p.waits.Reset()
	} else {
		p.wait = min(p.waits.NextBackOff(), lastRestart)
	}
}

// neverServed returns why a process did not serve. It is a cannotRunError unless the process was killed: then another try may succeed.
func (p *proxy) neverServed(err error, said string) error {
	exit := (*exec.ExitError)(nil)
	switch {
	case p.ctx.Err() != nil:
		return errClosed
	case errors.Is(err, osexec.ErrNotFound):
		return &cannotRunError{fmt.Errorf("%w: install it on PATH", err)}
	case errors.As(err, &exit) && exit.Signal == "" && said != "":
		return &cannotRunError{errors.New("cannot run kubectl proxy: " + said)}
	case errors.As(err, &exit) && exit.Signal == "", errors.As(err, new(*exec.StartError)):
		return &cannotRunError{err}
	case err == nil:
		return errors.New("kubectl proxy has ended by itself")
	}
	return err
}

func (p *proxy) logEnd(err error, said string) {
	if errors.Is(err, errRenewed) {
		p.log.Debug("kubectl proxy is started again", "reason", errRenewed)
		return
	}
	p.log.Warn("kubectl proxy ended: the next request starts it again", "reason", err, "said", said)
}

// renew stops a process that gets no access, unless it is young: so this happens at most once a minute.
func (p *proxy) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.process; l != nil && time.Since(l.began) >= settled {
		l.stop(errRenewed)
	}
}

func (p *proxy) close() {
	p.mu.Lock()
	p.end()
	p.mu.Unlock()
	p.running.Wait()
}
