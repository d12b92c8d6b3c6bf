package handlers

import (
	"context"
	"fmt"

	"octo-operator/hub"
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
	return h.releases.scale(ctx, t, s)
}

func scaleStatus(event hub.Event, success bool, message string) *report {
	s, _ := hub.Decode[hub.WorkloadScale](event.Argument) // as far as it can be read
	return newReport(methodScaleStatus, s.Workload, hub.WorkloadScaleStatus{
		TenantID: s.TenantID, WorkloadRtID: s.WorkloadRtID, WorkloadName: shortened(s.WorkloadName, maxWorkloadName), Replicas: s.Replicas,
		Success: success, StatusMessage: message,
	})
}

func checkScale(s hub.WorkloadScale, most int) error {
	switch {
	case s.Replicas < 0:
		return fmt.Errorf("replicas is %d: it must be 0 or more", s.Replicas)
	case s.Replicas > most:
		return fmt.Errorf("replicas is %d: at most %d are allowed: ask for fewer, or raise OPERATOR__MAXREPLICAS", s.Replicas, most)
	}
	return nil
}
