package handlers_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"octo-operator/hub"
)

// chartServer is a repository of charts with an index, as far as the operator itself asks for it: helm takes the charts from
// the rig's shelf.
type chartServer struct {
	*httptest.Server
	mu      sync.Mutex
	version int // of the index; 0: it has none that could be compared
	index   string
	asked   []string
	sent    int // whole indexes
}

func newChartServer(t *testing.T) *chartServer {
	s := &chartServer{version: 1}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP answers for the index.
func (s *chartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
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

// trusted is the setting that lets the operator trust the server.
func (s *chartServer) trusted() option {
	return with("ROOTCACERTIFICATE", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func (s *chartServer) from(w *hub.WorkloadDeployed) { w.RepositoryURL = s.URL }

func TestAChartIsPulledAgainWhenTheRepositorysIndexHasChanged(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	pulls := func(want int, when string) {
		t.Helper()
		r.deploy("shop", s.from)
		if got := len(r.called("helm pull")); got != want {
			t.Errorf("%s: %d pulls, want %d", when, got, want)
		}
	}
	pulls(1, "the first deploy")
	pulls(1, "the same again")
	r.deploy("bank", s.from)
	pulls(1, "another workload of the same chart")
	s.setVersion(2)
	pulls(2, "the index has changed")
	s.setVersion(0)
	pulls(3, "the index does not say whether it has")
	pulls(4, "nor does it the next time")
	s.Close()
	pulls(5, "the index cannot be asked for")
}

func TestWhoMayReadARepositoryReachesItsIndexAndNoCommandLine(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	var config string
	r.when("helm pull", func(c *call, usual func() int) int {
		config = readFile(c.path(c.flag("repository-config")))
		return usual()
	})
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) {
		w.RepositoryUsername, w.RepositoryPassword = "reader", "planted-password"
	})
	wantText(t, config, "username: reader", "password: planted-password", s.URL)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 || s.asked[0] != "/index.yaml reader:planted-password" {
		t.Errorf("the index was asked for as %q", s.asked)
	}
}

func TestWhoMayReadARegistryIsToldToHelmInAFile(t *testing.T) {
	r := newRig(t)
	var config string
	r.when("helm pull", func(c *call, usual func() int) int {
		config = readFile(c.path(c.flag("registry-config")))
		return usual()
	})
	r.deploy("shop", func(w *hub.WorkloadDeployed) {
		w.RepositoryUsername, w.RepositoryPassword = "reader", "planted-password"
	})
	wantText(t, config, "registry.test", "cmVhZGVyOnBsYW50ZWQtcGFzc3dvcmQ=")
}

func TestARepositoryThatTakesTheRequestAndNeverAnswersIsGivenUpWhenHelmsTimeoutIsOver(t *testing.T) {
	r := newRig(t, with("HELM__TIMEOUT", "1s"), with("SCRIPTDEADLINE", "1s"))
	r.when("helm pull", func(c *call, _ func() int) int {
		<-c.term
		return 1
	})
	r.wantFailure(r.run(deployEvent("shop")), "shop", "the repository "+repository+" does not answer in time: ")
}

// Whoever has a signed address may read.
func TestWhatSignsARepositorysAddressIsInNoLogAndNoStatusAndDoesNotStay(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	r.fails("helm pull", "Error: looks like "+s.URL+"/charts?sig=planted-signature is not a chart repository")
	status := r.wantFailure(r.run(deployEvent("shop", version("7"), func(w *hub.WorkloadDeployed) {
		w.RepositoryURL = s.URL + "/charts?sig=planted-signature"
	})), "shop", s.URL)
	for _, text := range []string{status.StatusMessage, r.log.String(), r.file("output.log"), r.file("event.json"), r.file("result.json")} {
		if text == "" || strings.Contains(text, "planted") {
			t.Errorf("it tells the signature: %q", text)
		}
	}
}
