package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// apiClient asks the few questions that tell when the cluster is ready.
type apiClient struct {
	server string
	http   *http.Client
}

func newAPIClient(ca *authority, server string) (*apiClient, error) {
	cert, key, err := ca.issue(certTemplate("devcluster", "system:masters"))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return &apiClient{server: server, http: &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}},
	}}, nil
}

func (a *apiClient) get(ctx context.Context, path string, into any) error {
	return a.do(ctx, http.MethodGet, path, nil, http.StatusOK, into)
}

func (a *apiClient) do(ctx context.Context, method, path string, body io.Reader, want int, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	return readResponse(response, want, into)
}

func (a *apiClient) createNode(ctx context.Context, name string) error {
	node, err := json.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "Node",
		"metadata": map[string]any{"name": name, "labels": map[string]string{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		}},
	})
	if err != nil {
		return err
	}
	return a.do(ctx, http.MethodPost, "/api/v1/nodes", bytes.NewReader(node), http.StatusCreated, nil)
}

// nodeReady says whether pods can be placed: Ready, and the taint gone that a
// new node carries until the controller manager has seen it ready.
func (a *apiClient) nodeReady(ctx context.Context, name string) bool {
	var node struct {
		Spec   struct{ Taints []any }
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := a.get(ctx, "/api/v1/nodes/"+name, &node); err != nil || len(node.Spec.Taints) > 0 {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return true
		}
	}
	return false
}

func readResponse(response *http.Response, want int, into any) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", response.Request.Method, response.Request.URL.Path, response.Status, bytes.TrimSpace(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
