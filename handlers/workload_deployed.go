package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/handlers/check"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// workloadPlace is where a workload's events belong.
func workloadPlace(settings config.Config, event hub.Event) (dispatch.Place, error) {
	w, err := hub.Decode[hub.Workload](event.Argument)
	p := dispatch.Place{
		Tenant: w.TenantID, Subject: names.SubjectOf(w.TenantID, names.NameOrID(w)),
		Attrs: []any{"tenant", text.Shown(w.TenantID), "workload", text.Shown(w.WorkloadName)},
	}
	if err != nil {
		return p, err
	}
	r, err := names.ReleaseOf(settings, w)
	p.Lane, p.Workload, p.Release = r.Lane(), text.Shown(w.WorkloadName), r.Name
	p.Attrs = append(p.Attrs, "release", r.Name)
	return p, err
}

// deployPlace is workloadPlace with what the deploy asks for, by which queued deploys are compared. Fields that this operator does not know are
// not compared, because they would not be deployed either.
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
	redact := exec.NewRedactor(release.Secrets(h.settings, w)...)
	if redact.Full() {
		return errTooManySecrets
	}
	t.Redact = redact
	return h.deploy(ctx, t, w)
}

var errTooManySecrets = errors.New("cannot deploy the workload: its secret values have too many different lines for all of them to be kept out of the log: " +
	"make them smaller, or put large files elsewhere")

// deploy deploys the release as the event asks for. The merged values and the Secret are written into the run directory, from where the script
// takes them.
func (h *Handlers) deploy(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) error {
	d, err := h.releases.Plan(ctx, t, w) // whose release it is, what the cluster has of it, the chart
	if err != nil {
		return err
	}
	t.Phase(runs.PhaseValues)
	if err := d.Merge(ctx); err != nil {
		return err
	}
	if err := d.WriteFiles(); err != nil { // values.yaml, secret.yaml
		return err
	}
	unchanged, err := d.Unchanged(ctx) // of a reconciliation
	if err != nil {
		return err
	}
	if unchanged {
		h.setPoolAsOwner(ctx, t, d) // the pool's resource may be another one by now
		return d.SettleSecret(ctx)
	}
	if err := d.Install(ctx); err != nil { // scripts/workload-deploy
		return err
	}
	h.setPoolAsOwner(ctx, t, d)
	if err := d.AwaitReady(ctx); err != nil {
		return err
	}
	return d.SettleSecret(ctx)
}

// cleanDeploy removes secrets from the manifest that stays in a deploy's run directory. It returns the event without secrets; nil: it had none.
func cleanDeploy(t *dispatch.Task) *hub.Event {
	release.RedactManifest(t)
	if clean, changed := t.Event.WithoutSecrets(); changed {
		return &clean
	}
	return nil
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
