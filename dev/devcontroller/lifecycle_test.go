package devcontroller

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func post(t *testing.T, url string, header http.Header) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestNegotiatedTokenOpensOneConnection(t *testing.T) {
	s := startServer(t, Options{})
	status, body := post(t, hubURL(s)+"/negotiate?negotiateVersion=1", http.Header{})
	var offer struct {
		NegotiateVersion              int
		ConnectionID, ConnectionToken string
		AvailableTransports           []map[string]any
	}
	if err := json.Unmarshal([]byte(body), &offer); status != 200 || err != nil {
		t.Fatalf("got %d %s (%v)", status, body, err)
	}
	if offer.NegotiateVersion != 1 || offer.ConnectionID == offer.ConnectionToken ||
		fmt.Sprint(offer.AvailableTransports) != "[map[transferFormats:[Text Binary] transport:WebSockets]]" {
		t.Errorf("got %s", body)
	}
	c := dialURL(t, hubURL(s)+"?id="+offer.ConnectionToken, nil)
	c.shakeHands()
	if got := s.Connections()[0]; got.ID != offer.ConnectionID || !got.Negotiated {
		t.Errorf("got %+v, want the negotiated id %s", got, offer.ConnectionID)
	}
	for _, id := range []string{offer.ConnectionToken, offer.ConnectionID, "made-up"} {
		_, response, err := websocket.Dial(testContext(t), hubURL(s)+"?id="+id, nil)
		if err == nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("id %s: got %v, want 404", id, err)
		}
	}
}

func TestTokenIsAskedForOnNegotiateAndWebsocket(t *testing.T) {
	s := startServer(t, Options{Token: "secret"})
	good, bad := http.Header{"Authorization": {"Bearer secret"}}, http.Header{"Authorization": {"Bearer old"}}
	for _, header := range []http.Header{{}, bad} {
		if status, _ := post(t, hubURL(s)+"/negotiate?negotiateVersion=1", header); status != 401 {
			t.Errorf("negotiate with %v: got %d, want 401", header, status)
		}
		_, response, err := websocket.Dial(testContext(t), hubURL(s), &websocket.DialOptions{HTTPHeader: header})
		if err == nil || response.StatusCode != 401 {
			t.Errorf("websocket with %v: got %v, want 401", header, err)
		}
	}
	if s.Refused() != 4 {
		t.Errorf("%d refused, want 4", s.Refused())
	}
	if status, _ := post(t, hubURL(s)+"/negotiate?negotiateVersion=1", good); status != 200 {
		t.Errorf("negotiate with the token: got %d", status)
	}
	dialURL(t, hubURL(s), good).shakeHands()
	dialURL(t, hubURL(s)+"?access_token=secret", nil).shakeHands()
	s.SetToken("renewed")
	dialURL(t, hubURL(s), http.Header{"Authorization": {"Bearer renewed"}}).shakeHands()
	if got := s.Connections()[2].Authorization; got != "Bearer renewed" {
		t.Errorf("recorded authorization %q", got)
	}
}

func TestAFunctionMayJudgeTheToken(t *testing.T) {
	s := startServer(t, Options{Token: "secret"})
	s.SetAuthorize(func(bearer string) bool { return bearer == "from the issuer" })
	for _, header := range []http.Header{{}, {"Authorization": {"Bearer secret"}}} {
		if status, _ := post(t, hubURL(s)+"/negotiate?negotiateVersion=1", header); status != 401 {
			t.Errorf("negotiate with %v: got %d, want 401", header, status)
		}
	}
	dialURL(t, hubURL(s), http.Header{"Authorization": {"Bearer from the issuer"}}).shakeHands()
	s.SetAuthorize(nil)
	dialURL(t, hubURL(s), nil).shakeHands()
}

