package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"octo-operator/dev/devcontroller"
)

// shelves is a repository host: each folder has an index of demo-app, and archives.
type shelves struct {
	*httptest.Server
	mu      sync.Mutex
	archive []byte
	index   map[string]string // by folder
	special map[string]http.HandlerFunc
}

func newShelves(w *world, archive []byte) *shelves {
	s := &shelves{archive: archive, index: map[string]string{}, special: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(s)
	w.Cleanup(s.Close)
	return s
}

func (s *shelves) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	index, isIndex := s.index[strings.TrimSuffix(path.Dir(r.URL.Path), "/")]
	special := s.special[r.URL.Path]
	s.mu.Unlock()
	switch {
	case special != nil:
		special(w, r)
	case isIndex && path.Base(r.URL.Path) == "index.yaml":
		_, _ = w.Write([]byte(index))
	case strings.HasSuffix(r.URL.Path, ".tgz"):
		_, _ = w.Write(s.archive)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// offers sets the index of a folder: demo-app in one version.
func (s *shelves) offers(folder, version, address, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("apiVersion: v1\nentries:\n  demo-app:\n  - apiVersion: v2\n    name: demo-app\n    version: %s\n    urls:\n    - %q\n", version, address)
	if digest != "" {
		text += "    digest: " + digest + "\n"
	}
	s.index[folder] = text
}

func (w *world) packaged() []byte {
	w.Helper()
	dir := w.TempDir()
	w.helm("package", "../../testdata/charts/tiny-1.0.0", "--destination", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	w.must(err)
	content, err := os.ReadFile(files[0])
	w.must(err)
	return content
}

// pulledChart carries out a deploy that only pulls, and returns the chart that was pulled.
func (w *world) pulledChart(app devcontroller.Workload) []byte {
	w.Helper()
	if s := w.deploy(app); !s.Success {
		w.Fatalf("%s: %s", app.RepositoryURL, s.StatusMessage)
	}
	runs, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "*"+app.RtID+"*", "chart.tgz"))
	w.must(err)
	if len(runs) != 1 {
		w.Fatalf("%d runs of %s have a chart", len(runs), app.Name)
	}
	content, err := os.ReadFile(runs[0])
	w.must(err)
	return content
}

func TestTheChartThatIsPulledIsTheOneThatHelmPulls(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.swap(map[string]string{"workload-deploy": "exit 0\n"})
	w.start()
	w.deployPool()
	archive := w.packaged()
	s, other := newShelves(w, archive), newShelves(w, archive)
	digest := fmt.Sprintf("%x", sha256.Sum256(archive))
	noCredentials := func(rw http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); ok && !strings.HasPrefix(r.UserAgent(), "Helm/") { // helm sends them with --username
			t.Errorf("credentials came along to %s, from %s", r.URL, r.UserAgent())
		}
		_, _ = rw.Write(archive)
	}
	closed := func(usual http.HandlerFunc) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user+":"+password != chartUser+":"+chartPassword {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			usual(rw, r)
		}
	}
	s.offers("/relative", "1.0.0", "demo-app-1.0.0.tgz", digest)
	s.offers("/absolute", "1.0.0", s.URL+"/files/any-name.tgz?x=y", "sha256:"+digest)
	s.offers("/up/charts", "1.0.0", "../demo-app.tgz", "")
	s.offers("/root", "1.0.0", "/files/demo-app.tgz", "")
	s.offers("/query", "1.0.0", "demo-app.tgz", digest)
	s.special["/query/demo-app.tgz"] = func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "sig=a%2Fb" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = rw.Write(archive)
	}
	s.offers("/plus", "1.0.0+build.7", "demo-app-1.0.0+build.7.tgz", digest)
	s.offers("/space", "1.0.0", "a%20b/demo app.tgz", digest)
	s.index["/flow"] = `{"apiVersion": v1, entries: {demo-app: [{name: demo-app, version: 1.0.0, apiVersion: v2, urls: [demo-app.tgz]}]}}`
	s.offers("/signed", "1.0.0", "demo-app.tgz", digest)
	s.special["/signed/demo-app.tgz.prov"] = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("signature")) }
	s.offers("/redirect", "1.0.0", "moved.tgz", digest)
	s.special["/redirect/moved.tgz"] = func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL+"/files/x.tgz", http.StatusFound)
	}
	s.offers("/encoded", "1.0.0", "demo-app.tgz", digest)
	s.special["/encoded/demo-app.tgz"] = func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write(archive)
	}
	s.offers("/closed", "1.0.0", "demo-app.tgz", digest)
	s.special["/closed/index.yaml"] = closed(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(s.index["/closed"])) })
	s.special["/closed/demo-app.tgz"] = closed(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(archive) })
	s.offers("/elsewhere", "1.0.0", other.URL+"/open.tgz", digest)
	other.special["/open.tgz"] = noCredentials
	s.offers("/away", "1.0.0", "away.tgz", digest)
	s.special["/away/away.tgz"] = func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL+"/gets-none.tgz", http.StatusFound)
	}
	other.special["/gets-none.tgz"] = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(archive) }

	for n, test := range []struct{ url, version, user, password string }{
		{url: s.URL + "/relative"}, {url: s.URL + "/relative/"}, {url: s.URL + "/absolute"}, {url: s.URL + "/up/charts"}, {url: s.URL + "/root"},
		{url: s.URL + "/query?sig=a%2Fb"}, {url: s.URL + "/plus", version: "1.0.0+build.7"}, {url: s.URL + "/plus"}, {url: s.URL + "/space"}, {url: s.URL + "/flow"},
		{url: s.URL + "/signed"}, {url: s.URL + "/redirect"}, {url: s.URL + "/encoded"}, {url: s.URL + "/relative", version: ">=0.9"},
		{url: s.URL + "/closed", user: chartUser, password: chartPassword}, {url: s.URL + "/elsewhere", user: chartUser, password: chartPassword},
		{url: s.URL + "/away", user: chartUser, password: chartPassword},
		{url: openCharts.URL, version: "1.2.0"}, {url: openCharts.URL}, {url: openCharts.OCI, version: "1.2.0"}, {url: openCharts.OCI}, {url: openCharts.OCI, version: "^1"},
		{url: strings.Replace(openCharts.OCI, "oci:", "OCI:", 1), version: "1.2.0"},
	} {
		app := w.workload(fmt.Sprint("pull ", n), fmt.Sprintf("65d5c447b420da3fb123%04d", n))
		app.RepositoryURL, app.ChartVersion, app.RepositoryUsername, app.RepositoryPassword = test.url, test.version, test.user, test.password
		if got, want := w.pulledChart(app), w.helmPulls(app); !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes, and helm has %d", test, len(got), len(want))
		}
	}
}

