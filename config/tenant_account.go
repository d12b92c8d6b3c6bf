package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// TenantAccount is a template for the service account that helm and kubectl impersonate for a tenant's workloads. An empty Name means
// that there is none.
type TenantAccount struct {
	Namespace string // empty: that of pools
	Name      string // holds {tenant} once; see Of for what replaces it
}

const tenantPlaceholder = "{tenant}"

// Of returns the user name of a tenant's service account, as the API server knows it. tenant is the form of the tenant's id that may
// stand in an account's name: at most 63 characters. "": there is no account, and the operator's own rights are used.
func (a TenantAccount) Of(tenant, poolNamespace string) string {
	if a.Name == "" {
		return ""
	}
	namespace := a.Namespace
	if namespace == "" {
		namespace = poolNamespace
	}
	return "system:serviceaccount:" + namespace + ":" + strings.ReplaceAll(a.Name, tenantPlaceholder, tenant)
}

// accountName matches a valid template, by Kubernetes' rule for names. It is compiled at the first use: it is large, and few operators
// need it.
var accountName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9][-a-z0-9.]{0,99})?\{tenant\}([-a-z0-9.]{0,89}[a-z0-9])?$`)
})

func tenantAccount(into *TenantAccount) func(string) error {
	return func(text string) error {
		text = strings.TrimSpace(text)
		place, name, both := strings.Cut(text, "/")
		if !both {
			place, name = "", text
		}
		account := TenantAccount{Name: name}
		if both {
			if err := namespace(&account.Namespace)(place); err != nil {
				return err
			}
		}
		if !accountName().MatchString(name) {
			return fmt.Errorf("%q is no template of service accounts: NAME or NAMESPACE/NAME, where the name has {tenant} once, and besides it lower-case letters, digits, - and . alone", text)
		}
		*into = account
		return nil
	}
}
