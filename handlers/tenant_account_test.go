package handlers_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"octo-operator/hub"
)

// asAccount lets a rig act as tenants' accounts.
var asAccount = with("TENANTSERVICEACCOUNT", "tenants/octo-{tenant}")

const account = "system:serviceaccount:tenants:octo-acme"

func TestAllThatIsDoneForAWorkloadIsDoneAsItsTenantsAccount(t *testing.T) {
	r := newRig(t, asAccount, withBroker)
	r.succeed(r.run(event(hub.PoolDeployed, pool)))
	r.deploy("shop", secret("secrets.key", "planted-key"))
	r.deploy("shop", secret("secrets.key", "planted-other-key"))
	r.deploy("shop", secret("secrets.key", "planted-other-key"), resent)
	r.succeed(r.run(scaleEvent("shop", 2)))
	r.fails("helm upgrade", "Error: no")
	r.run(deployEvent("shop", secret("secrets.key", "planted-key")))
	r.usually()
	r.succeed(r.run(undeployEvent("shop")))
	r.succeed(r.run(event(hub.PoolUndeployed, pool)))

	r.mu.Lock()
	calls := slices.Clone(r.calls)
	r.mu.Unlock()
	acted := 0
	for _, c := range calls {
		line, as := c.String(), c.flag("as")+c.flag("kube-as-user")
		switch {
		case c.is("helm version"), c.is("kubectl version"), c.is("kubectl proxy"), c.is("helm pull"), c.is("octo-operator look"):
		case strings.Contains(line, "pool.yaml"), strings.Contains(line, "communicationpools"), strings.Contains(line, "octo-mesh-connection"):
			if as != "" {
				t.Errorf("for a pool it acts as %s: %s", as, line)
			}
		default:
			if acted++; as != account {
				t.Errorf("it acts as %q: %s", as, line)
			}
		}
	}
	if acted < 10 {
		t.Errorf("of %d commands %d were a workload's", len(calls), acted)
	}
	// The dry run of a reconciliation, and the looks at what a chart has made.
	for _, part := range []string{"?dryRun=All", "/deployments/" + releaseName("shop")} {
		if !slices.ContainsFunc(r.impersonated(), func(request string) bool {
			return strings.Contains(request, part) && strings.HasSuffix(request, " as "+account)
		}) {
			t.Errorf("no request with %s as %s in %q", part, account, r.impersonated())
		}
	}
	for _, request := range r.impersonated() {
		if strings.Contains(request, "/secrets") || strings.Contains(request, "communicationpools") {
			t.Errorf("the operator's own marks are a tenant's: %s", request)
		}
	}
}

// What a person runs again must have the same rights.
func TestARunThatIsRunAgainActsAsTheAccountToo(t *testing.T) {
	r := newRig(t, asAccount)
	r.deploy("shop")
	wantText(t, r.file("env"), "export OCTO_AS="+account+"\n")
	wantText(t, r.log.String(), "--kube-as-user="+account)
}

func TestNoTwoTenantsShareAnAccount(t *testing.T) {
	t.Parallel()
	tenants := append([]string{victimTenant, "acme", "victim-corp-0123456789abcdef0123", "0123456789abcdef0123", "acme-" + longTenant, longTenant, longTenant + "y", "-", "Ä", "ä", "acme-", "a--b"}, sameNames...)
	var mu sync.Mutex
	accounts := map[string]string{} // to the tenant that has it
	t.Run("each", func(t *testing.T) {
		for _, tenant := range tenants {
			t.Run(tenant, func(t *testing.T) {
				r := newRig(t, asAccount, with("CLUSTERJOURNAL", "false"))
				r.run(deployEvent("shop", ofTenant(tenant)))
				for _, c := range r.called("helm template") {
					as := c.flag("kube-as-user")
					mu.Lock()
					if other := accounts[as]; other != "" && other != tenant {
						t.Errorf("%q and %q share %s", tenant, other, as)
					}
					accounts[as] = tenant
					mu.Unlock()
					if len(as) > len("system:serviceaccount:tenants:octo-")+63 {
						t.Errorf("the name is too long: %s", as)
					}
				}
			})
		}
	})
	if accounts["system:serviceaccount:tenants:octo-victim-corp"] != victimTenant {
		t.Errorf("the account of a plain tenant is %v", accounts)
	}
	if len(accounts) < 15 {
		t.Errorf("only %d accounts: %v", len(accounts), accounts)
	}
}