func TestRequestsThatAreNoHubRequests(t *testing.T) {
	s := startServer(t, Options{})
	for path, want := range map[string]int{
		"/operatorHub": 400, "/operatorhub/negotiate": 405, "/": 404, "/adapterHub": 404,
	} {
		response, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestCloseSaysGoodbyeAfterWhatIsQueued(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	const queued = 50
	for i := range queued {
		if err := s.SendAll(testContext(t), "PreUpdateTenantAsync", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for i := range queued {
		c.wantFrame(fmt.Sprintf(`{"type":1,"target":"PreUpdateTenantAsync","arguments":["%d"]}`, i))
	}
	c.wantFrame(`{"type":7,"allowReconnect":true}`)
	c.wantClosed()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.SendAll(testContext(t), "PreUpdateTenantAsync", "x"); err == nil {
		t.Error("a closed controller sends")
	}
}

func TestRestartServesTheSameAddress(t *testing.T) {
	s := startServer(t, Options{Generation: G3})
	url := s.URL()
	first := dial(t, s)
	first.mustInvoke("RegisterPoolAsync", fmt.Sprintf("[%q,%q]", tenant, poolID))
	for range 3 {
		go func() { // completes the close handshake
			for {
				if _, _, err := first.socket.Read(context.Background()); err != nil {
					return
				}
			}
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.SetGeneration(G4)
		if err := s.Start(""); err != nil {
			t.Fatal(err)
		}
		if s.URL() != url {
			t.Fatalf("moved from %s to %s", url, s.URL())
		}
		first = dial(t, s)
		first.register(ownPool) // a G4 method
	}
	if n := len(s.Calls()); n != 4 {
		t.Errorf("%d calls recorded over the restarts, want 4", n)
	}
	if err := s.Start("127.0.0.1:0"); err == nil {
		t.Error("started twice")
	}
}

func TestDroppedConnectionEndsWithoutAWord(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.register(ownPool)
	s.DropConnections()
	_, data, err := c.socket.Read(c.ctx)
	if err == nil || websocket.CloseStatus(err) != -1 {
		t.Errorf("got %q, %v, want a connection lost without a close frame", data, err)
	}
	got := s.Connections()[0]
	if got.State != StateClosed || len(got.Registered) != 0 {
		t.Errorf("got %+v, want it closed and its registrations gone", got)
	}
	dial(t, s) // the server goes on
	if newest, err := s.WaitConnected(testContext(t), 1); err != nil || newest.ID == got.ID {
		t.Errorf("got %+v, %v, want the second connection", newest, err)
	}
}

func TestClientThatDoesNotReadCannotHoldUpDrop(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.register(ownPool)
	ctx, cancel := context.WithCancel(testContext(t))
	failed := make(chan error, 1)
	go func() {
		for {
			err := s.Deploy(ctx, Workload{Pool: ownPool, Name: "w", RtID: otherID, ValuesYaml: strings.Repeat("x", 1<<20)})
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	s.DropConnections()
	if err := <-failed; err == nil {
		t.Error("sent to a dropped connection")
	}
	cancel()
}

func TestWaitForSeesPastAndFutureCalls(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.register(ownPool)
	call, err := s.WaitFor(testContext(t), "registerdeploymentsiteasync", nil)
	if err != nil || call.Seq != 1 || string(call.Args[1]) != `"`+poolID+`"` {
		t.Fatalf("got %v, %v", call, err)
	}
	type answer struct {
		call Call
		err  error
	}
	later := make(chan answer)
	ctx := testContext(t)
	go func() {
		call, err := s.WaitFor(ctx, "RegisterDeploymentSiteAsync", func(c Call) bool { return c.Seq > 1 })
		later <- answer{call, err}
	}()
	c.register(otherPool)
	if got := <-later; got.err != nil || got.call.Seq != 2 {
		t.Errorf("got %v, %v", got.call, got.err)
	}
	short, cancel := context.WithTimeout(testContext(t), time.Millisecond)
	defer cancel()
	_, err = s.WaitFor(short, "ReportDeployedStateAsync", nil)
	if err == nil || !strings.Contains(err.Error(), "2× RegisterDeploymentSiteAsync") {
		t.Errorf("got %v, want an error that says what did happen", err)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "192.0.2.1:0", "nonsense"} {
		s := New(Options{})
		if err := s.Start(address); err == nil {
			_ = s.Close()
			t.Errorf("served %s", address)
		}
	}
}

func TestTLS(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // only for its certificate and the client that trusts it
	defer certified.Close()
	s := startServer(t, Options{TLS: &tls.Config{Certificates: certified.TLS.Certificates}})
	socket, _, err := websocket.Dial(testContext(t), hubURL(s), &websocket.DialOptions{HTTPClient: certified.Client()})
	if err != nil {
		t.Fatal(err)
	}
	c := &rawClient{t: t, ctx: testContext(t), socket: socket}
	c.shakeHands()
	_ = socket.CloseNow()
	if _, _, err := websocket.Dial(testContext(t), hubURL(s), nil); err == nil {
		t.Error("connected without trusting the certificate")
	}
}
