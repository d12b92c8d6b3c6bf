package kube

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Forward is where requests of helm and kubectl go, and how, with the operator's own credentials. Answers may be waited for as long as
// the sender likes.
func (k *Kubectl) Forward() (server *url.URL, transport http.RoundTripper) {
	server, _ = url.Parse(k.server) // which is localhost, or made of a host and a port
	t := &http.Transport{DialContext: k.proxy.dial}
	transport = t
	if pod, is := k.http.Transport.(*podTransport); is {
		p := &podTransport{token: pod.token}
		p.Proxy, p.TLSHandshakeTimeout, p.TLSClientConfig = pod.Proxy, pod.TLSHandshakeTimeout, pod.TLSClientConfig.Clone()
		transport, t = p, &p.Transport
	}
	t.MaxIdleConnsPerHost, t.IdleConnTimeout, t.DisableCompression = 16, time.Minute, true
	return server, transport
}

// Object is the metadata of one object.
func (k *Kubectl) Object(ctx context.Context, path string) (Metadata, error) {
	var object struct{ Metadata Metadata }
	err := k.do(ctx, request{method: http.MethodGet, path: path, accept: onlyMetadata}, &object)
	return object.Metadata, err
}
