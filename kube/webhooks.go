package kube

import (
	"context"
	"net/http"
)

// WebhookConfiguration returns the configuration object that makes the API server call a webhook, such as "MutatingWebhookConfiguration
// operator". "": there is none, or the operator's role does not allow to look.
func (k *Client) WebhookConfiguration(ctx context.Context, webhook string) string {
	for _, kind := range []struct{ name, plural string }{
		{"MutatingWebhookConfiguration", "mutatingwebhookconfigurations"},
		{"ValidatingWebhookConfiguration", "validatingwebhookconfigurations"},
	} {
		type configuration struct {
			Metadata Metadata
			Webhooks []struct{ Name string }
		}
		all, err := list[configuration](ctx, k, request{method: http.MethodGet, path: "/apis/admissionregistration.k8s.io/v1/" + kind.plural})
		if err != nil {
			k.log.Debug("webhooks not looked at", "reason", err)
			return ""
		}
		for _, c := range all {
			for _, w := range c.Webhooks {
				if w.Name == webhook {
					return kind.name + " " + c.Metadata.Name
				}
			}
		}
	}
	return ""
}
