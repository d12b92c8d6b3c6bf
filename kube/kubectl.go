// Package kube speaks with the API server of the cluster that kubectl finds: through one resident kubectl proxy, so that a
// look-up costs no process.
package kube

import (
	"bytes"
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

// longestRequest bounds a request, and the wait for the first byte of a watch. The API server gives up after 34 s itself.
const longestRequest = 30 * time.Second

// Kubectl asks the API server with kubectl's credentials. It is safe for use by several goroutines.
type Kubectl struct {
	log    *slog.Logger
	proxy  *proxy // not started in a pod
	server string // where requests go
	http   http.Client
	outage atomic.Int64 // Unix nanoseconds; 0: never

	discovered discovered
	self       self
}

// NewKubectl prepares a kubectl proxy, which the first request starts; in a pod, requests go to the API server directly. env is
// kubectl's environment, all of it; the proxy's socket lies in dir, which exists and which nobody else may enter: who can connect has all
// that the operator may do.
func NewKubectl(env []string, dir string, log *slog.Logger) *Kubectl {
	return newKubectl(env, dir, serviceAccount, log)
}

func newKubectl(env []string, dir, account string, log *slog.Logger) *Kubectl {
	// kubectl proxy answers to this host alone: a page in a browser cannot pretend to be it.
	k := &Kubectl{log: log, proxy: newProxy(env, dir, log), server: "http://localhost"}
	transport := &http.Transport{DialContext: k.proxy.dial}
	k.http = http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if p, address := inPod(env, account); p != nil {
		k.server, k.http.Transport, transport = address, p, &p.Transport
	}
	transport.MaxIdleConnsPerHost, transport.IdleConnTimeout, transport.ResponseHeaderTimeout = 4, time.Minute, longestRequest
	return k
}

// Close stops the proxy and returns when it is gone. Requests fail from then on.
func (k *Kubectl) Close() {
	k.proxy.close()
	k.http.CloseIdleConnections()
}

// Types of a Patch: a server-side apply, and a JSON document whose fields take the place of the object's (null removes one).
const (
	applyPatch = "application/apply-patch+yaml"
	MergePatch = "application/merge-patch+json"
)

// Patch is the body of a PATCH, which has more than one type.
type Patch struct {
	Type   string // a media type, such as applyPatch
	Object any
}

// Do sends one request. path begins with a slash and has the query with it. body is nil, JSON as it is ([]byte or
// json.RawMessage), a Patch, or what becomes JSON; the answer goes into into, unless that is nil. The request ends after
// 30 s, or with ctx.
//
// The error is ErrUnreachable when the same request may work later, a *StatusError for any other answer that is no success.
func (k *Kubectl) Do(ctx context.Context, method, path string, body, into any) error {
	return k.do(ctx, request{method: method, path: path, body: body}, into)
}

// Ready is nil when the API server says that it can work.
func (k *Kubectl) Ready(ctx context.Context) error {
	return k.Do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// request is one to the API server.
type request struct {
	method, path string
	accept       string // "": JSON
	body         any
}

func (k *Kubectl) do(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longestRequest, errNoAnswer)
	defer cancel()
	answer, err := k.send(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, bounds.Answer+1))
	if err != nil {
		return k.Failed(ctx, err)
	}
	if into == nil {
		return nil
	}
	if len(text) > bounds.Answer {
		return fmt.Errorf("cannot read the API server's answer to %s %s: it has more than %d MiB", r.method, r.path, bounds.Answer>>20)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cannot read the API server's answer to %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// send returns the answer if it is a success. Its body is the caller's to close.
func (k *Kubectl) send(ctx context.Context, r request) (*http.Response, error) {
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

// announce logs what can be pasted into a shell: for a look-up that is kubectl's own way to send it.
func (k *Kubectl) announce(r request, as string) {
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
	default: // a json.RawMessage stays as it is
		text, err = json.Marshal(b)
		return text, contentType, err
	}
}
