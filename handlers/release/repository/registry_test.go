package repository

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image is what a registry has under a tag.
type image struct {
	config, layer string // their kinds
	sent          string // instead of the content
}

// ociServer is a registry with charts/app: under each tag an archive whose content is the tag.
type ociServer struct {
	*httptest.Server
	images map[string]image
	token  string // of its token service, which wants reader:word; "": no token is needed
	realm  string // "": its own
	seen   []string
}

func newRegistry(t *testing.T, tags ...string) *ociServer {
	t.Helper()
	s := &ociServer{images: map[string]image{}}
	for _, tag := range tags {
		s.images[tag] = image{config: chartConfig, layer: chartLayer}
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *ociServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	s.seen = append(s.seen, r.URL.Path+" "+user+":"+password)
	if r.URL.Path == "/token" {
		if user+":"+password != "reader:word" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"token":%q}`, s.token)
		return
	}
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		realm := s.realm
		if realm == "" {
			realm = s.URL + "/token"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="charts"`, realm))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	reference := filepath.Base(r.URL.Path)
	switch {
	case r.URL.Path == "/v2/charts/app/tags/list":
		tags := []string{}
		for tag := range s.images {
			tags = append(tags, tag)
		}
		slices.Sort(tags)
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "charts/app", "tags": tags})
	case strings.HasPrefix(r.URL.Path, "/v2/charts/app/manifests/") && s.images[reference].config != "":
		i := s.images[reference]
		describe := func(kind, content string) map[string]any {
			return map[string]any{"mediaType": kind, "digest": fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), "size": len(content)}
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "config": describe(i.config, "{}"), "layers": []any{
			describe("application/vnd.cncf.helm.chart.provenance.v1.prov", "signature"), describe(i.layer, reference)}})
	case strings.HasPrefix(r.URL.Path, "/v2/charts/app/blobs/"):
		for tag, i := range s.images {
			if fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(tag))) == reference {
				if i.sent != "" {
					tag = i.sent
				}
				_, _ = w.Write([]byte(tag))
				return
			}
		}
		fallthrough
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *ociServer) url() string { return strings.Replace(s.URL, "http://", "oci://", 1) }

// pull pulls app and returns the archive's content.
func (s *ociServer) pull(t *testing.T, from Source, version string) (string, error) {
	t.Helper()
	rules := Rules{Addresses: loopback, PlainHTTP: true}
	file := filepath.Join(t.TempDir(), "chart.tgz")
	_, err := NewArchives(guardedClient(rules, s.Server), rules).Pull(t.Context(), from, Reference(s.url()+"/charts?x=y", "app"), version, file)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(file)
	return string(content), err
}

func TestARegistrysChartIsChosenAsHelmDoes(t *testing.T) {
	s := newRegistry(t, "1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "1.5.0_build.7", "v3.0.0", "latest", "1.7")
	for version, want := range map[string]string{
		"1.2.0": "1.2.0", "": "1.10.0", "1.x": "1.10.0", "~1.2": "1.2.0", ">1.9": "1.10.0", "1.5.0+build.7": "1.5.0_build.7", "2.0.0-rc.1": "2.0.0-rc.1",
		">=2.0.0-0": "2.0.0-rc.1", "v3.0.0": "v3.0.0", "1.7": "1.7",
	} {
		if got, err := s.pull(t, Source{}, version); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", version, got, err, want)
		}
	}
	for version, want := range map[string]string{
		"9.9.9": `failed to perform "FetchReference" on source: `, ">5": "could not locate a version matching provided version string >5", "newest": "could not locate",
	} {
		if _, err := s.pull(t, Source{}, version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", version, err)
		}
	}
}

func TestWhatIsNoChartInARegistryIsSaidAsHelmDoes(t *testing.T) {
	s := newRegistry(t, "1.0.0")
	s.images["2.0.0"] = image{config: "application/vnd.oci.image.config.v1+json", layer: chartLayer}
	s.images["3.0.0"] = image{config: chartConfig, layer: "application/vnd.oci.image.layer.v1.tar+gzip"}
	s.images["4.0.0"] = image{config: chartConfig, layer: legacyChartLayer}
	for version, want := range map[string]string{"2.0.0": "could not load config with mediatype", "3.0.0": "does not contain a layer with mediatype", "4.0.0": ""} {
		_, err := s.pull(t, Source{}, version)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestAnArchiveOfARegistryHasTheDigestOfItsManifest(t *testing.T) {
	s := newRegistry(t, "1.0.0")
	s.images["1.0.0"] = image{config: chartConfig, layer: chartLayer, sent: "evil!"} // of the same length
	_, err := s.pull(t, Source{}, "1.0.0")
	for _, content := range []string{"evil!", "1.0.0"} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%x", sha256.Sum256([]byte(content)))) {
			t.Errorf("got %v", err)
		}
	}
}

func TestARegistrysTokenServiceGetsTheCredentials(t *testing.T) {
	s := newRegistry(t, "1.0.0")
	s.token = "planted-token"
	if got, err := s.pull(t, Source{Username: "reader", Password: "word"}, "1.0.0"); err != nil || got != "1.0.0" {
		t.Errorf("got %q, %v, after %q", got, err, s.seen)
	}
	for _, request := range s.seen {
		if strings.Contains(request, "word") && !strings.HasPrefix(request, "/token ") {
			t.Errorf("%s got them too", request)
		}
	}
	if _, err := s.pull(t, Source{}, "1.0.0"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestATokenServiceIsNoWayIntoThisMachine(t *testing.T) {
	s := newRegistry(t, "1.0.0")
	s.token = "planted-token"
	for _, realm := range []string{"http://169.254.169.254/token", "http://[fe80::1]/token", "http://[64:ff9b::a9fe:a9fe]/token"} {
		s.realm = realm
		_, err := s.pull(t, Source{}, "1.0.0")
		wantRefused(t, err, "link-local")
	}
	s.realm = "http://tokens.example/token"
	_, err := s.pull(t, Source{Username: "reader", Password: "word"}, "1.0.0")
	wantRefused(t, err, "credentials for tokens.example")
}
