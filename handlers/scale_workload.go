package handlers

import (
	"context"
	"fmt"
	"strconv"

	"octo-operator/dispatch"
	"octo-operator/handlers/check"
	"octo-operator/hub"
	"octo-operator/scripts"
	"octo-operator/text"
)

// scaleWorkload sets the replicas of all Deployments of a workload's release.
func (h *Handlers) scaleWorkload(ctx context.Context, t *dispatch.Task) error {
	s, err := hub.Decode[hub.WorkloadScale](t.Event.Argument)
	if err == nil {
		err = check.Replicas(s, h.settings.MaxReplicas)
	}
	if err != nil {
		return fmt.Errorf("cannot scale the workload: %w", err)
	}
	r, err := h.releases.Locate(ctx, s.Workload)
	if err != nil {
		return err
	}
	revisions, err := h.releases.Owned(ctx, r, s.Workload)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("there is no release %s in namespace %s, so no Deployment of it: nothing to scale", r.Name, r.Namespace)
	}
	return t.Script(ctx, scripts.WorkloadScale, map[string]string{
		"TENANT": s.TenantID, "WORKLOAD": s.WorkloadName, "RELEASE": r.Name, "NAMESPACE": r.Namespace,
		"REPLICAS": strconv.Itoa(s.Replicas),
	})
}

// scaleStatus tells how a scale went.
func scaleStatus(event hub.Event, success bool, message string) *dispatch.Report {
	s, _ := hub.Decode[hub.WorkloadScale](event.Argument) // as far as it can be read
	return dispatch.NewReport(dispatch.MethodScaleStatus, s.Workload, hub.WorkloadScaleStatus{
		TenantID: s.TenantID, WorkloadRtID: s.WorkloadRtID, WorkloadName: text.Shortened(s.WorkloadName, check.MaxWorkloadName), Replicas: s.Replicas,
		Success: success, StatusMessage: message,
	})
}
