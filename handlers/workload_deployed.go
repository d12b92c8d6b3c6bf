package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/queue"
	"octo-operator/exec"
	"octo-operator/handlers/check"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// workloadPlace is where a workload's events belong.
func workloadPlace(settings config.Config, event hub.Event) (dispatch.Place, error) {
	w, err := hub.Decode[hub.Workload](event.Argument)
	p := dispatch.Place{
		Tenant: w.TenantID, Owner: names.OwnerOf(w.TenantID, names.NameOrID(w)),
		Attrs: []any{"tenant", text.Shown(w.TenantID), "workload", text.Shown(w.WorkloadName)},
	}
	if err != nil {
		return p, err
	}
	release, err := names.ReleaseOf(settings, w)
	p.Lane = release.Lane()
	p.Attrs = append(p.Attrs, "release", release.Name)
	return p, err
}

// deployPlace is workloadPlace with what a deploy asks for, by which queued deploys are compared. Fields that this operator does not know do
// not count: they would not be deployed either.
func deployPlace(settings config.Config, event hub.Event) (dispatch.Place, error) {
	p, err := workloadPlace(settings, event)
	if err != nil {
		return p, err
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return p, err
	}
	p.Asks = queue.Ask{Reconciliation: w.IsReconciliation, Version: w.ChartVersion}
	w.IsReconciliation, w.ChartVersion = false, ""
	text, err := json.Marshal(w)
	p.Asks.Says = fmt.Sprintf("%x", sha256.Sum256(text))
	return p, err
}

// workloadDeployed deploys a workload, and keeps its secret values out of all that is logged of it.
func (h *Handlers) workloadDeployed(ctx context.Context, t *dispatch.Task) error {
	w, err := hub.Decode[hub.WorkloadDeployed](t.Event.Argument)
	if err != nil {
		return fmt.Errorf("cannot deploy the workload: %w", err)
	}
	redact := exec.NewRedactor(h.releases.SecretsOf(w)...)
	if redact.Full() {
		return fmt.Errorf("cannot deploy the workload: its secret values have too many different lines for all of them to be kept out of the log: " +
			"make them smaller, or put large files elsewhere")
	}
	t.Redact = redact
	return h.deploy(ctx, t, w)
}

// deploy brings the release to what the event asks for: plan, install, wait for its pods. Where an earlier try of the same event
// has installed it already, and for a reconciliation where it is there, that is not done again.
func (h *Handlers) deploy(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) error {
	d, err := h.releases.Plan(ctx, t, w)
	if err != nil {
		return err
	}
	done, err := h.releases.NothingToDo(ctx, t, d)
	if err != nil {
		return err
	}
	switch {
	case done:
		t.Log.Info("nothing to do: the release is what the reconciliation asks for", "revision", d.Found.Labels["version"])
		t.Say("nothing to do: revision " + d.Found.Labels["version"] + " of the release is what was asked for")
		h.setPoolAsOwner(ctx, t, d) // the pool's resource may be another one by now
		return h.releases.SettleSecret(ctx, t, d)
	case d.InstalledBy(t.Run) && !d.Secret.Writes:
		t.Log.Info("the release is installed by an earlier try of this event: only the wait for its pods is left", "revision", d.Found.Labels["version"])
	default:
		if err := h.releases.Install(ctx, t, d); err != nil {
			return err
		}
	}
	h.setPoolAsOwner(ctx, t, d)
	if err := h.releases.RestartUsers(ctx, t, d); err != nil {
		return err
	}
	if err := h.releases.AwaitPods(ctx, t, d.Release); err != nil {
		return err
	}
	return h.releases.Settle(ctx, t, d)
}

// deploymentStatus tells how a deploy went. Each deploy that was not superseded has such a report.
func deploymentStatus(event hub.Event, success bool, message string) *dispatch.Report {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	status := hub.WorkloadDeploymentStatus{
		TenantID: w.TenantID, WorkloadName: text.Shortened(w.WorkloadName, check.MaxWorkloadName), WorkloadRtID: w.WorkloadRtID,
		Success: success, StatusMessage: message,
	}
	if w.Named() {
		status.PoolName = text.Shortened(w.PoolName, check.MaxPoolName)
	}
	return dispatch.NewReport(dispatch.MethodDeploymentStatus, w, status)
}

// deploymentProgress tells what a deploy waits for. Other events have no such report.
func deploymentProgress(event hub.Event, message string) *dispatch.Report {
	w, err := hub.Decode[hub.Workload](event.Argument)
	if err != nil {
		return nil // how it ends will tell
	}
	return dispatch.NewReport(dispatch.MethodProgress, w, hub.WorkloadDeploymentProgress{
		TenantID: w.TenantID, WorkloadName: w.WorkloadName, WorkloadRtID: w.WorkloadRtID, Message: message,
	})
}
