package config

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
)

func TestHTTPClientTrustsTheSystemAndTheExtraRoot(t *testing.T) {
	root := certificate(t)
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want.AppendCertsFromPEM([]byte(root))
	if !roots(t, load(t, "OPERATOR__ROOTCACERTIFICATE="+root)).Equal(want) {
		t.Error("the roots are not the system's and the extra one")
	}
	if roots(t, load(t)) != nil { // Go's way to say: the system's, read when they are needed
		t.Error("the roots are not the system's")
	}
}

func roots(t *testing.T, c Config) *x509.CertPool {
	t.Helper()
	client, err := c.HTTPClient()
	if err != nil {
		t.Fatal(err)
	}
	return client.Transport.(*http.Transport).TLSClientConfig.RootCAs
}

func pemOf(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

func TestATextThatIsNoCertificateIsBorne(t *testing.T) {
	plain := load(t)
	c := load(t, "OPERATOR__ROOTCACERTIFICATE=m4rk3r")
	wantWarning(t, c, "OPERATOR__ROOTCACERTIFICATE holds no PEM certificate")
	if !roots(t, c).Equal(roots(t, plain)) || c.ExtraRoots() != "" {
		t.Error("something is trusted besides the system's roots")
	}
	if c.RootCACertificate != "m4rk3r" {
		t.Error("workloads would not get it, as they do from the reference operator")
	}
	if strings.Contains(strings.Join(c.Warnings, " "), "m4rk3r") {
		t.Error("it is told: it may be a private key pasted by mistake")
	}
	root := certificate(t)
	if c := load(t, "OPERATOR__ROOTCACERTIFICATE="+root); c.ExtraRoots() != root {
		t.Error("a certificate is none of the extra roots")
	}
}
