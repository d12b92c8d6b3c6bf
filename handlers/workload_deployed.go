package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/scripts"
)

func workloadPlace(settings config.Config, event hub.Event) (place, error) {
	w, err := hub.Decode[hub.Workload](event.Argument)
	p := place{tenant: w.TenantID, attrs: []any{"tenant", w.TenantID, "workload", w.WorkloadName}}
	if err = errors.Join(err, w.Check()); err != nil {
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
	if err = errors.Join(err, checkDeploy(w)); err != nil {
		return fmt.Errorf("cannot deploy the workload: %w", err)
	}
	t.redact = exec.NewRedactor(h.secretsOf(w)...)
	return h.deploy(ctx, t, w)
}

// deploymentStatus tells how a deploy went: every one that was not superseded gets its report.
func deploymentStatus(event hub.Event, success bool, message string) *report {
	w, _ := hub.Decode[hub.Workload](event.Argument) // as far as it can be read
	status := hub.WorkloadDeploymentStatus{
		TenantID: w.TenantID, WorkloadName: w.WorkloadName, WorkloadRtID: w.WorkloadRtID, Success: success, StatusMessage: message,
	}
	if w.Named() {
		status.PoolName = w.PoolName
	}
	return newReport(methodDeploymentStatus, w, status)
}

// deploy makes everything the script needs, and runs it.
func (h *Handlers) deploy(ctx context.Context, t *task, w hub.WorkloadDeployed) error {
	release, err := releaseOf(h.settings, w.Workload)
	if err != nil {
		return err
	}
	wait := h.lookUp(ctx, release)
	chart, err := h.charts.fetch(ctx, h, t, release, w)
	if err != nil {
		return err
	}
	found, err := wait()
	if err = errors.Join(err, h.checkOwner(ctx, release, w.Workload, found.labels)); err != nil {
		return err
	}
	if err := h.recover(ctx, t, release, found.labels); err != nil {
		return err
	}
	replicas := chooseReplicas(w, chart, found)
	document, err := merge.Document(h.layers(w, release, chart, replicas.value))
	if err != nil {
		return err
	}
	if err := h.writeManifests(t, w, release, document); err != nil {
		return err
	}
	t.log.Info("values merged", "chart", w.ChartName, "version", chart.version, "overrides", len(w.Values), "secrets", len(document.Secrets))
	if replicas.value != "" {
		t.log.Info("replicas set", "replicas", replicas.value, "reason", replicas.why)
	}
	major, err := h.helm.major(ctx)
	if err != nil {
		return err
	}
	stop := h.watchProgress(ctx, t, release)
	err = h.releaseScript(ctx, t, release, scripts.WorkloadDeploy, map[string]string{
		"HELM": major, "TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": release.name, "NAMESPACE": release.namespace,
		"LABELS": joinLabels(workloadLabels(w.Workload)), "SECRET": secretOf(release, document),
		"TIMEOUT": h.settings.Helm.Timeout.String(), "FORCE_CONFLICTS": strconv.FormatBool(h.settings.Helm.ForceConflicts),
		"REPLICAS": replicas.scaleTo(document, chart), "SCALE_SCRIPT": h.scripts.Path(scripts.WorkloadScale),
	})
	if err != nil && ctx.Err() == nil {
		h.recoverAfterwards(ctx, t, release)
	}
	return explain(err, stop())
}

// explain adds to helm's reason what a person needs to act on it.
func explain(err error, found string) error {
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "conflict with ") {
		err = fmt.Errorf("%w\nsomebody else changed these fields by hand or by another tool, and helm does not overwrite them: "+
			"either undo that change there, or let helm take the fields with OPERATOR__HELM__FORCECONFLICTS=true", err)
	}
	if found != "" {
		err = fmt.Errorf("%w\nfound in the cluster while helm waited:\n%s", err, found)
	}
	return err
}

func secretOf(r release, document merge.Result) string {
	if len(document.Secrets) == 0 {
		return ""
	}
	return r.secretName()
}

func (h *Handlers) writeManifests(t *task, w hub.WorkloadDeployed, release release, document merge.Result) error {
	if err := t.Write("values.yaml", document.YAML); err != nil {
		return err
	}
	if len(document.Secrets) == 0 {
		return nil
	}
	secret, err := secretManifest(release.secretName(), release.namespace, workloadLabels(w.Workload),
		map[string]string{group + "/workload-name": w.WorkloadName}, document.Secrets)
	if err != nil {
		return err
	}
	return t.Write("secret.yaml", secret)
}

// secretsOf is everything that must not be seen in the output of a deploy.
func (h *Handlers) secretsOf(w hub.WorkloadDeployed) []string {
	secrets := append(h.settings.Secrets(), w.RepositoryPassword)
	for _, v := range w.Values {
		if v.IsSecret {
			secrets = append(secrets, v.Value)
		}
	}
	return secrets
}
