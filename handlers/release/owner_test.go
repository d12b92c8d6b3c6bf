package release

import (
	"strings"
	"testing"

	"octo-operator/kube"
	"octo-operator/names"
)

func TestASecretIsTakenOverOnlyIfItIsTheWorkloadsOrNobodyElsesInItsRelease(t *testing.T) {
	labels := func(rtID string) map[string]string {
		return map[string]string{names.ManagedByLabel: names.ManagedBy, names.RtIDLabel: rtID, names.TenantLabel: "acme"}
	}
	const another = "65d5c447b420da3fb12381ff"
	own, cut := names.Release{Name: "a", Own: "a", Namespace: "octo"}, names.Release{Name: "cut", Own: "a", Namespace: "octo"}
	for name, test := range map[string]struct {
		labels  map[string]string
		release names.Release
		there   bool
		refused string // "": it is taken
	}{
		"the workload's":                         {labels(shop.WorkloadRtID), own, false, ""},
		"another workload's":                     {labels(another), own, false, "belongs to another workload"},
		"another workload's, beside the release": {labels(another), own, true, "belongs to another workload"},
		"nobody's, beside the release":           {nil, own, true, ""},
		"nobody's, and no release":               {nil, own, false, "kubectl label"},
		"under the reference operator's name":    {labels(another), cut, true, ""},
	} {
		err := checkSecret(&kube.Secret{Name: "a-octo-secrets", Labels: test.labels}, test.release, shop, test.there)
		if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: got %v, want %q", name, err, test.refused)
		}
	}
	if err := checkSecret(nil, own, shop, false); err != nil {
		t.Errorf("there is none: %v", err)
	}
}
