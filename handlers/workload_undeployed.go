package handlers

import (
	"context"
	"errors"
	"fmt"

	"octo-operator/hub"
	"octo-operator/scripts"
)

// workloadUndeployed uninstalls a workload's release and removes its secret. The contract has no report for it; a failure
// goes out as a deployment status, so that somebody learns why the workload is still there.
func (h *Handlers) workloadUndeployed(ctx context.Context, t *task) error {
	w, err := hub.Decode[hub.WorkloadUndeployed](t.event.Argument)
	if err = errors.Join(err, w.Check()); err == nil {
		err = h.undeploy(ctx, t, w.Workload)
	} else {
		err = fmt.Errorf("cannot undeploy the workload: %w", err)
	}
	if err != nil && ctx.Err() == nil {
		h.reportDeployment(t, w.Workload, err)
	}
	return err
}

func (h *Handlers) undeploy(ctx context.Context, t *task, w hub.Workload) error {
	release, err := releaseOf(h.settings, w)
	if err != nil {
		return err
	}
	labels, err := h.kubectl.ReleaseLabels(ctx, release.namespace, release.name)
	if err = errors.Join(err, h.checkOwner(ctx, release, w, labels)); err != nil {
		return err
	}
	return h.script(ctx, t, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": release.name, "NAMESPACE": release.namespace, "SECRET": release.secretName(),
		"TIMEOUT": h.settings.Helm.Timeout.String(),
	})
}
