package handlers

import (
	"context"
	"fmt"
	"strconv"

	"octo-operator/hub"
	"octo-operator/scripts"
)

func (rs *releases) scale(ctx context.Context, t *task, s hub.WorkloadScale) error {
	release, err := rs.locate(ctx, s.Workload)
	if err != nil {
		return err
	}
	revisions, err := rs.owned(ctx, release, s.Workload)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("there is no release %s in namespace %s, so no Deployment of it: nothing to scale", release.name, release.namespace)
	}
	return t.script(ctx, scripts.WorkloadScale, map[string]string{
		"TENANT": s.TenantID, "WORKLOAD": s.WorkloadName, "RELEASE": release.name, "NAMESPACE": release.namespace,
		"REPLICAS": strconv.Itoa(s.Replicas),
	})
}
