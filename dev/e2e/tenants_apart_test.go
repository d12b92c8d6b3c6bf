package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// The ids of these tenants all result in the same names in Kubernetes.
func TestTenantsWithOneNameInTheClusterTouchNothingOfEachOther(t *testing.T) {
	t.Parallel()
	for _, tenants := range [][2]string{{"victim-corp", "victim.corp"}, {"victim-corp", "VICTIM_CORP"}, {"victim.corp", "victim-corp"}, {"victim corp", "victim-corp"}} {
		t.Run(tenants[1]+" acts on "+tenants[0], func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.start()
			victim := w.ofTenant(tenants[0], "Shop", appRtID)
			victim.Values = secret("old")
			if s := w.deploy(victim); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			w.waitUntilSettled()
			release, resource := "victim-corp-"+appRtID, "victim-corp-"+w.pool.ID
			taken := w.pool
			taken.TenantID = tenants[1]
			w.pool.ID = w.pool.ID[:20] + "ffff" // the other tenant's own pool, for its workloads
			evil := w.ofTenant(tenants[1], "Evil", appRtID)
			evil.Values = secret("new")

			w.wantUntouchedBy(evil, taken, resource)
			// Without the labels, which somebody has removed by hand, the objects still belong to nobody else.
			w.kubectl("label", "secret", "--selector", "owner=helm,name="+release, group+"tenant-", group+"tenant-hash-", group+"workload-rt-id-")
			w.kubectl("label", "secret", release+"-octo-secrets", resource+"-octo-mesh-connection", group+"tenant-", group+"workload-rt-id-", group+"pool-rt-id-", group+"managed-by-")
			w.kubectl("label", "communicationpool", resource, group+"tenant-", group+"pool-rt-id-")
			w.wantUntouchedBy(evil, taken, resource)
			victim.Values = secret("newer") // it still belongs to its own tenant
			if s := w.deploy(victim); !s.Success || !strings.Contains(w.secretData(release+"-octo-secrets"), planted+"newer") {
				t.Errorf("%+v", s)
			}
			w.kubectl("patch", "communicationpool", resource, "--type", "merge", "--patch", `{"metadata":{"finalizers":["test/holds"]}}`)
			w.kubectl("delete", "communicationpool", resource, "--wait=false")
			w.wantUntouchedBy(evil, taken, resource)
			w.kubectl("patch", "communicationpool", resource, "--type", "merge", "--patch", `{"metadata":{"finalizers":null}}`)
		})
	}
}

const group = "octo-mesh.meshmakers.io/"

// wantUntouchedBy sends all events of a tenant with the names of another one, and wants each refused and nothing changed.
func (w *world) wantUntouchedBy(evil devcontroller.Workload, taken devcontroller.Pool, resource string) {
	w.Helper()
	everything := func() string {
		return w.contents() + w.kubectl("get", "communicationpool", resource, "--output", "jsonpath={.metadata.uid} {.metadata.labels} {.spec}")
	}
	before := everything()
	reconciliation := evil
	reconciliation.IsReconciliation = true
	for what, ask := range map[string]func() string{
		"deploy":         func() string { s := w.deploy(evil); return fmt.Sprint(s.Success, s.StatusMessage) },
		"reconciliation": func() string { s := w.deploy(reconciliation); return fmt.Sprint(s.Success, s.StatusMessage) },
		"scale":          func() string { r := w.scale(evil, 7); return fmt.Sprint(r.Success, r.StatusMessage) },
		"undeploy": func() string {
			after := w.controller.LastSeq()
			w.must(w.controller.Undeploy(w.ctx, evil))
			s := w.waitForStatus(evil, after)
			return fmt.Sprint(s.Success, s.StatusMessage)
		},
		"deploy of the pool": func() string {
			before := len(w.failedPools())
			w.must(w.controller.PoolDeployed(w.ctx, taken))
			return w.failedPool(before)
		},
		"undeploy of the pool": func() string {
			before := len(w.failedPools())
			w.must(w.controller.PoolUndeployed(w.ctx, taken))
			return w.failedPool(before)
		},
	} {
		if said := ask(); strings.HasPrefix(said, "true") || !strings.Contains(said, "belongs to another") || strings.Contains(said, planted) {
			w.Errorf("the %s: %s", what, said)
		}
		if after := everything(); after != before {
			w.Fatalf("the %s has made of\n%s\nthis:\n%s", what, before, after)
		}
		w.waitUntilSettled() // a deploy that asks for the same as an unfinished one would be dropped
	}
}

// failedPool returns why the pool's event that was just sent has failed, which is not reported to the controller.
func (w *world) failedPool(before int) string {
	w.Helper()
	var failed []map[string]any
	if !w.eventually(func() bool { failed = w.failedPools(); return len(failed) > before }) {
		w.Fatalf("the pool's event does not fail; the operator's log:\n%s", w.operator.text())
	}
	return fmt.Sprint(failed[before]["reason"])
}

func (w *world) failedPools() []map[string]any {
	w.Helper()
	return slices.DeleteFunc(matching(w.operator.records(w.T), "event failed", nil), func(r map[string]any) bool { return r["pool"] == nil })
}
