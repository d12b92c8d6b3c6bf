package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// freeAddress is an address that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func get(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestProbes(t *testing.T) {
	var registered atomic.Bool
	address := freeAddress(t)
	err := Serve(t.Context(), address, func() error {
		if registered.Load() {
			return nil
		}
		return errors.New("not registered at the controller")
	}, NewMetrics(func() string { return "" }, func() int { return 0 }))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, method, path string
		registered         bool
		status             int
		body               string
	}{
		{"alive while not ready", http.MethodGet, "/health/live", false, http.StatusOK, "alive"},
		{"not ready says why", http.MethodGet, "/health/ready", false, http.StatusServiceUnavailable, "not registered at the controller"},
		{"ready", http.MethodGet, "/health/ready", true, http.StatusOK, "ready"},
		{"alive while ready", http.MethodGet, "/health/live", true, http.StatusOK, "alive"},
		{"only what there is", http.MethodGet, "/health", true, http.StatusNotFound, "404 page not found"},
		{"nothing to change", http.MethodPost, "/health/live", true, http.StatusMethodNotAllowed, "Method Not Allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registered.Store(test.registered)
			status, body := get(t, test.method, "http://"+address+test.path)
			if status != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", status, body, test.status, test.body)
			}
		})
	}
}

func TestAnAddressInUseIsAnErrorThatNamesTheSetting(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	err = Serve(t.Context(), listener.Addr().String(), func() error { return nil }, nil)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), listener.Addr().String()) ||
		!strings.Contains(err.Error(), "set KESTREL__ENDPOINTS__HTTP__URL to another address") {
		t.Errorf("got %v", err)
	}
}
