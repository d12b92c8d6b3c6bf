package kube

import (
	"context"
	"net/http"
)

type impersonated struct{}

// As lets requests with the context be judged by what a user may do, whom the API server knows by that name; its groups are those that the
// API server itself gives to a service account. "": it is the operator's own rights that count.
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
