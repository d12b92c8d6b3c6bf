package handlers_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"octo-operator/config"
	"octo-operator/handlers"
	"octo-operator/hub"
)

// life is an operator from its start to its end.
type life struct {
	*handlers.Handlers
	rig        *rig
	kubeconfig string
	session    *session
	api        *tunnels
	server     *http.Server
	cut        atomic.Bool // nothing that it does reaches the cluster

	led               chan struct{} // closed when it leads, or ends
	resumed, lost     error         // of Resume and KeepLeading
	stop, stopKeeping context.CancelFunc
	background, last  sync.WaitGroup
}

// config are the rig's settings.
func (r *rig) config() config.Config {
	r.Helper()
	environ := []string{"OPERATOR__STATEDIR=" + r.disk, "OPERATOR__CONCURRENCY=4"} // not what this machine bears
	for name, value := range r.settings {
		environ = append(environ, "OPERATOR__"+name+"="+value)
	}
	settings, err := config.Load(environ)
	r.must(err)
	return settings
}

// newLife makes the surroundings of an operator that has not started.
func (r *rig) newLife() *life {
	r.Helper()
	dir := tempDir(r.T)
	l := &life{rig: r, kubeconfig: filepath.Join(dir, "kubeconfig"), session: r.controller.connect(), api: newTunnels(), led: make(chan struct{})}
	r.must(os.WriteFile(l.kubeconfig, []byte("apiVersion: v1\nkind: Config\n"), 0o600))
	l.session.status = func(p hub.Pool, status string) { l.PoolStatus(p, status) }
	l.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if l.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.RequestURI())
		if as := req.Header.Get("Impersonate-User"); as != "" {
			r.asOthers = append(r.asOthers, req.Method+" "+req.URL.RequestURI()+" as "+as)
		}
		r.mu.Unlock()
		r.cluster.ServeHTTP(w, req)
	})}
	go func() { _ = l.server.Serve(l.api) }()
	tools.add(l)
	return l
}

// environ is the operator's environment.
func (l *life) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(l.kubeconfig), "KUBECONFIG=" + l.kubeconfig}
}

// start starts an operator, as daemon.go does, and waits until it leads.
func (r *rig) start() {
	r.Helper()
	r.standBy()
	r.leads()
}

// leads waits until the operator leads, and has taken up what there was to do.
func (r *rig) leads() {
	r.Helper()
	select {
	case <-r.life.led:
	case <-time.After(patience):
		r.Fatal("the operator does not lead")
	}
	r.must(r.life.resumed)
}

// standBy starts an operator which works as soon as it leads.
func (r *rig) standBy() {
	r.Helper()
	l := r.newLife()
	h, err := handlers.Open(r.config(), l.environ(), l.session, slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r.must(err)
	waitForForks()
	h.Ended = r.countEnd
	if r.inspects > 0 {
		h.InspectEvery(r.inspects)
	}
	h.Reach(r.reachRegistry)
	l.Handlers, r.life = h, l
	ctx, stop := context.WithCancel(context.Background())
	keeping, stopKeeping := context.WithCancel(context.Background())
	l.stop, l.stopKeeping = stop, stopKeeping
	l.last.Go(func() { h.Prune(keeping) })
	l.background.Go(func() { h.WatchCluster(ctx) })
	l.background.Go(func() {
		defer close(l.led)
		if h.Lead(ctx) != nil {
			return
		}
		l.background.Go(func() {
			if l.lost = h.KeepLeading(keeping); l.lost != nil {
				r.log.Write([]byte(`{"msg":"it does not lead any more"}` + "\n"))
				stop()
				l.Yield()
			}
		})
		if l.resumed = h.Resume(ctx); l.resumed != nil {
			return
		}
		l.last.Go(func() { h.RunJournal(keeping) })
		l.background.Go(func() { h.WatchPools(ctx) })
	})
}

func (r *rig) countEnd(callback, outcome string, _ float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, callback+" "+outcome)
}

// ended are the events that have ended: callback and outcome.
func (r *rig) ended() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// waitForForks returns when hardly a child of this process is between its fork and its exec that has been there before: such a one
// holds all the files that were open then, and a script that is open for writing cannot be run.
func waitForForks() {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
}

// once is an operator for one event or command, without a daemon.
func (r *rig) once() *life {
	r.Helper()
	l := r.newLife()
	h, err := handlers.New(r.Context(), r.config(), l.environ(), l.session, slog.New(slog.NewJSONHandler(r.log, nil)))
	r.must(err)
	waitForForks()
	h.Reach(r.reachRegistry)
	l.Handlers = h
	r.Cleanup(func() {
		h.Wait()
		l.endSurroundings()
	})
	return l
}

// shutdown ends the operator as SIGTERM does, with that much time.
func (r *rig) shutdown(grace time.Duration) {
	r.Helper()
	l := r.life
	r.life = nil
	r.must(l.shutdown(grace))
}

func (l *life) shutdown(grace time.Duration) error {
	l.stop()
	<-l.led
	l.Shutdown(grace)
	l.stopKeeping()
	l.background.Wait()
	l.last.Wait()
	l.GiveUpLease()
	err := l.Close()
	l.endSurroundings()
	return err
}

func (l *life) endSurroundings() {
	l.session.end()
	l.session.calls.Wait()
	_ = l.server.Close()
}

// kill ends the operator as SIGKILL does: its disk is as it was at that moment, and nothing reaches the cluster or the
// controller any more. Its helm and kubectl die with it.
func (r *rig) kill() {
	r.Helper()
	l := r.life
	l.cut.Store(true)
	l.session.end()
	moment := r.disk + ".moment"
	r.must(copyFiles(r.disk, moment))
	r.quit()
	r.must(os.RemoveAll(r.disk))
	r.must(os.Rename(moment, r.disk))
}

// copyFiles copies a directory while somebody works in it: what goes meanwhile is left out, and so are sockets.
func copyFiles(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		var content []byte
		info := fs.FileInfo(nil)
		if err == nil {
			info, err = entry.Info()
		}
		switch {
		case err != nil:
		case entry.IsDir():
			err = os.MkdirAll(to+path[len(from):], 0o700)
		case entry.Type().IsRegular():
			if content, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(to+path[len(from):], content, info.Mode())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// end ends the operator, if there is one, with the test.
func (r *rig) end() {
	if r.life == nil {
		return
	}
	r.mu.Lock()
	for _, h := range r.holders {
		h.release()
	}
	r.mu.Unlock()
	r.quit()
}

// quit ends the operator at once.
func (r *rig) quit() {
	r.life.stop()
	<-r.life.led
	r.life.Abort()
	r.life.stopKeeping()
	r.life.last.Wait() // before the lanes: what the journal finds would begin one again
	r.shutdown(time.Nanosecond)
}

// restart kills the operator and starts it again on the same disk.
func (r *rig) restart() {
	r.Helper()
	r.kill()
	r.start()
}

// freshDisk kills the operator and starts another one in its place, as when a pod is replaced. Its Lease has run out.
func (r *rig) freshDisk() {
	r.Helper()
	r.kill()
	for _, path := range r.cluster.paths("/apis/coordination.k8s.io/v1/") {
		r.cluster.remove(path)
	}
	r.disk += "-2"
	r.start()
}
