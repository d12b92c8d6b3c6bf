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
	// A proxy of this age that ends is no sign of one that cannot live: it is started anew at once. One that gets no access is
	// started anew, too: kubectl reads the kubeconfig when it starts, and the file may have changed.
	settled = time.Minute
)

// proxy keeps a kubectl proxy running: the first request starts it, and once it has died, the next one.
type proxy struct {
	env    []string
	dir    string
	socket string // in dir
	log    *slog.Logger

	ctx   context.Context // ends with close
	end   context.CancelFunc
	mu    sync.Mutex
	life  *life // nil: none
	wait  time.Duration
	waits *backoff.ExponentialBackOff // of wait
	lives sync.WaitGroup
}

// life is one process, from its start to its end.
type life struct {
	began time.Time
	stop  context.CancelCauseFunc
	ready chan struct{} // closed when it serves, or never will
	err   error         // why it never did; to be read after ready
	ended chan struct{}
}

// cannotRunError says that there is no proxy, and that waiting does not help.
type cannotRunError struct{ cause error }

func (e *cannotRunError) Error() string { return e.cause.Error() }
func (e *cannotRunError) Unwrap() error { return e.cause }

var (
	errClosed  = &cannotRunError{errors.New("cannot ask the API server: the operator ends")}
	errRenewed = errors.New("the kubeconfig may have changed")
)

func newProxy(env []string, dir string, log *slog.Logger) *proxy {
	p := &proxy{
		// It lives long: little memory counts, not speed (the last of a variable counts).
		env: append(slices.Clone(env), "GOGC=20"), dir: dir, log: log,
		// A one-shot command uses the daemon's directory, and must not take the daemon's socket from it.
		socket: fmt.Sprintf("api-%d.sock", os.Getpid()),
		waits:  backoff.NewExponentialBackOff(),
	}
	p.waits.InitialInterval, p.waits.MaxInterval = firstRestart, lastRestart
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// dial connects to the proxy; whoever is first waits until it has started.
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
		l.stop(err) // it is dying, or somebody has removed its socket
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

// connect goes through a descriptor of the directory: the path of a socket must be shorter than 108 bytes.
func (p *proxy) connect(ctx context.Context) (net.Conn, error) {
	dir, err := os.Open(p.dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), p.socket))
}

// current is the process that runs or is being started.
func (p *proxy) current() (*life, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, errClosed
	}
	if p.life == nil {
		ctx, stop := context.WithCancelCause(p.ctx)
		p.life = &life{began: time.Now(), stop: stop, ready: make(chan struct{}), ended: make(chan struct{})}
		l, wait := p.life, p.wait
		p.lives.Go(func() { p.run(ctx, l, wait) })
	}
	return p.life, nil
}

// run is a process' life, after a wait.
func (p *proxy) run(ctx context.Context, l *life, wait time.Duration) {
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
			case !serves: // "Starting to serve on api.sock": it listens
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
		p.tell(err, said)
	}
	close(l.ended)
}

// ended makes way for the next one.
func (p *proxy) ended(l *life) {
	_ = os.Remove(filepath.Join(p.dir, p.socket))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life, p.wait = nil, 0
	if time.Since(l.began) >= settled {
		p.waits.Reset()
	} else {
		p.wait = min(p.waits.NextBackOff(), lastRestart)
	}
}

// neverServed is why a proxy did not start. Only one that was killed may do better the next time.
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

func (p *proxy) tell(err error, said string) {
	if errors.Is(err, errRenewed) {
		p.log.Debug("kubectl proxy is started again", "reason", errRenewed)
		return
	}
	p.log.Warn("kubectl proxy ended: the next request starts it again", "reason", err, "said", said)
}

// renew stops a proxy that gets no access, unless it is young: so not more often than once a minute.
func (p *proxy) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.life; l != nil && time.Since(l.began) >= settled {
		l.stop(errRenewed)
	}
}

func (p *proxy) close() {
	p.mu.Lock()
	p.end()
	p.mu.Unlock()
	p.lives.Wait()
}
