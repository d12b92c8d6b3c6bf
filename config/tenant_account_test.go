package config

import (
	"strings"
	"testing"
)

func TestATenantHasTheAccountOfTheTemplate(t *testing.T) {
	for template, want := range map[string]string{
		"":                             "",
		"octo-tenant-{tenant}":         "system:serviceaccount:octo:octo-tenant-acme",
		"{tenant}":                     "system:serviceaccount:octo:acme",
		" octo-tenants/t-{tenant}.x ":  "system:serviceaccount:octo-tenants:t-acme.x",
		"octo-tenants/{tenant}-deploy": "system:serviceaccount:octo-tenants:acme-deploy",
	} {
		c := load(t, "OPERATOR__TENANTSERVICEACCOUNT="+template)
		if got := c.TenantAccount.Of("acme", c.PoolNamespace); got != want {
			t.Errorf("%q makes %q, want %q", template, got, want)
		}
	}
}

// Without {tenant} all tenants would share an account, and with more than a name it would be somebody else's.
func TestATemplateOfAccountsThatIsNoneIsRefused(t *testing.T) {
	for _, template := range []string{"octo-tenant", "{tenant}{tenant}", "{Tenant}", "a:{tenant}", "a/b/{tenant}", "{tenant}/x", "/{tenant}", "-{tenant}", "{tenant}-",
		"Octo-{tenant}", "system:serviceaccount:octo:{tenant}", strings.Repeat("a", 101) + "{tenant}"} {
		_, err := Load([]string{"OPERATOR__TENANTSERVICEACCOUNT=" + template})
		if err == nil || !strings.Contains(err.Error(), "OPERATOR__TENANTSERVICEACCOUNT") {
			t.Errorf("%q: %v", template, err)
		}
	}
}
