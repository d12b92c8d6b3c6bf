package doctor

import (
	"context"
	"time"

	"octo-operator/config"
	"octo-operator/hub"
)

// controller tells whether an operator could connect: whether the issuer returns a token, and the controller accepts it.
func (x *examination) controller(ctx context.Context) (all []Finding) {
	if x.Settings.Authentication.Enabled() {
		token := x.token(ctx)
		all = append(all, token)
		if token.Mark != OK {
			return append(all, x.withoutToken(ctx))
		}
	}
	return append(all, x.dial(ctx, x.Settings))
}

func (x *examination) token(ctx context.Context) Finding {
	ctx, cancel := context.WithTimeout(ctx, x.limit/2) // the other half is for the controller
	defer cancel()
	probe, err := hub.NewProbe(x.Settings)
	var until time.Time
	if err == nil {
		until, err = probe.Token(ctx)
	}
	issuer := x.Settings.Authentication.IssuerURI
	switch {
	case err != nil && x.Settings.Authentication.ClientSecret == "":
		return found(Warn, "token", "%v", err).todo("set OPERATOR__AUTHENTICATION__CLIENTSECRET: the operator connects without a token")
	case err != nil:
		return found(Fail, "token", "%v", err).
			todo("look whether the issuer answers, and at OPERATOR__AUTHENTICATION__TENANTID: the operator does not connect without a token")
	case until.IsZero():
		return found(OK, "token", "given by %s, which does not say until when it is good", issuer)
	}
	return found(OK, "token", "given by %s, good until %s; the operator renews it before that", issuer, until.UTC().Format(time.RFC3339))
}

// withoutToken tells whether the controller can be reached at all, if there is no token.
func (x *examination) withoutToken(ctx context.Context) Finding {
	settings := x.Settings
	settings.Authentication = config.Authentication{}
	told := x.dial(ctx, settings)
	if told.Mark == Fail && told.Do == tokenWanted {
		return found(OK, "controller", "%s answers, and wants a token", x.Settings.ControllerURI)
	}
	return told
}

const tokenWanted = "look at the settings that the reason names; at the controller's log for why it refuses"

func (x *examination) dial(ctx context.Context, settings config.Config) Finding {
	if settings.ControllerURI == "" {
		return found(Warn, "controller", "OPERATOR__COMMUNICATIONCONTROLLERURI is not set: there are no events").
			todo("set it to the controller's address, https://…")
	}
	probe, err := hub.NewProbe(settings)
	if err == nil {
		err = probe.Dial(ctx)
	}
	switch {
	case hub.Refused(err):
		return found(Fail, "controller", "%v", err).todo(tokenWanted)
	case err != nil && ctx.Err() != nil:
		return found(Fail, "controller", "%s: %v", settings.ControllerURI, context.Cause(ctx)).
			todo("look whether the controller runs, and whether a network policy or a proxy is between")
	case err != nil:
		return found(Fail, "controller", "%v", err).
			todo("look whether the controller runs, whether OPERATOR__COMMUNICATIONCONTROLLERURI is right, and its certificate (OPERATOR__ROOTCACERTIFICATE)")
	}
	told := settings.ControllerURI + " takes the connection"
	if generation := x.generation(ctx); generation != 0 {
		told += "; generation " + generation.String()
	} else {
		told += "; only an operator that is registered learns its generation"
	}
	return found(OK, "controller", "%s", told)
}
