package names

import (
	"fmt"
	"regexp"

	"octo-operator/config"
	"octo-operator/hub"
)

// With OPERATOR__TENANTSERVICEACCOUNT, RBAC judges what a tenant's workloads may do: helm and kubectl act as the tenant's service account
// (OCTO_AS in the scripts), and so do the operator's own requests where a chart says which object is meant. What the operator keeps for
// itself (its marks on revisions, the journal, what was kept of a secret, who owns an adapter pool) it does with its own rights, and so
// all that it does for pools.

const (
	longestInAccount = 40
	accountHash      = 20 // 80 bits: whoever finds a tenant's id with the same one has its account
)

var (
	plainTenant = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	madeAccount = regexp.MustCompile(fmt.Sprintf(`(^|-)[0-9a-f]{%d}$`, accountHash))
)

// accountPart is what stands for a tenant in the name of its account: its id, where that can be there as it is. Otherwise it is something
// like it with a hash: no two tenants share an account.
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

// AccountOf is whom helm and kubectl act as for an event. "": as the operator itself.
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
