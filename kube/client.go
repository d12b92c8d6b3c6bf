// Package kube talks to the API server of the cluster that kubectl would use: directly when the operator runs in a pod, otherwise through
// one long-running kubectl proxy, so that a request costs no process. It also knows how to tell whether a release's objects are ready
// (Rollout), what a manifest must not contain (Look), and the custom resources of pools.
//
//	k := kube.NewClient(env, dir, log)
//	defer k.Close()
//	labels, err := k.ReleaseLabels(ctx, namespace, release)
//	if errors.Is(err, kube.ErrUnreachable) { … } // the same request may work later
package kube

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"octo-operator/bounds"
	"octo-operator/exec"
)

// longestRequest bounds a request, and the wait for the first byte of a watch. The API server itself gives up after 34 s.
const longestRequest = 30 * time.Second

// Client sends requests to the API server with the credentials that kubectl would use. Its methods may be called by several goroutines.
type Client struct {
	log    *slog.Logger
	proxy  *proxy // never started when the operator runs in a pod
	server string // URL that requests are sent to
	http   http.Client
	outage atomic.Int64 // Unix nanoseconds; 0: never

	discovered discovered
	self       self
}

// NewClient returns a Client. env is the whole environment of kubectl. kubectl proxy is started by the first request, with its socket
// in dir: the directory must exist, and nobody else may enter it, because whoever connects to the socket can do all that the operator may
// do. In a pod requests go directly to the API server.
func NewClient(env []string, dir string, log *slog.Logger) *Client {
	return newClient(env, dir, serviceAccount, log)
}

func newClient(env []string, dir, account string, log *slog.Logger) *Client {
	// kubectl proxy accepts only this Host header, which keeps pages in a browser from using it.
	k := &Client{log: log, proxy: newProxy(env, dir, log), server: "http://localhost"}
	transport := &http.Transport{DialContext: k.proxy.dial}
	k.http = http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if p, address := inPod(env, account); p != nil {
		k.server, k.http.Transport, transport = address, p, &p.Transport
	}
	transport.MaxIdleConnsPerHost, transport.IdleConnTimeout, transport.ResponseHeaderTimeout = 4, time.Minute, longestRequest
	return k
}

// Close stops kubectl proxy and returns when it has ended. Requests fail from then on.
func (k *Client) Close() {
	k.proxy.close()
	k.http.CloseIdleConnections()
}

// Types of a Patch: server-side apply, and JSON whose fields replace the object's (null removes a field).
const (
	applyPatch = "application/apply-patch+yaml"
	MergePatch = "application/merge-patch+json"
)

// Patch is the body of a PATCH request, which needs to say its type.
type Patch struct {
	Type   string // a media type, such as applyPatch
	Object any
}

// Do sends one request. path begins with a slash and may have a query. body is nil, JSON text ([]byte or json.RawMessage), a Patch, or a
// value that is encoded as JSON. The answer is decoded into into, unless that is nil. The request ends after 30 s, or with ctx.
//
// The error wraps ErrUnreachable when the same request may work later; any other answer than success is a *StatusError.
func (k *Client) Do(ctx context.Context, method, path string, body, into any) error {
	return k.do(ctx, request{method: method, path: path, body: body}, into)
}

// Ready returns nil if the API server says that it is ready.
func (k *Client) Ready(ctx context.Context) error {
	return k.Do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// request is one request to the API server.
type request struct {
	method, path string
	accept       string // "": JSON
	body         any
	longest      int // bytes of the answer; 0: bounds.Answer
}

func (k *Client) do(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longestRequest, errNoAnswer)
	defer cancel()
	answer, err := k.send(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	longest := cmp.Or(r.longest, bounds.Answer)
	text, err := io.ReadAll(io.LimitReader(answer.Body, int64(longest)+1))
	if err != nil {
		return k.Failed(ctx, err)
	}
	if into == nil {
		return nil
	}
	if len(text) > longest {
		return fmt.Errorf("cannot read the API server's answer to %s %s: it has more than %d MiB", r.method, r.path, longest>>20)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cannot read the API server's answer to %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// send returns the answer if it is a success. The caller closes its body.
func (k *Client) send(ctx context.Context, r request) (*http.Response, error) {
	body, contentType, err := encode(r.body)
	if err != nil {
		return nil, fmt.Errorf("cannot send %s %s: %w", r.method, r.path, err)
	}
	if k.proxy.ctx.Err() != nil {
		return nil, errClosed
	}
	req, err := http.NewRequestWithContext(ctx, r.method, k.server+r.path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("cannot send %s %s: %w", r.method, r.path, err)
	}
	req.Header.Set("Accept", "application/json")
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	k.announce(r, impersonate(ctx, req.Header))
	answer, err := k.http.Do(req)
	if err != nil {
		return nil, k.Failed(ctx, err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, k.refused(answer)
}

// announce logs a request at level debug: a GET as the kubectl command that sends the same request.
func (k *Client) announce(r request, as string) {
	switch {
	case r.method == http.MethodGet && as == "":
		k.log.Debug("command", "cmd", exec.Quote([]string{"kubectl", "get", "--raw", r.path}))
	case r.method == http.MethodGet:
		k.log.Debug("command", "cmd", exec.Quote([]string{"kubectl", "get", "--as=" + as, "--raw", r.path}))
	default:
		k.log.Debug("request", "method", r.method, "path", r.path)
	}
}

func encode(body any) (text []byte, contentType string, err error) {
	contentType = "application/json"
	if patch, ok := body.(Patch); ok {
		body, contentType = patch.Object, patch.Type
	}
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, contentType, nil
	default: // json.Marshal leaves a json.RawMessage as it is
		text, err = json.Marshal(b)
		return text, contentType, err
	}
}
