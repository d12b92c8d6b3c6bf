package kube

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// This binary is also the kubectl of the tests, because the real one cannot be made to die and fail as they need. dev/e2e/proxy_test.go tests the
// real one.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "kubectl" {
		fakeProxy()
	}
	os.Exit(m.Run())
}

// fakeProxy does what kubectl proxy does, for the API server FAKE_API. It notes its process id and environment.
func fakeProxy() {
	note, _ := os.OpenFile("starts", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprintln(note, os.Getpid(), strings.Join(os.Environ(), " "))
	if problem := os.Getenv("FAKE_PROBLEM"); problem != "" {
		fmt.Fprintln(os.Stderr, "error: "+problem)
		os.Exit(1)
	}
	socket := strings.TrimPrefix(os.Args[len(os.Args)-1], "--unix-socket=")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	target, _ := url.Parse(os.Getenv("FAKE_API"))
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	fmt.Println("Starting to serve on", socket)
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // an API server that answers at once: see TestAnAnswerThatComesAtOnceArrivesWhole of kube/guard
		proxy.ServeHTTP(w, r)
	}))
}

// rig is a Client with a simulated API server.
type rig struct {
	*Client
	dir    string
	server *httptest.Server
	log    *record
}

// newRig returns a rig with its own directories, and with this binary as kubectl on the PATH.
func newRig(t *testing.T, api http.HandlerFunc, env ...string) rig {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "kubectl")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	r := rig{server: httptest.NewServer(api), log: &record{}}
	t.Cleanup(r.server.Close)
	// Longer than the path of a socket may be.
	r.dir = filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Client = NewClient(append(env, "FAKE_API="+r.server.URL), r.dir, slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(r.Close)
	return r
}

// starts returns the processes that were started so far.
func (r rig) starts(t *testing.T) (pids []int, environ string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "starts"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		first, rest, _ := strings.Cut(line, " ")
		pid, err := strconv.Atoi(first)
		if err != nil {
			t.Fatal(err)
		}
		pids, environ = append(pids, pid), strings.TrimSpace(rest)
	}
	return pids, environ
}

func answer(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
