package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"octo-operator/kube"
	"octo-operator/names"
)

// webhookConfiguration has the fields of a Mutating- or ValidatingWebhookConfiguration that are needed here.
type webhookConfiguration struct {
	kind     string
	Metadata struct{ Name string }
	Webhooks []webhook
}

type webhook struct {
	Name, FailurePolicy string
	ClientConfig        struct {
		URL      string
		CABundle []byte
		Service  *struct{ Namespace, Name string }
	}
	Rules []struct{ APIGroups []string }
}

// webhooks tells which webhooks review pool resources, and whether the API server trusts the certificate of those that belong to this
// operator.
func (x *examination) webhooks(ctx context.Context) []Finding {
	all, err := x.webhookConfigurations(ctx)
	switch {
	case kube.Denied(err):
		return []Finding{found(Skip, "webhooks", "this account may not list webhook configurations (the chart allows it with rbac.scope=cluster)")}
	case err != nil:
		return []Finding{found(Warn, "webhooks", "cannot list the webhook configurations: %v", err).todo(slowCluster)}
	}
	self, _ := x.api.Self(ctx)
	var told []Finding
	ours := 0
	for _, c := range all {
		if mine := slices.IndexFunc(c.Webhooks, func(w webhook) bool { return x.isOurs(w, self.Namespace) }); mine >= 0 {
			ours++
			told = append(told, x.judgeWebhooks(c, self.Namespace))
			continue
		}
		w := c.Webhooks[0]
		told = append(told, found(OK, c.kind+" "+c.Metadata.Name, "judges pools, and is of another: %s, failurePolicy %s", w.server(), w.FailurePolicy))
	}
	if ours == 0 && x.Settings.HTTPS.Address != "" {
		told = append(told, found(Warn, "webhooks", "no webhook configuration points at this operator, which serves webhooks at %s", x.Settings.HTTPS.Address).
			todo("install the chart with serviceHooks.enabled=true; the rules in the CRDs judge pools meanwhile"))
	} else if len(all) == 0 {
		told = append(told, found(OK, "webhooks", "none judges pools"))
	}
	return told
}

// webhookConfigurations returns the configurations with a webhook for pool resources. Their other webhooks are left out.
func (x *examination) webhookConfigurations(ctx context.Context) (all []webhookConfiguration, err error) {
	for kind, plural := range map[string]string{
		"MutatingWebhookConfiguration": "mutatingwebhookconfigurations", "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
	} {
		var list struct{ Items []webhookConfiguration }
		if err := x.api.Do(ctx, http.MethodGet, "/apis/admissionregistration.k8s.io/v1/"+plural, nil, &list); err != nil {
			return nil, err
		}
		for _, c := range list.Items {
			c.kind = kind
			c.Webhooks = slices.DeleteFunc(c.Webhooks, func(w webhook) bool { return !w.judgesPools() })
			if len(c.Webhooks) > 0 {
				all = append(all, c)
			}
		}
	}
	slices.SortFunc(all, func(a, b webhookConfiguration) int {
		return strings.Compare(a.kind+a.Metadata.Name, b.kind+b.Metadata.Name)
	})
	return all, nil
}

func (w webhook) judgesPools() bool {
	for _, rule := range w.Rules {
		if slices.Contains(rule.APIGroups, names.Group) {
			return true
		}
	}
	return false
}

// server is the service or URL that the API server calls.
func (w webhook) server() string {
	if w.ClientConfig.Service != nil {
		return "service " + w.ClientConfig.Service.Namespace + "/" + w.ClientConfig.Service.Name
	}
	return w.ClientConfig.URL
}

// host is the name that the certificate must have.
func (w webhook) host() string {
	if w.ClientConfig.Service != nil {
		return w.ClientConfig.Service.Name + "." + w.ClientConfig.Service.Namespace + ".svc"
	}
	address, err := url.Parse(w.ClientConfig.URL)
	if err != nil {
		return ""
	}
	return address.Hostname()
}

// isOurs tells whether a webhook points to this operator: to a service in its pod's namespace, or to the address at which it listens.
func (x *examination) isOurs(w webhook, podNamespace string) bool {
	if w.ClientConfig.Service != nil {
		return podNamespace != "" && w.ClientConfig.Service.Namespace == podNamespace
	}
	address, err := url.Parse(w.ClientConfig.URL)
	_, port, splitErr := net.SplitHostPort(x.Settings.HTTPS.Address)
	return err == nil && splitErr == nil && address.Port() == port
}

// judgeWebhooks tells whether the API server will trust the certificate in the files. An expired one is reported by the check
// certificate.
func (x *examination) judgeWebhooks(c webhookConfiguration, podNamespace string) Finding {
	check := c.kind + " " + c.Metadata.Name
	pair, err := x.certificateInFiles()
	if err != nil {
		return found(Skip, check, "points at this operator; not compared: see the check certificate")
	}
	for _, w := range c.Webhooks {
		if !x.isOurs(w, podNamespace) {
			continue
		}
		if err := trusted(w, pair.Certificate, pair.Leaf, x.now()); err != nil {
			mark, effect := Fail, "no pool can be made or changed"
			if w.FailurePolicy == "Ignore" {
				mark, effect = Warn, "pools are made without its judgement (failurePolicy Ignore)"
			}
			return found(mark, check, "%s points at this operator (%s), and the API server does not trust its certificate: %v: %s", w.Name, w.server(), err, effect).
				todo("give both the same authority: helm upgrade writes caBundle anew; with cert-manager, look at the annotation cert-manager.io/inject-ca-from")
		}
	}
	w := c.Webhooks[0]
	return found(OK, check, "points at this operator (%s), whose certificate the API server trusts; failurePolicy %s", w.server(), w.FailurePolicy)
}

// trusted verifies a certificate as the API server does, except for its expiry.
func trusted(w webhook, chain [][]byte, leaf *x509.Certificate, now time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if len(w.ClientConfig.CABundle) == 0 {
		return errors.New("there is no caBundle")
	}
	if !roots.AppendCertsFromPEM(w.ClientConfig.CABundle) {
		return errors.New("caBundle holds no certificate")
	}
	for _, der := range chain[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	if now.After(leaf.NotAfter) {
		now = leaf.NotAfter
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: w.host(), Roots: roots, Intermediates: between, CurrentTime: now})
	if err != nil {
		return fmt.Errorf("%w (its name must be %s)", err, w.host())
	}
	return nil
}
