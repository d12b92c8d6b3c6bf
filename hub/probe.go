package hub

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"octo-operator/config"
)

// Probe asks the controller and the token's issuer whether an operator could connect, without being one: it registers nothing, and does not
// disturb an operator that is connected.
type Probe struct{ client *Client }

// NewProbe returns a Probe. The error is that of New.
func NewProbe(settings config.Config) (*Probe, error) {
	client, err := New(settings, Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &Probe{client}, nil
}

// Token gets an access token from the issuer and returns when it ends; zero: the issuer does not say. Settings without authentication are
// an error: see config.Authentication.Enabled.
func (p *Probe) Token(ctx context.Context) (until time.Time, err error) {
	if p.client.tokens == nil {
		return time.Time{}, errors.New("cannot get an access token: no issuer and client are set")
	}
	token, err := p.client.tokens.token(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return token.Expiry, nil
}

// Dial opens the websocket as the operator does, with its token, and closes it at once. The hub does not notice: for SignalR a connection
// begins with a handshake, which is not sent. The error says which settings to check.
func (p *Probe) Dial(ctx context.Context) error {
	ws, err := dial(ctx, p.client.url(), p.client.http)
	if err != nil {
		return p.client.explainRefusal(err)
	}
	_ = ws.CloseNow()
	return nil
}

// Refused tells whether an error of Dial means that the controller was reached but wants a token, or another token.
func Refused(err error) bool {
	refused := (*refusedError)(nil)
	return errors.As(err, &refused)
}
