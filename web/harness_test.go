package web

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. Only a failing test waits so long.
const patience = time.Minute

// idle is the state of an operator that does nothing and is connected to nothing.
func idle() State {
	return State{
		Generation: func() string { return "" }, Pools: func() int { return 0 }, Able: yes, Leads: yes,
		Queue: func() Queue { return Queue{} }, Reports: func() int { return 0 },
	}
}

// logBuffer is a log that is written to and read at the same time.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newLog() (*slog.Logger, *logBuffer) {
	into := &logBuffer{}
	return slog.New(slog.NewTextHandler(into, &slog.HandlerOptions{Level: slog.LevelDebug})), into
}

// freeAddress returns an address on which nobody listens now. Its port is below the range of outgoing connections (32768 and up), from which the
// system also gives free ports to other tests.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+mathrand.IntN(12000))); err == nil {
			defer listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func yes() bool { return true }

// serve starts a server with defaults for the options that the test does not set.
func serve(t *testing.T, o Options) (*Server, Options) {
	t.Helper()
	if o.HTTP == "" {
		o.HTTP = freeAddress(t)
	}
	if o.Ready == nil {
		o.Ready = func() Readiness { return Readiness{} }
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(idle(), Labels{})
	}
	if o.LogLevel == nil {
		o.LogLevel = &slog.LevelVar{}
	}
	if o.Log == nil {
		o.Log, _ = newLog()
	}
	o.retry = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	server := New(o)
	server.Listen(ctx)
	return server, o
}

func get(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	return send(t, http.DefaultClient, method, url, "", nil)
}

func send(t *testing.T, client *http.Client, method, url, body string, header http.Header) (status int, said string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := client.Do(request)
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

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: ", what)
		}
	}
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in %q", part, got)
		}
	}
}

// mounted is a Secret as the kubelet mounts it: each file is a link through ..data, which is swapped.
type mounted struct {
	*testing.T
	dir       string
	cert, key string
}

func newMounted(t *testing.T) *mounted {
	dir := t.TempDir()
	return &mounted{T: t, dir: dir, cert: filepath.Join(dir, "svc.pem"), key: filepath.Join(dir, "svc-key.pem")}
}

// hold swaps the content of the files.
func (m *mounted) hold(cert, key string) {
	m.Helper()
	version, err := os.MkdirTemp(m.dir, "..version-")
	m.must(err)
	m.must(os.WriteFile(filepath.Join(version, "svc.pem"), []byte(cert), 0o600))
	m.must(os.WriteFile(filepath.Join(version, "svc-key.pem"), []byte(key), 0o600))
	m.must(os.Symlink(filepath.Base(version), filepath.Join(m.dir, "..data_tmp")))
	m.must(os.Rename(filepath.Join(m.dir, "..data_tmp"), filepath.Join(m.dir, "..data")))
	for _, file := range []string{m.cert, m.key} {
		if _, err := os.Lstat(file); err != nil {
			m.must(os.Symlink(filepath.Join("..data", filepath.Base(file)), file))
		}
	}
}

func (m *mounted) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// issue makes a self-signed certificate of a name.
func issue(t *testing.T, name string, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// trusting returns a client that connects to an address and requires a certificate with this name.
func trusting(t *testing.T, cert, name string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(cert)) {
		t.Fatal("no certificate")
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}}
}
