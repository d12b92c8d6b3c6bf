package names

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
		if got, err := DNSName(test.parts...); err != nil || got != test.want {
			t.Errorf("DNSName(%q) = %q, %v; want %q", test.parts, got, err, test.want)
		}
	}
}

func TestLongTenantIdsKeepWorkloadsApart(t *testing.T) {
	tenant := strings.Repeat("very-long-tenant-", 5)
	first, err := DNSName(tenant, "65d5c447b420da3fb12381bc")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := DNSName(tenant, "65d5c447b420da3fb12381bd")
	otherTenant, _ := DNSName(tenant+"x", "65d5c447b420da3fb12381bc")
	if first == second || first == otherTenant {
		t.Errorf("names collide: %s %s %s", first, second, otherTenant)
	}
	if !strings.HasSuffix(first, "-65d5c447b420da3fb12381bc") {
		t.Errorf("%s has lost the runtime id", first)
	}
}

func TestTheHashOfAShortenedNameCannotBeMatchedByTrying(t *testing.T) {
	tenant := strings.Repeat("very-long-tenant-", 5)
	name, err := DNSName(tenant, "65d5c447b420da3fb12381bc")
	if want := "very-long-tenant-fafab382de-65d5c447b420da3fb12381bc"; err != nil || name != want {
		t.Errorf("got %s, %v; want %s: 40 bits of hash in the middle", name, err, want)
	}
	label := LabelValue(tenant)
	if want := "very-long-tenant-very-long-tenant-very-long-tenant-v-19ba84e1a8"; label != want {
		t.Errorf("got the label %s, want %s", label, want)
	}
}

func TestANameWithoutLetterOrDigitIsAnError(t *testing.T) {
	if _, err := DNSName("--", "äöü"); err == nil {
		t.Error("no error")
	}
}

func FuzzNamesAreValidForHelmAndKubernetes(f *testing.F) {
	f.Add("acme", "65d5c447b420da3fb12381bc")
	f.Add(strings.Repeat("a-", 40), strings.Repeat("-b", 40))
	f.Fuzz(func(t *testing.T, tenant, id string) {
		name, err := DNSName(tenant, id)
		if err == nil && (len(name) == 0 || len(name) > maxName || Sanitize(name) != name) {
			t.Errorf("DNSName(%q, %q) = %q", tenant, id, name)
		}
		if simple := simpleName(tenant + "-" + id); len(simple) <= maxName && name != simple {
			t.Errorf("DNSName(%q, %q) = %q, and the reference operator's is %q", tenant, id, name, simple)
		}
		if label := LabelValue(tenant); label != "" && (len(label) > MaxLabel || !ValidLabel.MatchString(label)) {
			t.Errorf("LabelValue(%q) = %q", tenant, label)
		}
	})
}

// simpleName applies the reference operator's rule, a character at a time.
func simpleName(of string) string {
	var words []string
	word := ""
	for _, r := range strings.ToLower(of) + "-" {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			word += string(r)
		case word != "":
			words, word = append(words, word), ""
		}
	}
	return strings.Join(words, "-")
}

func TestLabelValuesOfDifferentTenantsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, tenant := range []string{"acme", "acme corp", "acme-corp", "acme/corp", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		label := LabelValue(tenant)
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
		if r, err := ReleaseOf(settings, w); err != nil || r.Namespace != want {
			t.Errorf("type %d goes to %q, %v; want %q", kind, r.Namespace, err, want)
		}
	}
	settings.PlatformNamespace = ""
	if r, _ := ReleaseOf(settings, w); r.Namespace != "octo" {
		t.Errorf("without a platform namespace it goes to %q", r.Namespace)
	}
}

func TestTheReferenceOperatorsNamesAreKnownWhereTheyDiffer(t *testing.T) {
	const id = "65d5c447b420da3fb12381bc"
	byID := func(tenant string) hub.Workload {
		return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolRtID: id}, WorkloadRtID: id}
	}
	byName := func(tenant, name string) hub.Workload {
		return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolName: "main"}, WorkloadName: name}
	}
	long := strings.Repeat("t", 28)
	for _, test := range []struct {
		w    hub.Workload
		want string
	}{
		{byID("acme"), ""},
		{byID(long), ""}, // 53 characters
		{byID(long + "t"), long + "t-" + id[:23]},
		{byID(strings.Repeat("t", 52) + "-x"), strings.Repeat("t", 52)}, // no dash at the end
		{byName("acme", "Shop"), ""},
		{byName("Acme Corp.", "Shop"), "acme-corp--shop"}, // a dash for each special character
		{byName("acme", "Coffee & Tea"), "acme-coffee---tea"},
		{byName("acme", strings.Repeat("n", 60)), "acme-" + strings.Repeat("n", 48)},
	} {
		if got := strings.Join(ReferenceReleases(test.w), " "); got != test.want {
			t.Errorf("%s, %s: other names %q, want %q", test.w.TenantID, NameOrID(test.w), got, test.want)
		}
	}
	for pool, want := range map[hub.Pool]string{
		{TenantID: "acme", PoolRtID: id}:                "",
		{TenantID: long + "t", DeploymentSiteRtID: id}:  long + "t-" + id[:23],
		{TenantID: "acme.corp", PoolName: "Main--Pool"}: "acme.corp-main--pool",
		{TenantID: "acme", PoolName: "Main Pool"}:       "", // the API server accepts no name with a space
	} {
		if got := strings.Join(ReferencePools(pool), " "); got != want {
			t.Errorf("%v: other names %q, want %q", pool, got, want)
		}
	}
}

func TestTheReferenceOperatorsLabelsAreKnown(t *testing.T) {
	for s, want := range map[string]string{
		"acme": "acme", "Acme Corp.": "Acme-Corp", "__": "unknown", "": "unknown",
		strings.Repeat("a", 62) + ".b": strings.Repeat("a", 62),
	} {
		if got := ReferenceLabel(s); got != want {
			t.Errorf("referenceLabel(%q) = %q, want %q", s, got, want)
		}
	}
}
