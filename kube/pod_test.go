package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// podPlace is a pod's environment and credentials, for an API server that answers with the token that it has received.
type podPlace struct {
	server *httptest.Server
	dir    string
	env    []string
}

func newPodPlace(t *testing.T) podPlace {
	t.Helper()
	p := podPlace{dir: t.TempDir(), server: httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"token":%q,"path":%q}`, r.Header.Get("Authorization"), r.URL)
	}))}
	t.Cleanup(p.server.Close)
	address, err := url.Parse(p.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(address.Host)
	p.env = []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOME=" + t.TempDir(), "PATH=/nowhere"}
	p.write(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})))
	p.write(t, "token", "first\n")
	return p
}

func (p podPlace) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p podPlace) kubectl(t *testing.T, env ...string) *Client {
	k := newClient(append(p.env, env...), t.TempDir(), p.dir, slog.New(slog.DiscardHandler))
	t.Cleanup(k.Close)
	return k
}

func TestInAPodTheAPIServerIsAskedDirectlyWithTheNewestToken(t *testing.T) {
	p := newPodPlace(t)
	k := p.kubectl(t)
	for _, token := range []string{"first", "second"} {
		p.write(t, "token", token)
		var got struct{ Token, Path string }
		if err := k.Do(testContext(t), http.MethodGet, "/api/v1/x?limit=1", nil, &got); err != nil {
			t.Fatal(err)
		}
		if got.Token != "Bearer "+token || got.Path != "/api/v1/x?limit=1" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestAnAPIServerThatIsNotTheClustersGetsNoToken(t *testing.T) {
	p := newPodPlace(t)
	p.write(t, "ca.crt", authorityOfAnother(t))
	p.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	if err := p.kubectl(t).Ready(testContext(t)); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "x509") {
		t.Errorf("got %v", err)
	}
}

// authorityOfAnother returns an authority that has not signed the certificate of the test's server.
func authorityOfAnother(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another"}, IsCA: true, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

func TestATokenThatIsGoneIsSaid(t *testing.T) {
	p := newPodPlace(t)
	k := p.kubectl(t)
	if err := os.Remove(filepath.Join(p.dir, "token")); err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(testContext(t)); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "cannot read the service account's token") {
		t.Errorf("got %v", err)
	}
}

func TestInAPodAnAPIServerThatIsAwayCanBeAskedAgain(t *testing.T) {
	p := newPodPlace(t)
	k := p.kubectl(t)
	p.server.Close()
	if err := k.Ready(testContext(t)); !errors.Is(err, ErrUnreachable) || k.LastOutage().IsZero() {
		t.Errorf("got %v, outage at %v", err, k.LastOutage())
	}
}

func TestInAPodNothingIsAskedAfterTheEnd(t *testing.T) {
	p := newPodPlace(t)
	k := p.kubectl(t)
	k.Close()
	if err := k.Ready(testContext(t)); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

// Cases in which kubectl must be used: it finds its cluster by other means, or knows best what is wrong.
var elsewhere = map[string]func(*testing.T, *podPlace){
	"a kubeconfig is named":        func(_ *testing.T, p *podPlace) { p.env = append(p.env, "KUBECONFIG=/etc/kubeconfig") },
	"there is no pod":              func(_ *testing.T, p *podPlace) { p.env = append(p.env, "KUBERNETES_SERVICE_HOST=") },
	"there is no token":            func(t *testing.T, p *podPlace) { p.remove(t, "token") },
	"there is no authority":        func(t *testing.T, p *podPlace) { p.remove(t, "ca.crt") },
	"the authority is no such one": func(t *testing.T, p *podPlace) { p.write(t, "ca.crt", "none") },
	"the home has a kubeconfig": func(t *testing.T, p *podPlace) {
		home := t.TempDir()
		if err := os.MkdirAll(filepath.Join(home, ".kube"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".kube", "config"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p.env = append(p.env, "HOME="+home)
	},
}

func (p podPlace) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestElsewhereTheClusterIsKubectlsBusiness(t *testing.T) {
	if found, address := inPod(newPodPlace(t).env, newPodPlace(t).dir); found == nil || address == "" {
		t.Fatal("a pod is not known for one")
	}
	for name, change := range elsewhere {
		t.Run(name, func(t *testing.T) {
			p := newPodPlace(t)
			change(t, &p)
			if found, address := inPod(p.env, p.dir); found != nil || address != "" {
				t.Errorf("it asks %s itself", address)
			}
		})
	}
}