// helmPulls returns the archive that helm pulls for a workload.
func (w *world) helmPulls(app devcontroller.Workload) []byte {
	w.Helper()
	dir := w.TempDir()
	args := []string{"pull", "--destination", dir}
	if _, registry, ok := strings.Cut(strings.ToLower(app.RepositoryURL), "oci://"); ok {
		args = append(args, "oci://"+registry+"/"+app.ChartName, "--plain-http")
	} else {
		args = append(args, app.ChartName, "--repo", app.RepositoryURL)
	}
	if app.ChartVersion != "" {
		args = append(args, "--version", app.ChartVersion)
	}
	if app.RepositoryUsername != "" {
		args = append(args, "--username", app.RepositoryUsername, "--password", app.RepositoryPassword)
	}
	w.helm(args...)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	w.must(err)
	if len(files) != 1 {
		w.Fatalf("helm has left %q", files)
	}
	content, err := os.ReadFile(files[0])
	w.must(err)
	return content
}

func TestARepositoryIsNoWayIntoTheOperatorsOwnMachine(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = append(w.env, "OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1") // the repository's own address
	w.start()
	w.deployPool()
	inside := false
	victim := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside = true }))
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	w.must(err)
	victim.Listener = listener
	victim.Start()
	t.Cleanup(victim.Close)
	s := newShelves(w, w.packaged())
	to := func(address string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, address, http.StatusFound) }
	}
	at, err := url.Parse(victim.URL)
	w.must(err)
	s.special["/index-redirects/index.yaml"] = to(victim.URL + "/index.yaml?token=planted-in-a-query")
	s.offers("/archive-redirects", "1.2.0", "x.tgz", "")
	s.special["/archive-redirects/x.tgz"] = to(victim.URL + "/x.tgz?token=planted-in-a-query")
	s.offers("/names-it", "1.2.0", victim.URL+"/x.tgz?token=planted-in-a-query", "")
	s.offers("/mapped", "1.2.0", "http://[::ffff:127.0.0.2]:"+at.Port()+"/x.tgz", "")
	s.offers("/metadata", "1.2.0", "http://169.254.169.254/latest/meta-data/x.tgz", "")
	s.offers("/number", "1.2.0", "http://2130706434:"+at.Port()+"/x.tgz", "")
	oci := httptest.NewServer(to(victim.URL))
	t.Cleanup(oci.Close)
	for n, test := range []struct{ url, want string }{
		{victim.URL, "127.0.0.2 is the operator's own machine"},
		{"oci://" + at.Host, "127.0.0.2 is the operator's own machine"},
		{"http://[::1]:" + at.Port(), "::1 is the operator's own machine"},
		{s.URL + "/index-redirects", "127.0.0.2 is the operator's own machine"},
		{s.URL + "/archive-redirects", "127.0.0.2 is the operator's own machine"},
		{s.URL + "/names-it", "127.0.0.2 is the operator's own machine"},
		{s.URL + "/mapped", "is the operator's own machine"},
		{s.URL + "/metadata", "169.254.169.254 is a link-local address"},
		{s.URL + "/number", "a number that is no address"},
		{strings.Replace(oci.URL, "http:", "oci:", 1), "127.0.0.2 is the operator's own machine"},
	} {
		app := w.workload(fmt.Sprint("way in ", n), fmt.Sprintf("65d5c447b420da3fb123%04d", n))
		app.RepositoryURL = test.url
		if got := w.deploy(app); got.Success || !strings.Contains(got.StatusMessage, test.want) || strings.Contains(got.StatusMessage, "planted") {
			t.Errorf("%s: reported %q, want %q", test.url, got.StatusMessage, test.want)
		}
	}
	if inside {
		t.Error("it was asked all the same")
	}
	if strings.Contains(w.operator.text(), "planted-in-a-query") {
		t.Error("an address with a query is in the log")
	}
}

