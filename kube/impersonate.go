package kube

import (
	"context"
	"net/http"
)

type impersonated struct{}

// As returns a context whose requests impersonate a user: the API server decides by that user's rights. user is a name as the API server
// knows it, such as system:serviceaccount:NAMESPACE:NAME. "": requests are sent with the operator's own rights.
func As(ctx context.Context, user string) context.Context {
	if user == "" {
		return ctx
	}
	return context.WithValue(ctx, impersonated{}, user)
}

func impersonate(ctx context.Context, header http.Header) (user string) {
	if user, _ = ctx.Value(impersonated{}).(string); user != "" {
		header.Set("Impersonate-User", user)
	}
	return user
}
