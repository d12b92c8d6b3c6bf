package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{own, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue writes a certificate for 127.0.0.1, and its key, and returns their files.
func (a *authority) issue(t *testing.T, until time.Time) (file, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, keyFile = filepath.Join(t.TempDir(), "svc.pem"), filepath.Join(t.TempDir(), "svc-key.pem")
	for path, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, keyFile
}

// serveTLS serves a certificate.
func serveTLS(t *testing.T, file, keyFile string) (address string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(file, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

func https(address, file, keyFile string) []string {
	return []string{"KESTREL__ENDPOINTS__HTTPS__URL=https://" + address, "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH=" + file, "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH=" + keyFile}
}

func TestTheCertificateOfTheWebhooksIsThereAndGoodAndServed(t *testing.T) {
	a := newAuthority(t)
	file, key := a.issue(t, time.Now().AddDate(1, 0, 0))
	expired, expiredKey := a.issue(t, time.Now().Add(-time.Hour))
	short, shortKey := a.issue(t, time.Now().Add(72*time.Hour))
	served := serveTLS(t, file, key)
	for name, test := range map[string]struct {
		environ []string
		mark    Mark
		words   []string
	}{
		"good and served":       {https(served, file, key), OK, []string{"is good until", "for 127.0.0.1, served"}},
		"another is served":     {https(served, short, shortKey), Warn, []string{"ends soon", "(3 days)", "but another one is served"}},
		"nobody serves it":      {https(nobody(t), file, key), OK, []string{"not served now"}},
		"expired":               {https(served, expired, expiredKey), Fail, []string{"has expired", "no restart is needed"}},
		"of another key":        {https(served, file, shortKey), Fail, []string{"private key does not match"}},
		"no file":               {https(served, file+".gone", key), Fail, []string{"no such file", "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH"}},
		"none":                  {https(served, "", ""), Fail, []string{"there is none"}},
		"no webhooks are meant": {nil, Skip, []string{"KESTREL__ENDPOINTS__HTTPS__URL is not set"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.environ...)
			r.want(r.looks("certificate"), test.mark, test.words...)
		})
	}
	r := newRig(t, https(deaf(t), file, key)...)
	r.want(r.hanging("certificate"), OK, "not served now")
}

func TestTheAPIServerTrustsTheWebhooksCertificate(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	file, key := a.issue(t, time.Now().AddDate(1, 0, 0))
	const address = "127.0.0.1:5001"
	webhook := func(client, policy string) string {
		return fmt.Sprintf(`{"items": [{"metadata": {"name": "octo"}, "webhooks": [{"name": "validate.pools", "failurePolicy": %q, "clientConfig": {%s},
			"rules": [{"apiGroups": ["octo-mesh.meshmakers.io"]}]}]}, {"metadata": {"name": "others"}, "webhooks": [{"rules": [{"apiGroups": ["apps"]}]}]}]}`, policy, client)
	}
	at := func(url string, bundle []byte) string {
		return fmt.Sprintf(`"url": %q, "caBundle": %q`, url, base64.StdEncoding.EncodeToString(bundle))
	}
	for name, test := range map[string]struct {
		environ []string
		list    string
		mark    Mark
		words   []string
	}{
		"it does":                  {https(address, file, key), webhook(at("https://"+address+"/validate", a.pem), "Fail"), OK, []string{"ValidatingWebhookConfiguration octo: points at this operator", "whose certificate the API server trusts", "failurePolicy Fail"}},
		"another authority":        {https(address, file, key), webhook(at("https://"+address+"/validate", other.pem), "Fail"), Fail, []string{"does not trust its certificate", "no pool can be made", "helm upgrade"}},
		"another, and it may fail": {https(address, file, key), webhook(at("https://"+address+"/validate", other.pem), "Ignore"), Warn, []string{"without its judgement"}},
		"another name":             {https(address, file, key), webhook(at("https://operator.octo.svc:5001/validate", a.pem), "Fail"), Fail, []string{"its name must be operator.octo.svc"}},
		"no authority":             {https(address, file, key), webhook(at("https://"+address+"/validate", nil), "Fail"), Fail, []string{"there is no caBundle"}},
		"another operator's":       {nil, webhook(`"service": {"namespace": "mesh", "name": "operator"}`, "Fail"), OK, []string{"is of another: service mesh/operator, failurePolicy Fail"}},
		"none":                     {nil, `{"items": []}`, OK, []string{"none judges pools"}},
		"none, and it is served":   {https(address, file, key), `{"items": []}`, Warn, []string{"no webhook configuration points at this operator", "serviceHooks.enabled"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.environ...)
			r.played[webhooksPath("validatingwebhookconfigurations")] = says(test.list)
			r.want(r.looks("webhooks"), test.mark, test.words...)
		})
	}
	r := newRig(t)
	r.played[webhooksPath("mutatingwebhookconfigurations")] = status(403)
	r.want(r.looks("webhooks"), Skip, "may not list")
	r = newRig(t)
	r.played[webhooksPath("mutatingwebhookconfigurations")] = status(500)
	r.want(r.looks("webhooks"), Warn, "cannot list")
}
