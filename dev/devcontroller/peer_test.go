package devcontroller

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/philippseith/signalr"
)

// receiver has the callbacks by which the peer is called.
type receiver struct{ tenants chan string }

func (r *receiver) PreUpdateTenantAsync(tenant string) { r.tenants <- tenant }

// silent keeps the library's own log out of the test's.
type silent struct{}

func (silent) Log(...any) error { return nil }

// A client of another project, with negotiation, ping and reconnect, works with the server.
func TestIndependentSignalRClientGetsAlong(t *testing.T) {
	s := startServer(t, Options{Pools: []Pool{ownPool}, KeepAlive: 50 * time.Millisecond, Token: "secret"})
	ctx, cancel := context.WithCancel(testContext(t))
	t.Cleanup(cancel)
	receiver := &receiver{make(chan string, 10)}
	client, err := signalr.NewClient(ctx,
		signalr.WithConnector(func() (signalr.Connection, error) {
			return signalr.NewHTTPConnection(ctx, hubURL(s), signalr.WithNegotiateVersion(1),
				signalr.WithHTTPHeaders(func() http.Header {
					return http.Header{"Authorization": {"Bearer secret"}}
				}))
		}),
		signalr.WithReceiver(receiver),
		signalr.KeepAliveInterval(50*time.Millisecond),
		signalr.Logger(silent{}, false))
	if err != nil {
		t.Fatal(err)
	}
	client.Start()
	invoke := func(method string, args ...any) (any, error) {
		select {
		case result := <-client.Invoke(method, args...):
			return result.Value, result.Error
		case <-ctx.Done():
			t.Fatalf("%s was not answered", method)
			return nil, nil
		}
	}
	registerAndReceive := func() {
		t.Helper()
		pools, err := invoke("RegisterOperatorAsync", true)
		if encoded, _ := json.Marshal(pools); err != nil || !strings.Contains(string(encoded), poolID) {
			t.Fatalf("got %s, %v", encoded, err)
		}
		if _, err := invoke("RegisterDeploymentSiteAsync", tenant, poolID); err != nil {
			t.Fatal(err)
		}
		if err := s.PreUpdateTenant(ctx, tenant); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-receiver.tenants:
			if got != tenant {
				t.Errorf("received %q", got)
			}
		case <-ctx.Done():
			t.Fatal("the callback did not arrive")
		}
	}
	registerAndReceive()
	if _, err := invoke("RegisterOperatorAsync"); err == nil || !strings.Contains(err.Error(),
		"InvalidDataException: Invocation provides 0 argument(s) but target expects 1.") {
		t.Errorf("wrong argument count: got %v", err)
	}
	if _, err := invoke("RegisterPoolAsync", tenant, poolID); err == nil ||
		!strings.Contains(err.Error(), "HubException: Method does not exist.") {
		t.Errorf("unknown method: got %v", err)
	}
	first := s.Connections()[0]
	if !first.Negotiated || first.State != StateConnected {
		t.Errorf("got %+v", first)
	}
	s.DropConnections()
	if _, err := s.WaitConnected(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := <-client.WaitForState(ctx, signalr.ClientConnected); err != nil {
		t.Fatal(err)
	}
	registerAndReceive()
	wantNoViolations(t, s)

	// The library answers an unknown callback with a completion without an id: fatal, as measured.
	second := s.Connections()[1]
	if err := s.SendAll(ctx, "BrandNewCallbackAsync", 1); err != nil {
		t.Fatal(err)
	}
	closed, err := s.WaitClosed(ctx, second.ID)
	if err != nil || !strings.Contains(closed.Reason, "Missing required property 'invocationId'.") {
		t.Errorf("got %+v, %v, want the connection closed over the missing id", closed, err)
	}
	client.Stop()
}
