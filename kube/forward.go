package kube

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Forward returns the address and a transport with which others' requests reach the API server with the operator's own credentials. The
// transport sets no time limit for answers.
func (k *Client) Forward() (server *url.URL, transport http.RoundTripper) {
	server, _ = url.Parse(k.server) // cannot fail: localhost, or made of a host and a port
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

// Object returns the metadata of the object at a path.
func (k *Client) Object(ctx context.Context, path string) (Metadata, error) {
	var object struct{ Metadata Metadata }
	err := k.do(ctx, request{method: http.MethodGet, path: path, accept: onlyMetadata}, &object)
	return object.Metadata, err
}
