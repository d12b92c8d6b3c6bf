package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// The client that the example server of github.com/zitadel/oidc knows, with the client-credentials grant. Its tokens live 5 minutes.
const (
	clientID     = "sid1"
	clientSecret = "verysecret"
)

const notConnected = "not connected to the controller"

func TestTokenOfTheIssuerLetsTheOperatorIn(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = authentication(issuer.url, clientSecret)
	w.start()
	w.deployPool()
	bearer := w.controller.Connections()[0].Authorization
	token, ok := strings.CutPrefix(bearer, "Bearer ")
	if !ok || !issuer.vouchesFor(token) || issuer.vouchesFor("x"+token) {
		t.Errorf("authorization %q is no token of the issuer", bearer)
	}
	if n := w.controller.Refused(); n != 0 {
		t.Errorf("%d requests were refused", n)
	}
	w.wantNoSecrets(clientSecret, token)
}

func TestTokenIsAskedForWithScopeAndTenant(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startRecordingIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = append(authentication(issuer.proxy.URL, clientSecret), "OPERATOR__AUTHENTICATION__TENANTID=acme")
	w.start()
	grants := issuer.grants()
	if len(grants) != 1 {
		t.Fatalf("%d tokens were issued, want 1", len(grants))
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"octo_api"}, "acr_values": {"tenant:acme"}}
	if got := grants[0].asked; got.Encode() != want.Encode() {
		t.Errorf("asked with %s, want %s", got.Encode(), want.Encode())
	}
	if grants[0].client != clientID || grants[0].Scope != "octo_api" {
		t.Errorf("issued to %q with scope %q", grants[0].client, grants[0].Scope)
	}
	if got := w.controller.Connections()[0].Authorization; got != "Bearer "+grants[0].AccessToken {
		t.Errorf("connected with %q, not with the token that was issued", got)
	}
}

func TestTokenRequestWithoutATenantNamesNone(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startRecordingIssuer(w)
	w.env = authentication(issuer.proxy.URL, clientSecret)
	w.start()
	if asked := issuer.grants()[0].asked; asked.Has("acr_values") {
		t.Errorf("asked with acr_values %q", asked.Get("acr_values"))
	}
}

func TestTokenWithAWrongClientSecretIsOneClearLinePerAttempt(t *testing.T) {
	const wrongSecret = "planted-client-secret-91c4"
	w := newWorld(t, devcontroller.G4)
	issuer := startIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = append(authentication(issuer.url, wrongSecret), "OPERATOR__AUTHENTICATION__TENANTID=acme")
	w.launch()
	for _, record := range w.waitForLog(3, notConnected, nil) {
		w.wantReason(record, issuer.url, "invalid_client", "OPERATOR__AUTHENTICATION__ISSUERURI", "CLIENTID", "CLIENTSECRET")
	}
	for _, record := range w.operator.records(t) {
		if record["level"] != "INFO" && record["msg"] != notConnected {
			t.Errorf("one more complaint: %v", record)
		}
	}
	if n := len(w.controller.Connections()) + w.controller.Refused(); n != 0 {
		t.Errorf("the controller was asked %d times without a token", n)
	}
	w.wantNoSecrets(wrongSecret)
}

