package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// chartServer answers for a chart repository and, below /v2/, for a registry.
type chartServer struct {
	files    map[string][]byte // chart repository, by path
	oci      http.Handler
	username string // empty: everybody may read
	password string
	started  time.Time

	mu sync.Mutex
	// requests counts per path: "total" and every status code. An index that
	// was fetched once and then found unchanged is {"total":2,"200":1,"304":1}.
	requests map[string]map[string]int
}

func newChartServer(files map[string][]byte, oci http.Handler, username, password string) *chartServer {
	return &chartServer{files: files, oci: oci, username: username, password: password,
		started: time.Now(), requests: map[string]map[string]int{}}
}

func (s *chartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/requests" { // for tests: neither counted nor guarded
		s.serveRequests(w)
		return
	}
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	s.serve(recorder, r)
	s.count(r.URL.Path, recorder.status)
}

func (s *chartServer) serve(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="devcluster charts"`)
		http.Error(w, "wrong or missing user and password", http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v2/") || r.URL.Path == "/v2" {
		s.oci.ServeHTTP(w, r)
		return
	}
	data, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	// ServeContent compares both with the conditions of the request.
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	http.ServeContent(w, r, r.URL.Path, s.started, bytes.NewReader(data))
}

func (s *chartServer) allowed(r *http.Request) bool {
	if s.username == "" && s.password == "" {
		return true
	}
	username, password, _ := r.BasicAuth()
	return subtle.ConstantTimeCompare([]byte(username+"\x00"+password), []byte(s.username+"\x00"+s.password)) == 1
}

func (s *chartServer) count(path string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests[path] == nil {
		s.requests[path] = map[string]int{}
	}
	s.requests[path]["total"]++
	s.requests[path][strconv.Itoa(status)]++
}

func (s *chartServer) serveRequests(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.requests)
}

// statusRecorder keeps the status code for the count.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
