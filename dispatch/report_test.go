package dispatch

import (
	"testing"

	"octo-operator/hub"
)

func TestOnlyReportsOnTheSameWorkloadReplaceEachOther(t *testing.T) {
	workload := func(tenant, rtID, name string) hub.Workload {
		return hub.Workload{Pool: hub.Pool{TenantID: tenant}, WorkloadRtID: rtID, WorkloadName: name}
	}
	different := []hub.Workload{
		workload("acme", "", "shop"), workload("acme", "", "/shop"), workload("acme/", "", "shop"), workload("acme//", "", "shop"),
		workload("acme", "", `" name "shop`), workload(`acme" name "`, "", "shop"), workload("acme\x00", "", "shop"), workload("acme", "", "\x00shop"),
		workload("acme", "65d5c447b420da3fb1238101", ""), workload("acme", "", "65d5c447b420da3fb1238101"),
		workload("beta", "65d5c447b420da3fb1238101", ""), workload("acme", "65d5c447b420da3fb1238102", ""),
	}
	of := map[string]hub.Workload{}
	for _, w := range different {
		if other, taken := of[workloadKey(w)]; taken {
			t.Errorf("%+v and %+v have the key %s", w, other, workloadKey(w))
		}
		of[workloadKey(w)] = w
	}
	before, renamed := workload("acme", "65d5c447b420da3fb1238101", "shop"), workload("acme", "65d5c447b420da3fb1238101", "Shop 2")
	if workloadKey(before) != workloadKey(renamed) {
		t.Error("a workload that was renamed is another one")
	}
}
