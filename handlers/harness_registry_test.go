package handlers_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// registryHost is the host of the rig's registry, which has the charts of the shelf under any path.
const registryHost = "registry.test"

// registryTransport plays the registry, without a connection; every other host is really asked.
type registryTransport struct {
	rig   *rig
	usual http.RoundTripper
}

func (r *rig) reachRegistry(usual http.RoundTripper) http.RoundTripper {
	return registryTransport{r, usual}
}

func (t registryTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host != registryHost {
		return t.usual.RoundTrip(request)
	}
	answered := make(chan *http.Response, 1)
	go func() {
		recorder := httptest.NewRecorder()
		t.rig.serveRegistry(recorder, request)
		response := recorder.Result()
		response.Request, response.ContentLength = request, int64(recorder.Body.Len())
		answered <- response
	}()
	select {
	case response := <-answered:
		return response, nil
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
}

// serveRegistry answers /v2/PATH/manifests/TAG and /v2/PATH/blobs/DIGEST for a chart, and lists its tags.
func (r *rig) serveRegistry(w http.ResponseWriter, request *http.Request) {
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/v2/"), "/")
	path, kind, reference := strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-2], parts[len(parts)-1]
	switch kind {
	case "tags":
		_, newest := r.charts.get(path, "")
		_ = json.NewEncoder(w).Encode(map[string]any{"name": path, "tags": []string{newest}})
	case "manifests":
		r.servePull(w, request, "oci://"+registryHost+"/"+path+":"+reference, func() {
			content, _ := r.charts.get(path, reference)
			if content == nil {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "config": layer("application/vnd.cncf.helm.config.v1+json", []byte("{}")),
				"layers": []any{layer("application/vnd.cncf.helm.chart.content.v1.tar+gzip", content)}})
		})
	case "blobs":
		if content := r.charts.withDigest(reference); content != nil {
			_, _ = w.Write(content)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

func layer(kind string, content []byte) map[string]any {
	return map[string]any{"mediaType": kind, "digest": fmt.Sprintf("sha256:%x", sha256.Sum256(content)), "size": len(content)}
}

// withDigest is the chart whose archive has that digest.
func (s *shelf) withDigest(digest string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, versions := range s.charts {
		for _, content := range versions {
			if fmt.Sprintf("sha256:%x", sha256.Sum256(content)) == digest {
				return bytes.Clone(content)
			}
		}
	}
	return nil
}

// servePull answers a request for a chart, and notes that it came.
func (r *rig) servePull(w http.ResponseWriter, request *http.Request, address string, usual func()) {
	r.mu.Lock()
	r.pulls = append(r.pulls, address)
	instead := r.pulling
	r.mu.Unlock()
	if instead == nil {
		usual()
		return
	}
	instead(w, request, usual)
}

// whenPulled lets repositories do something else, or something besides what is usual, when a chart is asked for.
func (r *rig) whenPulled(instead func(w http.ResponseWriter, request *http.Request, usual func())) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulling = instead
}

// pulled are the charts that were asked for, by their addresses.
func (r *rig) pulled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.pulls...)
}

func (r *rig) wantPulled(want ...string) {
	r.Helper()
	if got := r.pulled(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.Errorf("pulled was %q, want %q", got, want)
	}
}
