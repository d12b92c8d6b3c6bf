package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// TenantAccount is a template of the service accounts with whose rights tenants' workloads are worked on. Without a Name there is none.
type TenantAccount struct {
	Namespace string // empty: that of pools
	Name      string // with {tenant} once, which stands for what TenantAccount's user makes of the tenant's id
}

const tenantPlaceholder = "{tenant}"

// Of returns the name that the API server knows a tenant's account by; tenant is at most 63 characters that may stand in its name.
// "": there is no such account, and the operator's own rights count.
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

// accountName is what the template's name must be around the tenant, by Kubernetes' rule for names. It is large, and few need it.
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
