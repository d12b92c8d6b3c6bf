package handlers

import (
	"context"
	"errors"
	"fmt"

	"octo-operator/hub"
	"octo-operator/scripts"
)

// workloadUndeployed uninstalls a workload's release and removes its secret.
func (h *Handlers) workloadUndeployed(ctx context.Context, t *task) error {
	w, err := hub.Decode[hub.WorkloadUndeployed](t.event.Argument)
	if err = errors.Join(err, w.Check()); err != nil {
		return fmt.Errorf("cannot undeploy the workload: %w", err)
	}
	release, err := releaseOf(h.settings, w.Workload)
	if err != nil {
		return err
	}
	labels, err := h.kubectl.ReleaseLabels(ctx, release.namespace, release.name)
	if err = errors.Join(err, h.checkOwner(ctx, release, w.Workload, labels)); err != nil {
		return err
	}
	return h.script(ctx, t, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": release.name, "NAMESPACE": release.namespace, "SECRET": release.secretName(),
		"TIMEOUT": h.settings.Helm.Timeout.String(),
	})
}
