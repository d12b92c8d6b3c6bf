package doctor

import (
	"context"
	"slices"
	"strings"

	"octo-operator/config"
	"octo-operator/kube"
	"octo-operator/names"
)

// rule is what must be allowed, in the form of a role's rules. The rules here are those of the chart's role: a test compares both.
type rule struct {
	group            string
	resources, verbs []string
	without          string // what fails without it
	content          bool   // it is needed only for charts that contain such objects
}

// apply are the verbs that helm and kubectl need for the objects of a chart.
var apply = []string{"get", "list", "watch", "create", "patch", "delete"}

var (
	// watchRules are for pool resources, in the namespace or namespaces that are watched.
	watchRules = []rule{
		{group: names.Group, resources: []string{"communicationpools", "deploymentsites"}, verbs: []string{"get", "list", "watch", "patch"},
			without: "no pool is registered"},
		{group: names.Group, resources: []string{"communicationpools/status", "deploymentsites/status"}, verbs: []string{"patch"},
			without: "no pool says how its registration went"},
	}
	// releaseRules are needed in each namespace of releases.
	releaseRules = []rule{
		{group: names.Group, resources: []string{"communicationpools", "deploymentsites"}, verbs: []string{"get", "list", "create", "patch", "delete"},
			without: "no pool is made or removed"},
		{resources: []string{"secrets"}, verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
			without: "nothing is deployed: helm keeps its releases in Secrets"},
		{group: "coordination.k8s.io", resources: []string{"leases"}, verbs: []string{"get", "list", "create", "patch", "delete"},
			without: "several operators would do everything twice"},
		{resources: []string{"namespaces"}, verbs: []string{"get"}, without: "helm 3 deploys nothing"},
		{resources: []string{"pods"}, verbs: []string{"get", "list", "watch"}, without: "nobody learns why a release is not ready"},
		{resources: []string{"events"}, verbs: []string{"list"}, without: "nobody learns why a release is not ready"},
		{group: "apps", resources: []string{"replicasets"}, verbs: []string{"get", "list", "watch"}, without: "no deploy knows when it is ready"},
		{resources: []string{"configmaps", "services", "serviceaccounts", "persistentvolumeclaims"}, verbs: apply, content: true},
		{group: "apps", resources: []string{"deployments", "statefulsets", "daemonsets"}, verbs: apply, content: true},
		{group: "batch", resources: []string{"jobs", "cronjobs"}, verbs: apply, content: true},
		{group: "networking.k8s.io", resources: []string{"ingresses", "networkpolicies"}, verbs: apply, content: true},
		{group: "autoscaling", resources: []string{"horizontalpodautoscalers"}, verbs: apply, content: true},
		{group: "policy", resources: []string{"poddisruptionbudgets"}, verbs: apply, content: true},
	}
	// webhookRules are needed in the whole cluster, if pool resources of all namespaces are watched.
	webhookRules = []rule{
		{group: "admissionregistration.k8s.io", resources: []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}, verbs: []string{"list"},
			without: "a webhook that keeps a pool from being made is named, but not whose it is", content: true},
	}
	// tenantRules are needed in the namespace of the tenants' accounts, with OPERATOR__TENANTSERVICEACCOUNT.
	tenantRules = []rule{
		{resources: []string{"serviceaccounts"}, verbs: []string{"impersonate"}, without: "no workload is deployed: helm and kubectl act as the tenants' accounts"},
	}
)

func accesses(rules []rule) (all []kube.Access) {
	for _, r := range rules {
		for _, resource := range r.resources {
			for _, verb := range r.verbs {
				all = append(all, kube.Access{Verb: verb, Group: r.group, Resource: resource})
			}
		}
	}
	return all
}

const allowIt = "allow it to the operator's service account: the chart in deploy/chart does (rbac.create), templates/_rules.tpl has the list"

// permissions compares what the operator needs with what it may.
func (x *examination) permissions(ctx context.Context) []Finding {
	releases := x.releaseRules()
	all := []Finding{x.allowed(ctx, "permissions to watch pools", x.Settings.WatchNamespace, watchRules)}
	for _, namespace := range x.releaseNamespaces() {
		all = append(all, x.allowed(ctx, "permissions for releases", namespace, releases))
	}
	if x.Settings.WatchNamespace == "" {
		all = append(all, x.allowed(ctx, "permissions to look at webhooks", "", webhookRules))
	}
	return all
}

// releaseRules returns the rules that these settings need.
func (x *examination) releaseRules() []rule {
	return slices.DeleteFunc(slices.Clone(releaseRules), func(r rule) bool {
		return r.group == "coordination.k8s.io" && !x.Settings.ClusterJournal || r.group == names.Group && !x.Settings.AutoManagePools
	})
}

