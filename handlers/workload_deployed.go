package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/journal"
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
	if replicas.disagree != "" {
		t.log.Warn("the release's Deployments have different replica counts: the largest is kept", "replicas", replicas.value, "deployments", replicas.disagree)
	}
	major, err := h.helm.major(ctx)
	if err != nil {
		return err
	}
	stop := h.watchProgress(ctx, t, w, release)
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

var chartName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// checkDeploy refuses what could not work, or could mean something else on a command line.
func checkDeploy(w hub.WorkloadDeployed) error {
	if err := w.Check(); err != nil {
		return err
	}
	repository, err := url.Parse(w.RepositoryURL)
	switch {
	case err != nil || repository.Host == "" || (repository.Scheme != "http" && repository.Scheme != "https" && repository.Scheme != "oci"):
		return fmt.Errorf("repositoryUrl is not an http://, https:// or oci:// URL")
	case w.RepositoryPassword == journal.LostPassword:
		return errors.New("the password of the chart's repository was lost when the operator's pod was replaced: deploy again, and set OPERATOR__AUTHENTICATION__CLIENTSECRET, which seals it")
	case repository.User != nil:
		return fmt.Errorf("repositoryUrl holds credentials: they belong in repositoryUsername and repositoryPassword")
	case !chartName.MatchString(w.ChartName):
		return fmt.Errorf("chartName %q is not the name of a chart", w.ChartName)
	case strings.HasPrefix(w.ChartVersion, "-") || strings.ContainsAny(w.ChartVersion, "\n\x00"):
		return fmt.Errorf("chartVersion %q is not a version", w.ChartVersion)
	}
	return nil
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

const removedSecret = "[removed after the run]"

// withoutSecrets is the event as it may stay on disk.
func withoutSecrets(event hub.Event) (hub.Event, bool) {
	if event.Callback != hub.WorkloadDeploy {
		return event, false
	}
	// Not through the DTO: what a newer controller sent besides stays too.
	var fields map[string]any
	if json.Unmarshal(event.Argument, &fields) != nil {
		return hub.Event{Callback: event.Callback, Argument: json.RawMessage(`"[not readable, removed after the run]"`)}, true
	}
	changed := false
	for name, value := range fields {
		if strings.EqualFold(name, "repositoryPassword") && value != nil {
			fields[name], changed = removedSecret, true
		}
		if strings.EqualFold(name, "values") {
			changed = removeSecretValues(value) || changed
		}
	}
	clean, err := json.Marshal(fields)
	return hub.Event{Callback: event.Callback, Argument: clean}, changed && err == nil
}

// removeSecretValues works on the decoded JSON list of overrides; whatever is not clearly plain counts as secret.
func removeSecretValues(values any) (changed bool) {
	list, _ := values.([]any)
	for _, v := range list {
		override, _ := v.(map[string]any)
		secret := false
		for name, value := range override {
			secret = secret || strings.EqualFold(name, "isSecret") && value != false && value != nil
		}
		for name := range override {
			if secret && strings.EqualFold(name, "value") {
				override[name], changed = removedSecret, true
			}
		}
	}
	return changed
}
