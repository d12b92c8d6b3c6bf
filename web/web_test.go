package web

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestProbes(t *testing.T) {
	full, old := errors.New("the disk is full"), errors.New("the old certificate is served")
	var now atomic.Value
	_, o := serve(t, Options{Ready: func() Readiness { return now.Load().(Readiness) }})
	for _, test := range []struct {
		name, method, path string
		readiness          Readiness
		status             int
		body               string
	}{
		{"alive while not ready", http.MethodGet, "/health/live", Readiness{Unable: full}, http.StatusOK, "alive"},
		{"not ready says why", http.MethodGet, "/health/ready", Readiness{Unable: full}, http.StatusServiceUnavailable, "the disk is full"},
		{"not ready says everything", http.MethodGet, "/health/ready", Readiness{full, old}, http.StatusServiceUnavailable,
			"the disk is full\nthe old certificate is served"},
		{"ready says what is wrong", http.MethodGet, "/health/ready", Readiness{Trouble: old}, http.StatusOK, "ready, but:\nthe old certificate is served"},
		{"ready", http.MethodGet, "/health/ready", Readiness{}, http.StatusOK, "ready"},
		{"as kubectl wait and load balancers may ask", http.MethodHead, "/health/ready", Readiness{}, http.StatusOK, ""},
		{"alive while ready", http.MethodGet, "/health/live", Readiness{}, http.StatusOK, "alive"},
		{"only what there is", http.MethodGet, "/health", Readiness{}, http.StatusNotFound, "404 page not found"},
		{"nothing to change", http.MethodPost, "/health/live", Readiness{}, http.StatusMethodNotAllowed, "Method Not Allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			now.Store(test.readiness)
			status, body := get(t, test.method, "http://"+o.HTTP+test.path)
			if status != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", status, body, test.status, test.body)
			}
		})
	}
}

// Everybody in the cluster can reach the port, and can send any Host header.
func TestOnlyWhoIsInThePodIsToldWhatIsWrong(t *testing.T) {
	secret := errors.New("cannot reach https://10.0.0.1:6443 for tenant acme")
	for _, from := range []struct{ address, host, header string }{
		{"10.1.2.3:40000", "localhost:5000", ""},
		{"[::ffff:10.1.2.3]:40000", "localhost", ""},
		{"127.0.0.1:40000", "operator.octo.svc:5000", ""},
		{"127.0.0.1:40000", "localhost:5000", "X-Forwarded-For"}, // a proxy in the pod
	} {
		for _, readiness := range []Readiness{{Unable: secret}, {Trouble: secret}, {secret, secret}} {
			log, _ := newLog()
			handler := routes(Options{Log: log, Metrics: NewMetrics(State{}, Labels{}), Ready: func() Readiness { return readiness }})
			request := httptest.NewRequest(http.MethodGet, "/health/ready", nil)
			request.RemoteAddr, request.Host = from.address, from.host
			if from.header != "" {
				request.Header.Set(from.header, "127.0.0.1")
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code == http.StatusOK != (readiness.Unable == nil) {
				t.Errorf("%v: got %d", readiness, answer.Code)
			}
			wantText(t, answer.Body.String(), "from within the pod", "kubectl port-forward")
			for _, name := range []string{"10.0.0.1", "acme"} {
				if strings.Contains(answer.Body.String(), name) {
					t.Errorf("%v is told %s", from, answer.Body)
				}
			}
		}
	}
}

func TestAnAddressInUseIsNamedAndListenedOnAsSoonAsItIsFree(t *testing.T) {
	cert, key := issue(t, "operator", nextYear())
	files := newMounted(t)
	files.hold(cert, key)
	for _, test := range []struct {
		setting, scheme string
		options         func(address string) Options
	}{
		{"KESTREL__ENDPOINTS__HTTP__URL", "http", func(address string) Options { return Options{HTTP: address} }},
		{"KESTREL__ENDPOINTS__HTTPS__URL", "https", func(address string) Options {
			return Options{HTTPS: address, CertificateFile: files.cert, KeyFile: files.key}
		}},
	} {
		t.Run(test.setting, func(t *testing.T) {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			address := taken.Addr().String()
			options := test.options(address)
			var log *logBuffer
			options.Log, log = newLog()
			server, _ := serve(t, options)
			if server.Unable() == nil {
				t.Fatal("it is able")
			}
			wantText(t, server.Unable().Error(), "cannot listen", address, "address already in use", "set "+test.setting+" to another address")
			wantText(t, log.String(), "address already in use")
			taken.Close()
			eventually(t, "it listens", func() bool { return server.Unable() == nil })
			if status, _ := send(t, trusting(t, cert, "operator"), http.MethodGet, test.scheme+"://"+address+"/health/live", "", nil); status != http.StatusOK {
				t.Errorf("got %d", status)
			}
		})
	}
}

func TestAPanicIsLoggedAndAHandshakeThatFailsIsNot(t *testing.T) {
	cert, key := issue(t, "operator", nextYear())
	files := newMounted(t)
	files.hold(cert, key)
	into := &logBuffer{}
	_, o := serve(t, Options{
		HTTPS: freeAddress(t), CertificateFile: files.cert, KeyFile: files.key, Ready: func() Readiness { panic("a fault") },
		Log: slog.New(slog.NewTextHandler(into, nil)),
	})
	if _, err := http.Get("https://" + o.HTTPS + "/health/live"); err == nil {
		t.Error("a certificate of nobody is trusted")
	}
	if _, err := http.Get("http://" + o.HTTP + "/health/ready"); err == nil {
		t.Error("it is answered")
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(into.String(), "a fault") })
	if strings.Contains(into.String(), "handshake") {
		t.Errorf("the log is\n%s", into)
	}
}
