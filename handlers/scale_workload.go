package handlers

import (
	"context"
	"fmt"

	"octo-operator/dispatch"
	"octo-operator/handlers/check"
	"octo-operator/hub"
	"octo-operator/text"
)

// scaleWorkload sets the replicas of a release's Deployments.
func (h *Handlers) scaleWorkload(ctx context.Context, t *dispatch.Task) error {
	s, err := hub.Decode[hub.WorkloadScale](t.Event.Argument)
	if err == nil {
		err = check.Replicas(s, h.settings.MaxReplicas)
	}
	if err != nil {
		return fmt.Errorf("cannot scale the workload: %w", err)
	}
	return h.releases.Scale(ctx, t, s.Workload, s.Replicas)
}

func scaleStatus(event hub.Event, success bool, message string) *dispatch.Report {
	s, _ := hub.Decode[hub.WorkloadScale](event.Argument) // as far as it can be read
	return dispatch.NewReport(dispatch.MethodScaleStatus, s.Workload, hub.WorkloadScaleStatus{
		TenantID: s.TenantID, WorkloadRtID: s.WorkloadRtID, WorkloadName: text.Shortened(s.WorkloadName, check.MaxWorkloadName), Replicas: s.Replicas,
		Success: success, StatusMessage: message,
	})
}
