package kube

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// serviceAccount is where Kubernetes mounts a pod's own credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// podTransport sends requests to the API server as the pod's own service account, which takes no kubectl proxy and its 45 MiB. Elsewhere
// the cluster is what a kubeconfig says: how to read that, and to run what it names, is kubectl's business.
type podTransport struct {
	http.Transport
	token string // its file; Kubernetes renews what is in it
}

// inPod finds out as kubectl does whether the cluster is the one that the operator's pod runs in: there is no kubeconfig. nil: it is
// not, or its credentials cannot be read, which kubectl says best.
func inPod(env []string, dir string) (p *podTransport, address string) {
	host, port := lookUp(env, "KUBERNETES_SERVICE_HOST"), lookUp(env, "KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" || lookUp(env, "KUBECONFIG") != "" {
		return nil, ""
	}
	if _, err := os.Stat(filepath.Join(lookUp(env, "HOME"), ".kube", "config")); err == nil {
		return nil, ""
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(authority) {
		return nil, ""
	}
	p = &podTransport{token: filepath.Join(dir, "token")}
	if _, err := p.bearer(); err != nil {
		return nil, ""
	}
	p.Proxy, p.TLSHandshakeTimeout = http.ProxyFromEnvironment, longestRequest
	p.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return p, "https://" + net.JoinHostPort(host, port)
}

// RoundTrip adds the token.
func (p *podTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	token, err := p.bearer()
	if err != nil {
		return nil, fmt.Errorf("cannot read the service account's token: %w", err)
	}
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+token)
	return p.Transport.RoundTrip(request)
}

func (p *podTransport) bearer() (string, error) {
	text, err := os.ReadFile(p.token)
	return strings.TrimSpace(string(text)), err
}

// lookUp is a variable of an environment; the last of a name counts.
func lookUp(env []string, name string) (value string) {
	for _, variable := range env {
		if v, ok := strings.CutPrefix(variable, name+"="); ok {
			value = v
		}
	}
	return value
}
