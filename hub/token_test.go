package hub

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"octo-operator/config"
	"octo-operator/devcontroller"
)

const clientSecret = "m4rk3r-client-secret"

// issuer is an OpenID Connect issuer that gives out the tokens token-1, token-2, …
type issuer struct {
	url string

	mu       sync.Mutex
	requests []url.Values
	lifetime int // seconds
	fails    bool
}

func startIssuer(t *testing.T) *issuer {
	i := &issuer{lifetime: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.url + "/", "token_endpoint": i.url + "/connect/token"})
	})
	mux.HandleFunc("POST /connect/token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		_ = r.ParseForm()
		if id, secret, ok := r.BasicAuth(); ok {
			r.Form.Set("client_id", id)
			r.Form.Set("client_secret", secret)
		}
		w.Header().Set("Content-Type", "application/json")
		if i.fails {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		i.requests = append(i.requests, r.Form)
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, len(i.requests), i.lifetime)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) set(lifetime int, fails bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lifetime, i.fails = lifetime, fails
}

func (i *issuer) authenticates(s *setup) {
	s.settings.Authentication = config.Authentication{IssuerURI: i.url, ClientID: "operator", ClientSecret: clientSecret, TenantID: "acme"}
}

// authorizations are the headers of all connections so far.
func authorizations(controller *devcontroller.Server) (headers []string) {
	for _, c := range controller.Connections() {
		headers = append(headers, c.Authorization)
	}
	return headers
}

func wantAuthorizations(t *testing.T, controller *devcontroller.Server, want ...string) {
	t.Helper()
	if got := authorizations(controller); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got the headers %q, want %q", got, want)
	}
}

func TestNoTokenIsSentWithoutAuthentication(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	startOperator(t, controller.URL()).untilRegistered(ctx, t)
	wantAuthorizations(t, controller, "")
}

func TestAuthenticationSetInPartConnectsWithoutAToken(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	issuer.set(3600, true) // asked without a secret, it refuses
	for name, part := range map[string]config.Authentication{
		"no client id": {IssuerURI: issuer.url, ClientSecret: clientSecret, TenantID: "acme"},
		"no issuer":    {ClientID: "operator", ClientSecret: clientSecret, TenantID: "acme"},
		"no secret":    {IssuerURI: issuer.url, ClientID: "operator", TenantID: "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			controller := startController(t, devcontroller.Options{})
			operator := startOperator(t, controller.URL(), func(s *setup) { s.settings.Authentication = part })
			operator.untilRegistered(ctx, t)
			wantAuthorizations(t, controller, "")
			if name == "no secret" {
				operator.log.wait(ctx, t, "connecting without an access token: OPERATOR__AUTHENTICATION__CLIENTSECRET is not set", "invalid_client")
			}
		})
	}
}

func TestATokenThatIsGivenWithoutASecretIsSent(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	controller := startController(t, devcontroller.Options{Token: "token-1"})
	startOperator(t, controller.URL(), func(s *setup) {
		s.settings.Authentication = config.Authentication{IssuerURI: issuer.url, ClientID: "operator"}
	}).untilRegistered(ctx, t)
	wantAuthorizations(t, controller, "Bearer token-1")
}

