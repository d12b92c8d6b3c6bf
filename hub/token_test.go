package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"octo-operator/dev/devcontroller"
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

// authorizations returns the headers of all connections so far.
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

	// A token that cannot be renewed is used as long as it is valid.
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
	if testing.Short() {
		t.Skip("an issuer that hangs is given up after 10 s")
	}
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

func TestATokenStaysOnItsHostAndOnTLS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, refused string }{
		{"https://controller.example/operatorHub", "https://controller.example/other", ""},
		{"http://controller.example/operatorHub", "https://controller.example/operatorHub", ""},
		{"http://controller.example/operatorHub", "http://controller.example/other", ""},
		{"https://controller.example/operatorHub", "https://elsewhere.example/operatorHub", "another host, elsewhere.example"},
		{"https://controller.example/operatorHub", "https://controller.example:8443/operatorHub", "another host, controller.example:8443"},
		{"https://controller.example/operatorHub", "https://controller.example.evil.net/", "another host"},
		{"https://controller.example/operatorHub", "http://controller.example/operatorHub", "from https:// to http://, without TLS"},
		{"https://controller.example/operatorHub", "ws://controller.example/operatorHub", "without TLS"},
	} {
		from, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.from, nil)
		must(t, err)
		to, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.to, nil)
		must(t, err)
		err = sameHost("OPERATOR__X")(to, []*http.Request{from})
		if (err != nil) != (test.refused != "") || err != nil && (!strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), "OPERATOR__X")) {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}

func TestARedirectThatLeavesTLSDoesNotShowTheToken(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	issuer := startIssuer(t)
	controller := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/operatorHub", http.StatusFound)
	}))
	t.Cleanup(controller.Close)
	operator := startOperator(t, controller.URL, issuer.authenticates, func(s *setup) { s.settings.InsecureTLS = true })
	operator.log.wait(ctx, t, "not connected to the controller", "it redirects from https:// to http://, without TLS", "OPERATOR__COMMUNICATIONCONTROLLERURI")
}

func TestSkippingTheControllersCertificateDoesNotCoverTheIssuers(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	asked := make(chan struct{}, 100)
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(issuer.Close)
	controller := startController(t, devcontroller.Options{})
	authenticates := func(s *setup) {
		s.settings.Authentication = config.Authentication{IssuerURI: issuer.URL, ClientID: "operator", ClientSecret: clientSecret}
		s.settings.InsecureTLS = true
	}
	operator := startOperator(t, controller.URL(), authenticates)
	operator.log.wait(ctx, t, "cannot get an access token from "+issuer.URL, "certificate signed by unknown authority")
	if len(asked) > 0 {
		t.Error("the issuer was asked all the same")
	}
	operator = startOperator(t, controller.URL(), authenticates, func(s *setup) { s.settings.Authentication.InsecureTLS = true })
	<-asked
	operator.log.wait(ctx, t, `"level":"WARN"`, "the certificate of the token's issuer is NOT verified", "OPERATOR__AUTHENTICATION__INSECURESKIPVERIFY")
}

func TestTheClientsSecretStaysWithTheIssuerAndOnTLS(t *testing.T) {
	t.Parallel()
	shown := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { shown = true }))
	t.Cleanup(elsewhere.Close)
	for name, test := range map[string]struct{ endpoint, want string }{
		"a redirect of the token endpoint":      {"", "it redirects to another host"},
		"a token endpoint that is not over TLS": {elsewhere.URL + "/connect/token", "it wants the client's secret without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			var issuer *httptest.Server
			issuer = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/connect/token" {
					http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect) // with the body
					return
				}
				endpoint := test.endpoint
				if endpoint == "" {
					endpoint = issuer.URL + "/connect/token"
				}
				_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL, "token_endpoint": endpoint})
			}))
			defer issuer.Close()
			tokens, err := newTokens(config.Config{Authentication: config.Authentication{
				IssuerURI: issuer.URL, ClientID: "operator", ClientSecret: clientSecret, InsecureTLS: true,
			}}, slog.New(slog.DiscardHandler))
			must(t, err)
			if _, err := tokens.Token(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if shown {
				t.Error("the secret was shown")
			}
		})
	}
}

// The error page of a proxy may contain the whole request.
func TestAnAnswerOfTheIssuerThatRepeatsTheRequestIsShownWithoutTheSecret(t *testing.T) {
	t.Parallel()
	const secret = "m4rk3r&secret/1+"
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/connect/token" {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL, "token_endpoint": issuer.URL + "/connect/token"})
			return
		}
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintf(w, "no upstream for %s %s user=%s password=%s", body, r.Header.Get("Authorization"), user, password)
	}))
	defer issuer.Close()
	tokens, err := newTokens(config.Config{Authentication: config.Authentication{IssuerURI: issuer.URL, ClientID: "operator", ClientSecret: secret}}, slog.New(slog.DiscardHandler))
	must(t, err)
	_, err = tokens.Token()
	if err == nil || !strings.Contains(err.Error(), "no upstream for ") || !strings.Contains(err.Error(), "[redacted]") {
		t.Fatalf("got %v", err)
	}
	for _, form := range []string{secret, "m4rk3r", base64.StdEncoding.EncodeToString([]byte("operator:" + url.QueryEscape(secret)))} {
		if strings.Contains(err.Error(), form) {
			t.Errorf("%s is in it: %v", form, err)
		}
	}
}

// TestTheSecretInAnAuthorizationHeaderIsNotTold: OAuth escapes it as in a URL, and then it is in base64. An issuer that has once taken it so gets it so.
func TestTheSecretInAnAuthorizationHeaderIsNotTold(t *testing.T) {
	const secret = "m4rk3r&secret/1+"
	sent := base64.StdEncoding.EncodeToString([]byte("operator:" + url.QueryEscape(secret)))
	tokens, err := newTokens(config.Config{Authentication: config.Authentication{ClientSecret: secret}}, slog.New(slog.DiscardHandler))
	must(t, err)
	if got := tokens.inOneLine(errors.New("no upstream for Authorization: Basic " + sent)); strings.Contains(got, sent[16:len(sent)-8]) || !strings.Contains(got, "[redacted]") {
		t.Errorf("got %q", got)
	}
}
