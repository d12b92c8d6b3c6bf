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

// serviceAccount is the directory in which Kubernetes mounts a pod's credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// podTransport sends requests as the service account of the operator's own pod. It saves kubectl proxy, which takes 45 MiB. Outside a pod
// the cluster and the credentials come from a kubeconfig, which only kubectl can interpret in full.
type podTransport struct {
	http.Transport
	token string // path of its file, whose content Kubernetes renews
}

// inPod decides by kubectl's rule (there is no kubeconfig) whether to talk to the cluster that the operator's pod runs in. nil: no, or
// the pod's credentials cannot be read; then kubectl is used, which says what is wrong.
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

// RoundTrip sends the request with the token.
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

// lookUp returns the value of a variable in env; if the name occurs twice, the last one counts.
func lookUp(env []string, name string) (value string) {
	for _, variable := range env {
		if v, ok := strings.CutPrefix(variable, name+"="); ok {
			value = v
		}
	}
	return value
}