func TestTokenThatIsStillGoodIsUsedForTheNextConnectionToo(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startRecordingIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = authentication(issuer.proxy.URL, clientSecret)
	w.start()
	w.reconnect()
	if n := len(issuer.grants()); n != 1 {
		t.Errorf("%d tokens were issued, want 1", n)
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startRecordingIssuer(w)
	issuer.setLifetime(time.Minute - time.Second)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = authentication(issuer.proxy.URL, clientSecret)
	w.start()
	w.reconnect()
	grants := issuer.grants()
	if len(grants) != 2 || grants[0].AccessToken == grants[1].AccessToken {
		t.Fatalf("%d tokens were issued, want 2 different ones", len(grants))
	}
	if got := w.lastAuthorization(); got != "Bearer "+grants[1].AccessToken {
		t.Errorf("connected with %q, not with the new token", got)
	}
}

func TestTokenThatCannotBeRenewedIsUsedUntilItEnds(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startRecordingIssuer(w)
	issuer.setLifetime(time.Minute - time.Second)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = authentication(issuer.proxy.URL, clientSecret)
	w.start()
	issuer.setDown(true)
	w.reconnect()
	if got := w.lastAuthorization(); got != "Bearer "+issuer.grants()[0].AccessToken {
		t.Errorf("connected with %q, not with the old token", got)
	}
	warning := w.waitForLog(1, "access token not renewed: the old one is still good", map[string]string{"level": "WARN"})[0]
	w.wantReason(warning, issuer.proxy.URL, "503", "OPERATOR__AUTHENTICATION__ISSUERURI")

	issuer.setDown(false)
	w.reconnect()
	if grants := issuer.grants(); len(grants) != 2 || w.lastAuthorization() != "Bearer "+grants[1].AccessToken {
		t.Error("not connected with a new token although the issuer is back")
	}
}

// The issuer keeps its tokens in memory: after a restart it does not know the operator's token.
func TestTokenThatTheControllerRefusesIsExplainedAndReplaced(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	issuer := startIssuer(w)
	w.controller.SetAuthorize(issuer.vouchesFor)
	w.env = authentication(issuer.url, clientSecret)
	w.start()
	old := w.lastAuthorization()
	issuer.restart()
	w.reconnect()
	if n := w.controller.Refused(); n != 1 {
		t.Errorf("refused %d times, want once", n)
	}
	if w.lastAuthorization() == old {
		t.Error("connected with the token that was refused")
	}
	record := matching(w.operator.records(t), notConnected, map[string]string{"level": "WARN"})[1] // 0: the drop
	w.wantReason(record, w.controller.URL(), "401", "does not accept the access token", "octo_api",
		"OPERATOR__AUTHENTICATION__CLIENTID", "OPERATOR__AUTHENTICATION__TENANTID", "trusts the issuer "+issuer.url)
	w.wantNoSecrets(clientSecret, strings.TrimPrefix(old, "Bearer "))
}

func TestTokenIsNotSentWhenNoneIsConfigured(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	w.start()
	if got := w.lastAuthorization(); got != "" {
		t.Errorf("sent authorization %q", got)
	}
	w.controller.SetToken("wanted from now on")
	w.controller.DropConnections()
	record := w.waitForLog(2, notConnected, nil)[1] // 0: the drop
	w.wantReason(record, w.controller.URL(), "401", "wants an access token", "OPERATOR__AUTHENTICATION__ISSUERURI")
}

func authentication(issuer, secret string) []string {
	return []string{
		"OPERATOR__AUTHENTICATION__ISSUERURI=" + issuer,
		"OPERATOR__AUTHENTICATION__CLIENTID=" + clientID,
		"OPERATOR__AUTHENTICATION__CLIENTSECRET=" + secret,
	}
}

// reconnect cuts the connection and waits until the operator is registered again.
func (w *world) reconnect() {
	w.Helper()
	before := w.controller.LastSeq()
	w.controller.DropConnections()
	w.waitFor("RegisterOperatorAsync", func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" })
}

func (w *world) lastAuthorization() string {
	connections := w.controller.Connections()
	return connections[len(connections)-1].Authorization
}

// wantReason wants a reason of one line that has all parts.
func (w *world) wantReason(record map[string]any, parts ...string) {
	w.Helper()
	reason := fmt.Sprint(record["reason"])
	w.Log(reason)
	for _, part := range parts {
		if !strings.Contains(reason, part) {
			w.Errorf("the reason does not say %q: %s", part, reason)
		}
	}
	if strings.ContainsAny(reason, "\r\n") || strings.Contains(reason, "goroutine") {
		w.Errorf("the reason is more than a line: %s", reason)
	}
}

func (w *world) wantNoSecrets(secrets ...string) {
	w.Helper()
	for _, secret := range secrets {
		if strings.Contains(w.operator.text(), secret) {
			w.Errorf("the log has the secret %q", secret)
		}
	}
}

// issuer is a real OpenID Connect server: that of github.com/zitadel/oidc, served by devcluster.
type issuer struct {
	w     *world
	port  int
	url   string
	users string // path of the file with its users
	stop  func()
}

// startIssuer runs an issuer on a port of its own until the end of the test. The port stays the same after a restart.
func startIssuer(w *world) *issuer {
	w.Helper()
	i := &issuer{w: w, users: filepath.Join(w.TempDir(), "users.json")}
	// The server answers questions about a token only if a user of that name exists.
	w.must(os.WriteFile(i.users, []byte(`{"`+clientID+`": {"ID": "`+clientID+`"}}`), 0o600))
	for range 5 { // another process may take the port before the server does
		i.port = freePort(w)
		i.url = fmt.Sprintf("http://localhost:%d/", i.port)
		if i.start() {
			w.Cleanup(func() { i.stop() })
			return i
		}
	}
	w.Fatal("the OpenID Connect server does not start")
	return nil
}

// freePort picks a port below the range of outgoing connections (32768 and up), from which the system also gives out free ports: so
// nobody takes it before the test uses it.
func freePort(w *world) int {
	w.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", 20000+rand.IntN(12000)))
		if err == nil {
			defer listener.Close()
			return listener.Addr().(*net.TCPAddr).Port
		}
	}
	w.Fatal("there is no free port")
	return 0
}

// start starts the server and returns whether it serves.
func (i *issuer) start() bool {
	cmd := osexec.Command(os.Getenv("OCTO_DEVCLUSTER"), "oidc", "--port", fmt.Sprint(i.port), "--users", i.users)
	cmd.Stdout, cmd.Stderr = i.w.Output(), i.w.Output()
	if err := cmd.Start(); err != nil {
		i.w.Fatalf("cannot start the OpenID Connect server, make test builds it: %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	i.stop = func() { _ = cmd.Process.Kill(); <-ended }
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(i.url + ".well-known/openid-configuration")
		if err == nil {
			response.Body.Close()
		}
		select {
		case <-ended:
			return false
		default:
		}
		if err == nil && response.StatusCode == http.StatusOK {
			return true
		}
	}
	i.stop()
	return false
}

func (i *issuer) restart() {
	i.w.Helper()
	i.stop()
	if !i.start() {
		i.w.Fatal("the OpenID Connect server does not start again")
	}
}

// vouchesFor asks the server whether it has issued the token and the token has not expired.
func (i *issuer) vouchesFor(token string) bool {
	request, err := http.NewRequestWithContext(i.w.ctx, http.MethodGet, i.url+"userinfo", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// recordingIssuer is an issuer behind a proxy, like behind an ingress. The proxy records the operator's requests, can change a token's
// lifetime, and can cut off the operator, but not the controller, from the issuer.
type recordingIssuer struct {
	*issuer
	proxy *httptest.Server

	mu       sync.Mutex
	granted  []grant
	lifetime time.Duration
	down     bool
}

// grant is a token that was issued, and the request for it.
type grant struct {
	client      string
	asked       url.Values
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope"`
}

func startRecordingIssuer(w *world) *recordingIssuer {
	w.Helper()
	i := &recordingIssuer{issuer: startIssuer(w)}
	i.proxy = httptest.NewUnstartedServer(i)
	i.proxy.Start()
	w.Cleanup(i.proxy.Close)
	return i
}

// ServeHTTP passes a request on to the server.
func (i *recordingIssuer) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		http.Error(response, "no healthy upstream", http.StatusServiceUnavailable)
		return
	}
	asked, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	forward, err := http.NewRequestWithContext(request.Context(), request.Method,
		i.url+strings.TrimPrefix(request.URL.Path, "/"), bytes.NewReader(asked))
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	forward.Header = request.Header
	answer, err := http.DefaultClient.Do(forward)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && request.Method == http.MethodPost && answer.StatusCode == http.StatusOK {
		body, err = i.record(request, asked, body)
	}
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	response.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	response.WriteHeader(answer.StatusCode)
	// The discovery document contains the server's own addresses.
	_, _ = response.Write(bytes.ReplaceAll(body, []byte(i.url), []byte(i.proxy.URL+"/")))
}

// record records a request and its answer, and returns the answer with the lifetime that the test wants.
func (i *recordingIssuer) record(request *http.Request, asked, answer []byte) ([]byte, error) {
	var g grant
	if err := json.Unmarshal(answer, &g); err != nil {
		return nil, err
	}
	g.client, _, _ = request.BasicAuth()
	g.asked, _ = url.ParseQuery(string(asked))
	i.granted = append(i.granted, g)
	if i.lifetime == 0 {
		return answer, nil
	}
	changed := map[string]any{}
	if err := json.Unmarshal(answer, &changed); err != nil {
		return nil, err
	}
	changed["expires_in"] = int(i.lifetime.Seconds())
	return json.Marshal(changed)
}

func (i *recordingIssuer) grants() []grant {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.granted)
}

// setLifetime sets the lifetime in the answers to the operator from now on.
func (i *recordingIssuer) setLifetime(lifetime time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lifetime = lifetime
}

// setDown cuts off the operator, but not the controller, from the issuer.
func (i *recordingIssuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}
