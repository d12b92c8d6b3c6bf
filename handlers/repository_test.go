package handlers_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"octo-operator/hub"
)

// chartServer is a repository of charts with an index. The archives are those of a rig's shelf.
type chartServer struct {
	*httptest.Server
	mu      sync.Mutex
	version int // of the index; 0: it has none that could be compared
	index   string
	asked   []string
	sent    int // whole indexes
	rig     *rig
}

func newChartServer(t *testing.T) *chartServer {
	s := &chartServer{version: 1}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP answers for the index, and for archives, whatever folder they are in.
func (s *chartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if archive, ok := strings.CutSuffix(path.Base(r.URL.Path), ".tgz"); ok {
		s.mu.Unlock()
		name, version, _ := strings.Cut(archive, "-")
		s.rig.servePull(w, r, s.URL+r.URL.Path, func() {
			if content, _ := s.rig.charts.get(name, version); content != nil {
				_, _ = w.Write(content)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		return
	}
	defer s.mu.Unlock()
	user, password, _ := r.BasicAuth()
	s.asked = append(s.asked, fmt.Sprintf("%s %s:%s", r.URL.Path, user, password))
	etag := fmt.Sprintf(`"%d"`, s.version)
	switch {
	case s.version == 0:
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
		return
	default:
		w.Header().Set("ETag", etag)
	}
	s.sent++
	_, _ = w.Write([]byte(s.index))
}

func (s *chartServer) setVersion(version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// trusted are the settings that let the operator trust the server, and ask it although it is on this machine.
func (s *chartServer) trusted() option {
	return func(r *rig) {
		r.settings["ROOTCACERTIFICATE"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
		r.settings["ALLOWEDREPOSITORYADDRESSES"] = "127.0.0.1"
	}
}

func (s *chartServer) from(w *hub.WorkloadDeployed) { w.RepositoryURL = s.URL }

func TestAChartIsPulledAgainWhenTheRepositorysIndexHasChanged(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "digest:", "formerly:", 1)
	s.setVersion(1)
	pulls := func(want int, when string) {
		t.Helper()
		r.deploy("shop", s.from, unpinned)
		if got := len(r.pulled()); got != want {
			t.Errorf("%s: %d pulls, want %d", when, got, want)
		}
	}
	pulls(1, "the first deploy")
	pulls(1, "the same again")
	r.deploy("bank", s.from, unpinned)
	pulls(1, "another workload of the same chart")
	s.setVersion(2)
	pulls(2, "the index has changed")
	s.setVersion(0)
	pulls(3, "the index does not say whether it has")
	pulls(4, "nor does it the next time")
}

func TestWhoMayReadARepositoryReachesItsIndexAndNoCommandLine(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	var sent string
	r.whenPulled(func(_ http.ResponseWriter, request *http.Request, usual func()) {
		user, password, _ := request.BasicAuth()
		sent = user + ":" + password
		usual()
	})
	r.deploy("shop", s.from, reader)
	if sent != "reader:planted-password" {
		t.Errorf("the archive was asked for as %q", sent)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 || s.asked[0] != "/index.yaml reader:planted-password" {
		t.Errorf("the index was asked for as %q", s.asked)
	}
}

func reader(w *hub.WorkloadDeployed) {
	w.RepositoryUsername, w.RepositoryPassword = "reader", "planted-password"
}

func TestWhoMayReadARegistryIsToldToTheRegistry(t *testing.T) {
	r := newRig(t)
	var sent string
	r.whenPulled(func(w http.ResponseWriter, request *http.Request, usual func()) {
		user, password, known := request.BasicAuth()
		if !known {
			w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		sent = user + ":" + password
		usual()
	})
	r.deploy("shop", reader)
	if sent != "reader:planted-password" {
		t.Errorf("sent was %q", sent)
	}
}

func TestARepositoryThatTakesTheRequestAndNeverAnswersIsGivenUpWhenHelmsTimeoutIsOver(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"), with("SCRIPTDEADLINE", "1s"))
	r.whenPulled(func(_ http.ResponseWriter, request *http.Request, _ func()) { <-request.Context().Done() })
	r.wantFailure(r.run(deployEvent("shop")), "shop", "the repository "+repository+" does not answer in time: ")
}

// Whoever has a signed address may read.
func TestWhatSignsARepositorysAddressIsInNoLogAndNoStatusAndDoesNotStay(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.index = "no: " + s.URL + "/charts?sig=planted-signature"
	status := r.wantFailure(r.run(deployEvent("shop", version("7"), func(w *hub.WorkloadDeployed) {
		w.RepositoryURL = s.URL + "/charts?sig=planted-signature"
	})), "shop", s.URL)
	for _, text := range []string{status.StatusMessage, r.log.String(), r.file("output.log"), r.file("event.json"), r.file("result.json"), r.file("env")} {
		if strings.Contains(text, "planted") {
			t.Errorf("it tells the signature: %q", text)
		}
	}
}
