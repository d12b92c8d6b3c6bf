package handlers

import (
	"context"
	"fmt"

	"octo-operator/dispatch"
	"octo-operator/hub"
)

// workloadUndeployed uninstalls a workload's release and removes its secret.
func (h *Handlers) workloadUndeployed(ctx context.Context, t *dispatch.Task) error {
	w, err := hub.Decode[hub.WorkloadUndeployed](t.Event.Argument)
	if err != nil {
		return fmt.Errorf("cannot undeploy the workload: %w", err)
	}
	if err := h.releases.Undeploy(ctx, t, w.Workload); err != nil {
		return err
	}
	t.Withdraw(w.Workload)
	return nil
}

// undeploymentStatus is none for a success: the contract has no report of its own. A failure goes out as a deployment
// status, so that somebody learns why the workload is still there.
func undeploymentStatus(event hub.Event, success bool, message string) *dispatch.Report {
	if success {
		return nil
	}
	return deploymentStatus(event, success, message)
}
