package release

import (
	"context"
	"fmt"
	"strconv"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// Scale gives each Deployment of a workload's release so many replicas. It is an error if there is no such release, or if it is not
// provably the workload's.
func (d *Deployer) Scale(ctx context.Context, t *dispatch.Task, w hub.Workload, replicas int) error {
	r, err := d.owners.locate(ctx, w)
	if err != nil {
		return err
	}
	revisions, err := d.owners.owned(ctx, r, w)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("there is no release %s in namespace %s, so no Deployment of it: nothing to scale", r.Name, r.Namespace)
	}
	return t.Script(ctx, scripts.WorkloadScale, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName, "RELEASE": r.Name, "NAMESPACE": r.Namespace,
		"REPLICAS": strconv.Itoa(replicas),
	})
}
