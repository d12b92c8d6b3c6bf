package handlers

import (
	"strings"
	"testing"

	"octo-operator/config"
	"octo-operator/hub"
)

func TestNamesAreTheReferenceOperatorsUpToTheLimit(t *testing.T) {
	for _, test := range []struct {
		parts []string
		want  string
	}{
		{[]string{"acme", "65d5c447b420da3fb12381bc"}, "acme-65d5c447b420da3fb12381bc"},
		{[]string{"Acme Corp.", "Main Pool"}, "acme-corp-main-pool"},
		{[]string{"--acme__", "äöü7"}, "acme-7"},
		{[]string{strings.Repeat("t", 28), strings.Repeat("r", 24)}, strings.Repeat("t", 28) + "-" + strings.Repeat("r", 24)},
	} {
		if got, err := dnsName(test.parts...); err != nil || got != test.want {
			t.Errorf("dnsName(%q) = %q, %v; want %q", test.parts, got, err, test.want)
		}
	}
}

func TestLongTenantIdsKeepWorkloadsApart(t *testing.T) {
	tenant := strings.Repeat("very-long-tenant-", 5)
	first, err := dnsName(tenant, "65d5c447b420da3fb12381bc")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := dnsName(tenant, "65d5c447b420da3fb12381bd")
	otherTenant, _ := dnsName(tenant+"x", "65d5c447b420da3fb12381bc")
	if first == second || first == otherTenant {
		t.Errorf("names collide: %s %s %s", first, second, otherTenant)
	}
	if !strings.HasSuffix(first, "-65d5c447b420da3fb12381bc") {
		t.Errorf("%s has lost the runtime id", first)
	}
}

func TestTheHashOfAShortenedNameCannotBeMatchedByTrying(t *testing.T) {
	tenant := strings.Repeat("very-long-tenant-", 5)
	name, err := dnsName(tenant, "65d5c447b420da3fb12381bc")
	if want := "very-long-tenant-fafab382de-65d5c447b420da3fb12381bc"; err != nil || name != want {
		t.Errorf("got %s, %v; want %s: 40 bits of hash in the middle", name, err, want)
	}
	label := labelValue(tenant)
	if want := "very-long-tenant-very-long-tenant-very-long-tenant-v-19ba84e1a8"; label != want {
		t.Errorf("got the label %s, want %s", label, want)
	}
}

func TestANameWithoutLetterOrDigitIsAnError(t *testing.T) {
	if _, err := dnsName("--", "äöü"); err == nil {
		t.Error("no error")
	}
}

func FuzzNamesAreValidForHelmAndKubernetes(f *testing.F) {
	f.Add("acme", "65d5c447b420da3fb12381bc")
	f.Add(strings.Repeat("a-", 40), strings.Repeat("-b", 40))
	f.Fuzz(func(t *testing.T, tenant, id string) {
		name, err := dnsName(tenant, id)
		if err == nil && (len(name) == 0 || len(name) > maxName || sanitize(name) != name) {
			t.Errorf("dnsName(%q, %q) = %q", tenant, id, name)
		}
		if label := labelValue(tenant); label != "" && (len(label) > maxLabel || !validLabel.MatchString(label)) {
			t.Errorf("labelValue(%q) = %q", tenant, label)
		}
	})
}

func TestLabelValuesOfDifferentTenantsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, tenant := range []string{"acme", "acme corp", "acme-corp", "acme/corp", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		label := labelValue(tenant)
		if other, taken := seen[label]; taken {
			t.Errorf("%q and %q share the label %s", tenant, other, label)
		}
		seen[label] = tenant
	}
}

func TestAnAdapterPoolGoesToThePlatformNamespace(t *testing.T) {
	w := hub.Workload{Pool: hub.Pool{TenantID: "acme", PoolRtID: "x"}, WorkloadRtID: "65d5c447b420da3fb12381bc"}
	settings := config.Config{PoolNamespace: "octo", PlatformNamespace: "platform"}
	for kind, want := range map[hub.WorkloadType]string{hub.Adapter: "octo", hub.Application: "octo", hub.AdapterPool: "platform"} {
		w.WorkloadType = kind
		if r, err := releaseOf(settings, w); err != nil || r.namespace != want {
			t.Errorf("type %d goes to %q, %v; want %q", kind, r.namespace, err, want)
		}
	}
	settings.PlatformNamespace = ""
	if r, _ := releaseOf(settings, w); r.namespace != "octo" {
		t.Errorf("without a platform namespace it goes to %q", r.namespace)
	}
}
