package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// webhooks are an operator's webhooks, registered at the API server as the official chart does.
type webhooks struct {
	*world
	address string     // host:port of HTTPS
	files   string     // the directory of the certificate
	pools   definition // the kind of resource that they review
}

// newWebhooks gives the operator an HTTPS address and a certificate, and returns the authority that issued it.
func newWebhooks(w *world, pools definition) (h *webhooks, authority []byte) {
	w.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	defer listener.Close()
	h = &webhooks{world: w, address: listener.Addr().String(), files: w.TempDir(), pools: pools}
	w.env = append(w.env, "KESTREL__ENDPOINTS__HTTPS__URL=https://"+h.address,
		"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH="+filepath.Join(h.files, "svc.pem"),
		"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH="+filepath.Join(h.files, "svc-key.pem"))
	return h, h.issue()
}

// issue replaces the certificate by one of a new authority, by a link, as the kubelet does when a Secret changes.
func (h *webhooks) issue() (authority []byte) {
	h.Helper()
	return h.issueUntil(time.Now().Add(time.Hour))
}

// issueUntil is issue with an expiry.
func (h *webhooks) issueUntil(end time.Time) (authority []byte) {
	h.Helper()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	h.must(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "operator"}, NotBefore: root.NotBefore, NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	h.must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	h.must(err)

	version, err := os.MkdirTemp(h.files, "..version-")
	h.must(err)
	h.must(os.WriteFile(filepath.Join(version, "svc.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), 0o600))
	h.must(os.WriteFile(filepath.Join(version, "svc-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	h.must(os.Symlink(filepath.Base(version), filepath.Join(h.files, "..new")))
	h.must(os.Rename(filepath.Join(h.files, "..new"), filepath.Join(h.files, "..data")))
	for _, name := range []string{"svc.pem", "svc-key.pem"} {
		if _, err := os.Lstat(filepath.Join(h.files, name)); err != nil {
			h.must(os.Symlink(filepath.Join("..data", name), filepath.Join(h.files, name)))
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
}

// register registers both webhooks as the official chart does, except that the mutating one is for the test's namespace only: the API
// server is shared.
func (h *webhooks) register(authority []byte) {
	h.Helper()
	hook := func(configuration, verb, operations string) string {
		return fmt.Sprintf(`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": %q, "metadata": {"name": %q}, "webhooks": [{
			"name": "%s.communicationpool.octo-mesh.meshmakers.io.v1alpha1", "admissionReviewVersions": ["v1"], "matchPolicy": "Exact", "sideEffects": "None",
			"clientConfig": {"url": "https://%s/%s/v1communicationpoolentity", "caBundle": %q},
			"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": %q}},
			"rules": [{"apiGroups": [%q], "apiVersions": ["v1alpha1"], "operations": [%s], "resources": [%q]}]}]}`,
			configuration, h.namespace, verb, h.address, verb, base64.StdEncoding.EncodeToString(authority), h.namespace, h.pools.group, operations, h.pools.plural)
	}
	h.apply(hook("MutatingWebhookConfiguration", "mutate", `"CREATE"`))
	h.apply(hook("ValidatingWebhookConfiguration", "validate", `"CREATE", "UPDATE"`))
	h.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", h.namespace, "--ignore-not-found").Run()
	})
}

func TestPoolsAreMadeAndChangedThroughTheWebhooksOfTheOfficialChart(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	h, authority := newWebhooks(w, pools)
	h.register(authority)
	byHand := func() (string, error) {
		return pools.create(w, "by-hand-"+uniqueName(), `{"tenantId": "acme", "poolRtId": "65d5c447b420da3fb12381bd"}`)
	}
	w.wantRefused(byHand, `failed calling webhook "mutate.communicationpool.octo-mesh.meshmakers.io.v1alpha1"`)

	w.start()
	w.deployPool()
	w.kubectl("annotate", "communicationpool", "acme-"+w.pool.ID, "note=hello")
	w.waitForPoolStatus("communicationpool", "acme-"+w.pool.ID, "Registered")
	w.wantDone(byHand)

	// A certificate of another authority needs no restart.
	authority = h.issue()
	h.register(authority)
	w.wantDone(byHand)
	w.waitForLog(2, "the admission webhooks have a certificate", nil)

	w.stop(w.operator)
	w.wantRefused(byHand, "failed calling webhook", "connection refused")
}

func TestTheWebhookRefusesWhatAnOlderDefinitionLetsPass(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	older := pools.ownNames()
	older.installOlder(w, pools)
	w.wantDone(func() (string, error) { return older.create(w, "stored", `{"tenantId": "acme", "poolRtId": "main"}`) })
	h, authority := newWebhooks(w, older)
	w.start()
	h.register(authority)

	const denied = `admission webhook "validate.communicationpool.octo-mesh.meshmakers.io.v1alpha1" denied the request: `
	create := func(spec string) func() (string, error) {
		return func() (string, error) { return older.create(w, "pool-"+uniqueName(), spec) }
	}
	w.wantRefused(create(`{"tenantId": "acme", "poolRtId": "MAIN"}`),
		denied+`spec.poolRtId: "MAIN" is not the runtime id of a pool, which is 24 digits of 0-9 and a-f in lower case: copy it from the controller`)
	w.wantRefused(create(`{"tenantId": "acme"}`), denied+"spec.poolRtId is not set")
	w.wantDone(create(`{"tenantId": "acme", "poolName": "main"}`))
	w.wantDone(create(`{"tenantId": "acme", "poolRtId": "65d5c447b420da3fb12381bd"}`))
	w.wantRefused(func() (string, error) { return older.patch(w, "stored", `{"spec": {"poolRtId": "other"}}`) }, denied+`spec.poolRtId: "other"`)
	older.wantGoes(w, "stored")
}

func TestTheWebhooksAreServedWhileAnotherOperatorHasTheStateDirectory(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	first := w.operator
	h, authority := newWebhooks(w, pools)
	w.launch()
	h.register(authority)
	w.waitForLog(1, "the operator cannot work", nil)
	w.wantRefused(func() (string, error) { return pools.create(w, "none", `{"tenantId": "acme"}`) }, "poolRtId is not set")
	w.wantDone(func() (string, error) { return pools.create(w, "main", `{"tenantId": "acme", "poolName": "main"}`) })
	w.stop(first)
	w.waitForLog(1, "the operator can work again", nil)
}

func TestWithoutAControllerTheWebhooksAreServedAndTheProbesAnswered(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	h, authority := newWebhooks(w, pools)
	h.register(authority)
	w.env = append(w.env, "OPERATOR__COMMUNICATIONCONTROLLERURI=")
	w.launch()
	w.waitUntilReadiness(ready, http.StatusOK, "set OPERATOR__COMMUNICATIONCONTROLLERURI")
	w.wantDone(func() (string, error) { return pools.create(w, "main", `{"tenantId": "acme", "poolName": "main"}`) })
	w.waitForLog(1, "no events are taken", nil)
}
