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
	if err := h.undeploy(ctx, t, w.Workload); err != nil {
		return err
	}
	h.controller.Withdraw(methodDeploymentStatus, workloadKey(w.Workload)) // it would tell of a deploy that is gone
	return nil
}

// undeploymentStatus is none for a success: the contract has no report of its own. A failure goes out as a deployment
// status, so that somebody learns why the workload is still there.
func undeploymentStatus(event hub.Event, success bool, message string) *report {
	if success {
		return nil
	}
	return deploymentStatus(event, success, message)
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
	return h.releaseScript(ctx, t, release, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": release.name, "NAMESPACE": release.namespace, "SECRET": release.secretName(),
		"TIMEOUT": h.settings.Helm.Timeout.String(),
	})
}