func TestAChartIsWhatItsIndexSays(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	s := newShelves(w, w.packaged())
	digest, other := fmt.Sprintf("%x", sha256.Sum256(s.archive)), fmt.Sprintf("%x", sha256.Sum256([]byte("another")))
	s.offers("/another", "1.2.0", "x.tgz", other)
	s.offers("/malformed", "1.2.0", "x.tgz", digest[:60])
	for n, test := range []struct {
		folder string
		want   []string
	}{{"/another", []string{"the SHA-256 digest " + digest, "its index says " + other}}, {"/malformed", []string{digest[:60], "is no SHA-256"}}} {
		app := w.workload(fmt.Sprint("digest ", n), fmt.Sprintf("65d5c447b420da3fb123%04d", n))
		app.RepositoryURL = s.URL + test.folder
		got := w.deploy(app)
		for _, want := range test.want {
			if got.Success || !strings.Contains(got.StatusMessage, want) {
				t.Errorf("%s: reported %q, want %q", test.folder, got.StatusMessage, want)
			}
		}
	}
	if got := w.helm("list", "--short"); got != "" {
		t.Errorf("deployed was %s", got)
	}
}

func TestOnlyAllowedRepositoriesAreAsked(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	s := newShelves(w, w.packaged())
	w.env = append(w.env, "OPERATOR__ALLOWEDREPOSITORIES__0="+openCharts.URL, "OPERATOR__ALLOWEDREPOSITORIES__1="+s.URL+"/team")
	w.start()
	w.deployPool()
	asked := false
	s.special["/teams/index.yaml"] = func(http.ResponseWriter, *http.Request) { asked = true }
	s.special["/other/index.yaml"] = s.special["/teams/index.yaml"]
	app := w.workload("allowed", appRtID)
	if got := w.deploy(app); !got.Success {
		t.Error(got.StatusMessage)
	}
	for _, address := range []string{s.URL + "/teams", s.URL + "/team/../other", s.URL + "/team/%2e%2e/other", openCharts.OCI, "http://" + strings.TrimPrefix(openCharts.URL, "http://") + ".evil.example"} {
		app.RepositoryURL = address
		if got := w.deploy(app); got.Success || !strings.Contains(got.StatusMessage, "OPERATOR__ALLOWEDREPOSITORIES") && !strings.Contains(got.StatusMessage, "repositoryUrl is not") {
			t.Errorf("%s: %q", address, got.StatusMessage)
		}
	}
	if asked {
		t.Error("it was asked all the same")
	}
}
