package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

func TestChartServerGuardsBothKindsOfRepository(t *testing.T) {
	server := testChartServer(t, "u", "p")
	for _, path := range []string{"/index.yaml", "/v2/", "/v2/charts/web/tags/list"} {
		if got := status(t, server.URL+path, nil); got != http.StatusUnauthorized {
			t.Errorf("GET %s without a password: %d", path, got)
		}
	}
	for _, path := range []string{"/index.yaml", "/v2/"} {
		if got := status(t, server.URL+path, func(r *http.Request) { r.SetBasicAuth("u", "p") }); got != http.StatusOK {
			t.Errorf("GET %s with the password: %d", path, got)
		}
	}
}

func TestUnchangedIndexIsNotSentAgain(t *testing.T) {
	server := testChartServer(t, "", "")
	response, err := http.Get(server.URL + "/index.yaml")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	for sent, received := range map[string]string{"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"} {
		value := response.Header.Get(received)
		if got := status(t, server.URL+"/index.yaml", func(r *http.Request) { r.Header.Set(sent, value) }); got != http.StatusNotModified {
			t.Errorf("%s: %q was answered with %d", sent, value, got)
		}
	}
}

func TestRequestsAreCountedByPathAndStatus(t *testing.T) {
	server := testChartServer(t, "", "")
	status(t, server.URL+"/index.yaml", nil)
	status(t, server.URL+"/index.yaml", func(r *http.Request) { r.Header.Set("If-None-Match", "*") })
	status(t, server.URL+"/requests", nil)
	response, err := http.Get(server.URL + "/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var counts map[string]map[string]int
	if err := json.NewDecoder(response.Body).Decode(&counts); err != nil {
		t.Fatal(err)
	}
	index := counts["/index.yaml"]
	if len(counts) != 1 || index["total"] != 2 || index["200"] != 1 || index["304"] != 1 {
		t.Errorf("counted %v", counts)
	}
}

func TestChartsAreFoundAtAnyDepthButNotInsideCharts(t *testing.T) {
	dir := t.TempDir()
	for _, chart := range []string{"web", "more/deep/app", "web/charts/sub"} {
		path := filepath.Join(dir, chart)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "Chart.yaml"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	charts, err := findCharts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(charts) != 2 || charts[0] != filepath.Join(dir, "more/deep/app") || charts[1] != filepath.Join(dir, "web") {
		t.Errorf("found %v", charts)
	}
}

func testChartServer(t *testing.T, username, password string) *httptest.Server {
	files := map[string][]byte{"/index.yaml": []byte("apiVersion: v1\n")}
	server := httptest.NewServer(newChartServer(files, registry.New(), username, password))
	t.Cleanup(server.Close)
	return server
}

func status(t *testing.T, url string, prepare func(*http.Request)) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