func TestATokenIsGotByClientCredentialsAndKept(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	controller := startController(t, devcontroller.Options{Token: "token-1"})
	operator := startOperator(t, controller.URL(), issuer.authenticates)
	operator.untilRegistered(ctx, t)
	controller.DropConnections()
	operator.untilRegistered(ctx, t)
	wantAuthorizations(t, controller, "Bearer token-1", "Bearer token-1")
	form := issuer.requests[0]
	for name, want := range map[string]string{
		"grant_type": "client_credentials", "scope": "octo_api", "acr_values": "tenant:acme",
		"client_id": "operator", "client_secret": clientSecret,
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, secret := range []string{clientSecret, "token-1"} {
		if strings.Contains(operator.log.text(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	issuer.set(int(renewBefore/time.Second)/2, false) // too near its end to be used again
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL(), issuer.authenticates)
	operator.untilRegistered(ctx, t)
	controller.DropConnections()
	operator.untilRegistered(ctx, t)
	wantAuthorizations(t, controller, "Bearer token-1", "Bearer token-2")

	// What cannot be renewed is used as long as it is good.
	issuer.set(0, true)
	controller.DropConnections()
	operator.untilRegistered(ctx, t)
	wantAuthorizations(t, controller, "Bearer token-1", "Bearer token-2", "Bearer token-2")
	operator.log.wait(ctx, t, "access token not renewed: the old one is still good", "invalid_client")
}

func TestARefusedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	controller := startController(t, devcontroller.Options{Token: "token-2"}) // the first one was revoked
	operator := startOperator(t, controller.URL(), issuer.authenticates)
	operator.untilRegistered(ctx, t)
	operator.log.wait(ctx, t, "401 Unauthorized", "it does not accept the access token", "OPERATOR__AUTHENTICATION__CLIENTID", issuer.url)
	wantAuthorizations(t, controller, "Bearer token-2")
}

func TestARefusalSaysWhatToSet(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{Token: "secret"})
	operator := startOperator(t, controller.URL())
	operator.log.wait(ctx, t, "401 Unauthorized", "the controller wants an access token: set OPERATOR__AUTHENTICATION__ISSUERURI")

	issuer := startIssuer(t)
	issuer.set(0, true)
	operator = startOperator(t, controller.URL(), issuer.authenticates)
	operator.log.wait(ctx, t, "cannot get an access token from "+issuer.url, "invalid_client", "check OPERATOR__AUTHENTICATION__ISSUERURI")
	if strings.Contains(operator.log.text(), clientSecret) {
		t.Error("the log holds the client's secret")
	}
}

func TestAnIssuerThatHangsDoesNotKeepAGoodTokenFromBeingUsed(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hangs.Close)
	controller := startController(t, devcontroller.Options{Token: "old"})
	log := newLogBook(t)
	client, err := New(config.Config{
		ControllerURI:  controller.URL(),
		Authentication: config.Authentication{IssuerURI: hangs.URL, ClientID: "operator", ClientSecret: clientSecret},
	}, Options{}, slog.New(slog.NewJSONHandler(log, nil)))
	must(t, err)
	client.tokens.current = &oauth2.Token{AccessToken: "old", Expiry: time.Now().Add(renewBefore - time.Second)}
	session, err := client.connect(ctx)
	must(t, err)
	session.close()
	log.wait(ctx, t, "access token not renewed: the old one is still good", hangs.URL)
}

func TestATokenThatHasEndedIsNotUsed(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	issuer.set(0, true)
	ended := &oauth2.Token{AccessToken: "ended", Expiry: time.Now().Add(-time.Second)}
	tokens := tokens{settings: config.Authentication{IssuerURI: issuer.url}, http: http.DefaultClient, log: slog.New(slog.DiscardHandler), current: ended}
	if token, err := tokens.Token(); err == nil || token != nil {
		t.Errorf("got %v, %v", token, err)
	}
}

func TestAWebPageForAnAnswerOfTheIssuerIsOneShortLine(t *testing.T) {
	t.Parallel()
	page := "<html>\n\t<body>Bad Gateway – nginx\n" + strings.Repeat("<p>–</p>\r\n", 10_000)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, page, http.StatusBadGateway)
	}))
	t.Cleanup(gateway.Close)
	tokens := tokens{settings: config.Authentication{IssuerURI: gateway.URL}, http: http.DefaultClient, log: slog.New(slog.DiscardHandler)}
	_, err := tokens.Token()
	if err == nil || !holdsAll(err.Error(), []string{gateway.URL, "502", "Bad Gateway – nginx", "check OPERATOR__AUTHENTICATION__ISSUERURI"}) {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 2*maxAnswer || !utf8.ValidString(text) {
		t.Errorf("got %d bytes: %s", len(text), text)
	}
}

func TestATokenIsNotShownToAHostThatTheControllerRedirectsTo(t *testing.T) {
	from, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://controller.example/operatorHub", nil)
	must(t, err)
	to, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://elsewhere.example/operatorHub", nil)
	must(t, err)
	if err := sameHost(to, []*http.Request{from}); err == nil || !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("a redirect to another host: %v", err)
	}
	if err := sameHost(from, []*http.Request{from}); err != nil {
		t.Errorf("a redirect on the same host: %v", err)
	}
}
