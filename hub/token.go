package hub

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"octo-operator/text"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"octo-operator/config"
	"octo-operator/exec"
)

const (
	// renewBefore is how long before its expiry a token is renewed, so that it does not expire on its way to the controller.
	renewBefore = time.Minute
	// tokenTimeout is shorter than dialTimeout, so that there is time to connect with the old token if the issuer does not answer.
	tokenTimeout = dialTimeout * 2 / 3
	// maxAnswer is in bytes: how much of an issuer's answer an error repeats. The answer may be a whole web page.
	maxAnswer = 300
)

// tokens gets access tokens from an OpenID Connect issuer (client-credentials grant) and keeps the newest.
type tokens struct {
	settings config.Authentication
	http     *http.Client
	log      *slog.Logger

	mu      sync.Mutex
	current *oauth2.Token
}

// newTokens uses an HTTP client of its own, because the issuer gets the client's secret: OPERATOR__INSECURESKIPVERIFY, which is about the
// controller, must not switch off the verification of the issuer.
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
		if before[0].Method == http.MethodGet { // the discovery carries no secret, but its answer says where the secret is sent
			return keepsTLS(next, before, setting)
		}
		return sameHost(setting)(next, before)
	}
	return &tokens{settings: settings.Authentication, http: client, log: log}, nil
}

// Token returns a token that is valid for at least renewBefore. If a new one cannot be fetched, it returns the old one while that is
// valid.
func (t *tokens) Token() (*oauth2.Token, error) { return t.token(context.Background()) }

// token does what Token does, and gives up when ctx ends.
func (t *tokens) token(ctx context.Context) (*oauth2.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.validFor(renewBefore) {
		return t.current, nil
	}
	fresh, err := t.fetch(ctx)
	if err == nil {
		t.current = fresh
		t.log.Debug("access token received", "issuer", t.settings.IssuerURI, "expires", fresh.Expiry)
		return fresh, nil
	}
	err = &tokenError{fmt.Sprintf("cannot get an access token from %s: %s: check OPERATOR__AUTHENTICATION__ISSUERURI, __CLIENTID and __CLIENTSECRET",
		t.settings.IssuerURI, t.inOneLine(err))}
	if t.validFor(0) {
		t.log.Warn("access token not renewed: the old one is still good", "reason", err, "next", "the next connection asks again")
		return t.current, nil
	}
	return nil, err
}

// tokenError says that there is no connection because of the token's issuer, not because of the controller.
type tokenError struct{ text string }

func (e *tokenError) Error() string { return e.text }

// inOneLine returns the error's text as one line of at most maxAnswer bytes, without the client's secret: an error page may show the request that
// it answers.
func (t *tokens) inOneLine(err error) string {
	secret := t.settings.ClientSecret
	told := exec.NewRedactor(secret, url.QueryEscape(secret)).String(err.Error()) // OAuth escapes it before it is in a header's base64
	return text.Shortened(strings.Join(strings.Fields(told), " "), maxAnswer)
}

// sentBy returns a transport that adds the token to each request. If there is no token, requests fail, unless
// OPERATOR__AUTHENTICATION__CLIENTSECRET is not set: then the issuer could only refuse, and the controller may accept an operator without
// a token.
func (t *tokens) sentBy(base http.RoundTripper) http.RoundTripper {
	withToken := &oauth2.Transport{Source: t, Base: base}
	if t.settings.ClientSecret != "" {
		return withToken
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if _, err := t.Token(); err != nil {
			t.log.Warn("connecting without an access token: OPERATOR__AUTHENTICATION__CLIENTSECRET is not set", "reason", err,
				"setting", "OPERATOR__AUTHENTICATION__CLIENTSECRET")
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

// forget drops a token that the controller has refused, so that the next request fetches a new one.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = nil
}

func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	ctx = oidc.ClientContext(ctx, t.http)
	// The issuer's own name for itself need not equal the setting, which often has an additional slash at its end: no identity token is verified
	// here.
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
