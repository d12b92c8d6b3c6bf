package names

import (
	"fmt"
	"regexp"

	"octo-operator/config"
	"octo-operator/hub"
)

// With OPERATOR__TENANTSERVICEACCOUNT, RBAC decides what a tenant's workloads may do: helm and kubectl act as the tenant's service account (OCTO_AS
// in the scripts), and so do the operator's own requests for objects that a chart names. The operator uses its own rights for its own records (labels
// of revisions, the journal, the Secret with older values, the owner of an adapter pool's objects), and for everything that it does for pools.

const (
	longestInAccount = 40
	accountHash      = 20 // 80 bits: a tenant with an id that has the same hash would get the same account
)

var (
	plainTenant = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	madeAccount = regexp.MustCompile(fmt.Sprintf(`(^|-)[0-9a-f]{%d}$`, accountHash))
)

// accountPart returns what stands for a tenant in the name of its account: its id, if that is valid there unchanged; otherwise a similar text with a
// hash, so that no two tenants share an account.
func accountPart(tenant string) string {
	if len(tenant) <= longestInAccount && plainTenant.MatchString(tenant) && !madeAccount.MatchString(tenant) {
		return tenant
	}
	like := Sanitize(tenant)
	like = Sanitize(like[:min(len(like), longestInAccount)])
	if like != "" {
		like += "-"
	}
	return like + HashOf(tenant)[:accountHash]
}

// AccountOf returns the user that helm and kubectl impersonate for an event. "": they use the operator's own rights.
func AccountOf(settings config.Config, event hub.Event) string {
	if settings.TenantAccount.Name == "" || !ofWorkload(event) {
		return ""
	}
	w, err := hub.Decode[hub.Tenant](event.Argument)
	if err != nil || w.TenantID == "" {
		return "" // it is refused before anything is done
	}
	return settings.TenantAccount.Of(accountPart(w.TenantID), settings.PoolNamespace)
}

func ofWorkload(event hub.Event) bool {
	switch event.Callback {
	case hub.WorkloadDeployedCallback, hub.WorkloadUndeployedCallback, hub.ScaleWorkload:
		return true
	}
	return false
}
