package kube

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var ok = answer(http.StatusOK, "text/plain", "ok")

func TestOneProxyServesAllRequestsAndTheFirstStartsIt(t *testing.T) {
	r := newRig(t, ok)
	if pids, _ := r.starts(t); len(pids) != 0 {
		t.Errorf("processes %v run before the first request", pids)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := r.Ready(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	pids, _ := r.starts(t)
	if len(pids) != 1 {
		t.Errorf("processes %v were started for 20 requests", pids)
	}
}

func TestTheProxyHasTheEnvironmentThatWasGivenAndLittleMemory(t *testing.T) {
	r := newRig(t, ok, "KUBECONFIG=/somewhere", "GOGC=400")
	if err := r.Ready(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, environ := r.starts(t); environ != "KUBECONFIG=/somewhere GOGC=20 FAKE_API="+r.server.URL && environ != "KUBECONFIG=/somewhere FAKE_API="+r.server.URL+" GOGC=20" {
		t.Errorf("the environment is %s", environ)
	}
}

func TestAProxyThatWasKilledIsStartedAgain(t *testing.T) {
	r := newRig(t, ok)
	for n := 1; n <= 3; n++ {
		if err := r.Ready(testContext(t)); err != nil {
			t.Fatal(err)
		}
		pids, _ := r.starts(t)
		if len(pids) != n {
			t.Fatalf("processes %v were started after %d kills", pids, n-1)
		}
		kill(t, pids[n-1])
	}
	if err := r.Ready(testContext(t)); err != nil {
		t.Error(err)
	}
	if got := r.log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "killed by SIGKILL") {
		t.Errorf("the log is\n%s", got)
	}
}

// kill returns when the process has ended, because a request while it ends may rightly be ErrUnreachable.
func kill(t *testing.T, pid int) {
	t.Helper()
	err := syscall.Kill(pid, syscall.SIGKILL)
	for err == nil {
		time.Sleep(time.Millisecond)
		err = syscall.Kill(pid, 0)
	}
	if !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func TestAProxyWithoutItsSocketIsReplaced(t *testing.T) {
	r := newRig(t, ok)
	if err := r.Ready(testContext(t)); err != nil {
		t.Fatal(err)
	}
	sockets, _ := filepath.Glob(filepath.Join(r.dir, "*.sock"))
	if len(sockets) != 1 || os.Remove(sockets[0]) != nil {
		t.Fatalf("sockets %q", sockets)
	}
	r.http.CloseIdleConnections()
	if err := r.Ready(testContext(t)); err != nil {
		t.Error(err)
	}
	if pids, _ := r.starts(t); len(pids) != 2 {
		t.Errorf("processes %v were started", pids)
	}
}

func TestCloseEndsTheProxyAndAllRequestsFromThenOn(t *testing.T) {
	arrived := make(chan bool)
	r := newRig(t, func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/readyz" {
			arrived <- true
			<-req.Context().Done()
		}
	})
	if err := r.Ready(testContext(t)); err != nil {
		t.Fatal(err)
	}
	running := make(chan error)
	go func() { running <- r.Do(testContext(t), "GET", "/hangs", nil, nil) }()
	<-arrived
	r.Close()
	r.Close()
	pids, _ := r.starts(t)
	if err := syscall.Kill(pids[0], 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Close: %v", pids[0], err)
	}
	if sockets, _ := filepath.Glob(filepath.Join(r.dir, "*.sock")); len(sockets) != 0 {
		t.Errorf("%q is left", sockets)
	}
	for when, err := range map[string]error{"during": <-running, "after": r.Ready(testContext(t))} {
		if err == nil || errors.Is(err, ErrUnreachable) || err.Error() != "cannot ask the API server: the operator ends" {
			t.Errorf("a request %s Close: %v", when, err)
		}
	}
	if got := r.log.String(); strings.Contains(got, "WARN") {
		t.Errorf("the log is\n%s", got)
	}
}

func TestCloseWithoutARequestStartsNothing(t *testing.T) {
	r := newRig(t, ok)
	r.Close()
	if err := r.Ready(testContext(t)); err == nil {
		t.Error("a request after Close has an answer")
	}
	if pids, _ := r.starts(t); len(pids) != 0 {
		t.Errorf("processes %v were started", pids)
	}
}

func TestAKubectlThatIsMissingIsToldAndWorksOnceItIsThere(t *testing.T) {
	r := newRig(t, ok)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	for range 2 {
		err := r.Ready(testContext(t))
		if err == nil || errors.Is(err, ErrUnreachable) || err.Error() != "cannot run kubectl: no such command in PATH: install it on PATH" {
			t.Errorf("without kubectl: %v", err)
		}
	}
	t.Setenv("PATH", path)
	if err := r.Ready(testContext(t)); err != nil {
		t.Errorf("with kubectl: %v", err)
	}
}

func TestAProxyThatCannotStartSaysWhy(t *testing.T) {
	r := newRig(t, ok, "FAKE_PROBLEM=stat /no/kubeconfig: no such file or directory")
	err := r.Ready(testContext(t))
	if err == nil || errors.Is(err, ErrUnreachable) || err.Error() != "cannot run kubectl proxy: stat /no/kubeconfig: no such file or directory" {
		t.Errorf("got %v", err)
	}
	if !r.LastOutage().IsZero() {
		t.Error("a mistake counts as an outage")
	}
}

func TestAProxyWithoutAccessIsStartedAgainOnceItIsOld(t *testing.T) {
	r := newRig(t, answer(http.StatusUnauthorized, "application/json", `{"kind":"Status","message":"Unauthorized","reason":"Unauthorized","code":401}`))
	for range 3 {
		if err := r.Ready(testContext(t)); !hasCode(err, http.StatusUnauthorized) {
			t.Fatal(err)
		}
	}
	first, err := r.proxy.current()
	if err != nil {
		t.Fatal(err)
	}
	r.proxy.mu.Lock()
	first.began = first.began.Add(-settled)
	r.proxy.mu.Unlock()
	_ = r.Ready(testContext(t))
	<-first.ended
	if err := r.Ready(testContext(t)); !hasCode(err, http.StatusUnauthorized) {
		t.Fatal(err)
	}
	if pids, _ := r.starts(t); len(pids) != 2 {
		t.Errorf("processes %v were started", pids)
	}
	if got := r.log.String(); strings.Contains(got, "WARN") {
		t.Errorf("the log is\n%s", got)
	}
}