// allowed tells whether all rules hold in a namespace; "": in all namespaces.
func (x *examination) allowed(ctx context.Context, check, namespace string, rules []rule) Finding {
	place := "in all namespaces"
	if namespace != "" {
		place = "in " + namespace
	}
	check += " " + place
	wanted := accesses(rules)
	missing, err := x.api.Missing(ctx, namespace, wanted)
	switch {
	case err != nil:
		return found(Fail, check, "%v", err).todo(slowCluster)
	case len(missing) == 0:
		return found(OK, check, "all %d are allowed", len(wanted))
	}
	mark, without := Warn, "charts that contain such objects fail"
	var list []string
	for _, a := range missing {
		list = append(list, a.String())
		at := slices.IndexFunc(rules, func(r rule) bool { return r.needs(a) })
		if r := rules[at]; r.without != "" && (mark == Warn || !r.content) {
			if without = r.without; !r.content {
				mark = Fail
			}
		}
	}
	return found(mark, check, "may not %s", strings.Join(list, ", ")).todo("%s; without it %s", allowIt, without)
}

func (r rule) needs(a kube.Access) bool {
	return r.group == a.Group && slices.Contains(r.resources, a.Resource) && slices.Contains(r.verbs, a.Verb)
}

// mostTenants is how many tenants' accounts are checked: those of the last deploys.
const mostTenants = 3

// tenantAccounts tells whether the operator may impersonate the tenants' accounts, and whether these may do what helm does for each
// release.
func (x *examination) tenantAccounts(ctx context.Context) []Finding {
	const check = "tenants' accounts"
	if x.Settings.TenantAccount == (config.TenantAccount{}) {
		return []Finding{found(OK, check, "OPERATOR__TENANTSERVICEACCOUNT is not set: tenants' workloads are deployed with the operator's own rights")}
	}
	namespace := x.Settings.TenantAccount.Namespace
	if namespace == "" {
		namespace = x.Settings.PoolNamespace
	}
	accounts := x.accounts()
	missing, err := x.api.Missing(ctx, namespace, accesses(tenantRules))
	if err != nil {
		return []Finding{found(Fail, check, "%v", err).todo(slowCluster)}
	}
	var all []Finding
	if len(missing) == 0 {
		all = append(all, found(OK, check, "may be impersonated, all those of namespace %s", namespace))
	} else if len(accounts) == 0 {
		return []Finding{found(Fail, check, "may not be impersonated in namespace %s", namespace).
			todo("allow the verb impersonate on serviceaccounts there: the chart's value operator.tenantServiceAccount does; docs/tenants.md")}
	}
	for _, account := range accounts {
		all = append(all, x.tenantAccount(ctx, account, namespace, len(missing) > 0))
	}
	return all
}

// tenantAccount checks one account. single: the operator may not impersonate all accounts, so its permission for this one is checked too.
func (x *examination) tenantAccount(ctx context.Context, account, namespace string, single bool) Finding {
	name := account[strings.LastIndexByte(account, ':')+1:]
	check := "tenant's account " + name
	if single {
		may, err := x.api.May(ctx, kube.Access{Verb: "impersonate", Resource: "serviceaccounts", Namespace: namespace, Name: name})
		if err != nil {
			return found(Fail, check, "%v", err).todo(slowCluster)
		}
		if !may {
			return found(Fail, check, "may not be impersonated").
				todo("allow the verb impersonate on serviceaccounts in namespace %s: the chart's value operator.tenantServiceAccount does; docs/tenants.md", namespace)
		}
	}
	secrets := slices.IndexFunc(releaseRules, func(r rule) bool { return slices.Contains(r.resources, "secrets") })
	missing, err := x.api.Missing(kube.As(ctx, account), x.Settings.PoolNamespace, accesses(releaseRules[secrets:secrets+1]))
	switch {
	case err != nil:
		return found(Fail, check, "%v", err).todo(slowCluster)
	case len(missing) > 0:
		return found(Fail, check, "may not %s in %s: nothing of this tenant is deployed", missing[0], x.Settings.PoolNamespace).
			todo("kubectl apply -f deploy/tenants, or bind another role to the account; docs/tenants.md")
	}
	return found(OK, check, "may be impersonated, and keep releases in %s", x.Settings.PoolNamespace)
}

// accounts returns the accounts of the tenants of the last deploys.
func (x *examination) accounts() (all []string) {
	for _, d := range x.deploys() {
		if account := names.AccountOf(x.Settings, d.event); account != "" && !slices.Contains(all, account) && len(all) < mostTenants {
			all = append(all, account)
		}
	}
	return all
}
