package handlers

import (
	"context"
	"fmt"
	"strconv"

	"octo-operator/hub"
	"octo-operator/scripts"
)

// scaleWorkload sets the replicas of a release's Deployments.
func (h *Handlers) scaleWorkload(ctx context.Context, t *task) error {
	s, err := hub.Decode[hub.WorkloadScale](t.event.Argument)
	if err == nil {
		err = checkScale(s, h.settings.MaxReplicas)
	}
	if err != nil {
		return fmt.Errorf("cannot scale the workload: %w", err)
	}
	return h.scale(ctx, t, s)
}

func scaleStatus(event hub.Event, success bool, message string) *report {
	s, _ := hub.Decode[hub.WorkloadScale](event.Argument) // as far as it can be read
	return newReport(methodScaleStatus, s.Workload, hub.WorkloadScaleStatus{
		TenantID: s.TenantID, WorkloadRtID: s.WorkloadRtID, WorkloadName: shortened(s.WorkloadName, maxWorkloadName), Replicas: s.Replicas,
		Success: success, StatusMessage: message,
	})
}

func (h *Handlers) scale(ctx context.Context, t *task, s hub.WorkloadScale) error {
	r, err := h.releases.locate(ctx, s.Workload)
	if err != nil {
		return err
	}
	revisions, err := h.releases.owned(ctx, r, s.Workload)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("there is no release %s in namespace %s, so no Deployment of it: nothing to scale", r.name, r.namespace)
	}
	return t.script(ctx, scripts.WorkloadScale, map[string]string{
		"TENANT": s.TenantID, "WORKLOAD": s.WorkloadName, "RELEASE": r.name, "NAMESPACE": r.namespace,
		"REPLICAS": strconv.Itoa(s.Replicas),
	})
}
