package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/hub"
)

func workloadPlace(settings config.Config, event hub.Event) (place, error) {
	w, err := hub.Decode[hub.Workload](event.Argument)
	p := place{tenant: w.TenantID, owner: ownerOf(w.TenantID, nameOrID(w)), attrs: []any{"tenant", shown(w.TenantID), "workload", shown(w.WorkloadName)}}
	if err != nil {
		return p, err
	}
	release, err := releaseOf(settings, w)
	p.lane = release.lane()
	p.attrs = append(p.attrs, "release", release.name)
	return p, err
}

// deployPlace is workloadPlace with what a deploy asks for. What is unknown to this operator does not count: it would not be
// deployed either.
func deployPlace(settings config.Config, event hub.Event) (place, error) {
	p, err := workloadPlace(settings, event)
	if err != nil {
		return p, err
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return p, err
	}
	p.asks = ask{reconciliation: w.IsReconciliation, version: w.ChartVersion}
	w.IsReconciliation, w.ChartVersion = false, ""
	text, err := json.Marshal(w)
	p.asks.says = fmt.Sprintf("%x", sha256.Sum256(text))
	return p, err
}

// workloadDeployed deploys a workload.
func (h *Handlers) workloadDeployed(ctx context.Context, t *task) error {
	w, err := hub.Decode[hub.WorkloadDeployed](t.event.Argument)
	if err != nil {
		return fmt.Errorf("cannot deploy the workload: %w", err)
	}
	redact := exec.NewRedactor(h.releases.secretsOf(w)...)
	if redact.Full() {
		return fmt.Errorf("cannot deploy the workload: its secret values have too many different lines for all of them to be kept out of the log: " +
			"make them smaller, or put large files elsewhere")
	}
	t.redact = redact
	return h.deploy(ctx, t, w)
}

// deploymentStatus tells how a deploy went: every one that was not superseded gets its report.
func deploymentStatus(event hub.Event, success bool, message string) *report {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	status := hub.WorkloadDeploymentStatus{
		TenantID: w.TenantID, WorkloadName: shortened(w.WorkloadName, maxWorkloadName), WorkloadRtID: w.WorkloadRtID,
		Success: success, StatusMessage: message,
	}
	if w.Named() {
		status.PoolName = shortened(w.PoolName, maxPoolName)
	}
	return newReport(methodDeploymentStatus, w, status)
}

// deploy brings the release to what the event asks for: plan, install, wait for its pods. Where an earlier try of the same event
// has installed it already, and for a reconciliation where it is there, that is not done again.
func (h *Handlers) deploy(ctx context.Context, t *task, w hub.WorkloadDeployed) error {
	d, err := h.releases.plan(ctx, t, w)
	if err != nil {
		return err
	}
	done, err := h.releases.nothingToDo(ctx, t, d)
	if err != nil {
		return err
	}
	switch {
	case done:
		t.log.Info("nothing to do: the release is what the reconciliation asks for", "revision", d.found.labels["version"])
		t.say("nothing to do: revision " + d.found.labels["version"] + " of the release is what was asked for")
		h.own(ctx, t, d) // the pool's resource may be another one by now
		return h.releases.settleSecret(ctx, t, d)
	case d.installedBy(t.Run) && !d.secret.writes:
		t.log.Info("the release is installed by an earlier try of this event: only the wait for its pods is left", "revision", d.found.labels["version"])
	default:
		if err := h.releases.install(ctx, t, d); err != nil {
			return err
		}
	}
	h.own(ctx, t, d)
	if err := h.releases.restartUsers(ctx, t, d); err != nil {
		return err
	}
	if err := h.releases.awaitPods(ctx, t, d.release); err != nil {
		return err
	}
	return h.releases.settle(ctx, t, d)
}

// deploymentProgress tells what a deploy waits for. Other events have no such report.
func deploymentProgress(event hub.Event, message string) *report {
	w, err := hub.Decode[hub.Workload](event.Argument)
	if err != nil {
		return nil // how it ends will tell
	}
	return newReport(methodProgress, w, hub.WorkloadDeploymentProgress{
		TenantID: w.TenantID, WorkloadName: w.WorkloadName, WorkloadRtID: w.WorkloadRtID, Message: message,
	})
}
