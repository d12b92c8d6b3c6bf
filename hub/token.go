package hub

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"octo-operator/bounds"
	"octo-operator/config"
)

const (
	// renewBefore is how long before its end a token is no longer used: it must not run out on the way.
	renewBefore = time.Minute
	// tokenTimeout leaves enough of dialTimeout to connect with the old token when the issuer does not answer.
	tokenTimeout = dialTimeout * 2 / 3
	// maxAnswer bounds what is repeated of an issuer's answer: it may be a whole web page.
	maxAnswer = 300
)

// tokens gets access tokens from an OpenID Connect issuer by the client-credentials grant, and keeps the newest.
type tokens struct {
	settings config.Authentication
	http     *http.Client
	log      *slog.Logger

	mu      sync.Mutex
	current *oauth2.Token
}

// newTokens makes a client of its own for the issuer, which gets the client's secret: that the controller's certificate is not verified
// says nothing of the issuer's.
func newTokens(settings config.Config, log *slog.Logger) (*tokens, error) {
	client, err := settings.HTTPClient()
	if err != nil {
		return nil, err
	}
	if settings.Authentication.InsecureTLS {
		client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		log.Warn("the certificate of the token's issuer is NOT verified", "setting", "OPERATOR__AUTHENTICATION__INSECURESKIPVERIFY")
	}
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		const setting = "OPERATOR__AUTHENTICATION__ISSUERURI"
		if before[0].Method == http.MethodGet { // the discovery holds no secret, but says where the secret goes
			return keepsTLS(next, before, setting)
		}
		return sameHost(setting)(next, before)
	}
	return &tokens{settings: settings.Authentication, http: client, log: log}, nil
}

// Token returns a token that is good for at least a minute. When a new one cannot be had, one that has not ended yet is
// returned once more.
func (t *tokens) Token() (*oauth2.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.validFor(renewBefore) {
		return t.current, nil
	}
	fresh, err := t.fetch()
	if err == nil {
		t.current = fresh
		t.log.Debug("access token received", "issuer", t.settings.IssuerURI, "expires", fresh.Expiry)
		return fresh, nil
	}
	err = &tokenError{fmt.Sprintf("cannot get an access token from %s: %s: check OPERATOR__AUTHENTICATION__ISSUERURI, __CLIENTID and __CLIENTSECRET",
		t.settings.IssuerURI, inOneLine(err))}
	if t.validFor(0) {
		t.log.Warn("access token not renewed: the old one is still good", "reason", err)
		return t.current, nil
	}
	return nil, err
}

// tokenError: the issuer, not the controller, is why there is no connection.
type tokenError struct{ text string }

func (e *tokenError) Error() string { return e.text }

// inOneLine is what a log can take of an error that repeats the issuer's answer.
func inOneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxAnswer {
		text = bounds.Cut(text, maxAnswer) + "…"
	}
	return text
}

// sentBy returns a transport that sends the token with each request. Without one no request is sent, unless the client's secret is not
// set: then the issuer has refused what could not succeed, and the controller may take an operator that does not say who it is.
func (t *tokens) sentBy(base http.RoundTripper) http.RoundTripper {
	withToken := &oauth2.Transport{Source: t, Base: base}
	if t.settings.ClientSecret != "" {
		return withToken
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if _, err := t.Token(); err != nil {
			t.log.Warn("connecting without an access token: OPERATOR__AUTHENTICATION__CLIENTSECRET is not set", "reason", err)
			return base.RoundTrip(r)
		}
		return withToken.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (t *tokens) validFor(d time.Duration) bool {
	return t.current != nil && (t.current.Expiry.IsZero() || time.Until(t.current.Expiry) > d)
}

// forget drops a token that the controller has refused: the next one is fresh.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = nil
}

func (t *tokens) fetch() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	ctx = oidc.ClientContext(ctx, t.http)
	// The issuer's name is not compared: settings often end in a slash that the issuer's own name has not, and no
	// identity token is verified here.
	provider, err := oidc.NewProvider(oidc.InsecureIssuerURLContext(ctx, t.settings.IssuerURI), t.settings.IssuerURI)
	if err != nil {
		return nil, err
	}
	endpoint := provider.Endpoint().TokenURL
	if isTLS(t.settings.IssuerURI) && !isTLS(endpoint) {
		return nil, fmt.Errorf("it wants the client's secret without TLS, at %s", endpoint)
	}
	grant := clientcredentials.Config{
		ClientID: t.settings.ClientID, ClientSecret: t.settings.ClientSecret,
		TokenURL: endpoint, Scopes: []string{"octo_api"},
	}
	if t.settings.TenantID != "" {
		grant.EndpointParams = map[string][]string{"acr_values": {"tenant:" + t.settings.TenantID}}
	}
	return grant.Token(ctx)
}

func isTLS(address string) bool {
	return len(address) > len("https:") && strings.EqualFold(address[:len("https:")], "https:")
}
