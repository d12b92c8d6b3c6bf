package release

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers/release/changes"
	"octo-operator/handlers/release/charts"
	"octo-operator/names"
	"octo-operator/scripts"
)

// Install runs workload-deploy. It does nothing if an earlier try of the same event has installed the release, and was interrupted while it
// waited for the pods.
func (d *Deployment) Install(ctx context.Context) error {
	t, labels := d.task, d.live.labels
	if labels["status"] == "deployed" && labels[names.RunLabel] == t.ShortID() && !d.secret.writes {
		t.Log.Info("the release is installed by an earlier try of this event: only the wait for its pods is left", "revision", labels["version"])
		d.hideInstalledSecrets(ctx, labels["version"])
		if !d.recallChanges() && !t.Has(ChangesFile) {
			d.noteChanges(changes.Report{}, errors.New("an earlier try of this event, on another disk, has installed the release"))
		}
		return nil
	}
	t.Phase(runs.PhaseCheck)
	compares := !t.MayHaveChanged || !d.recallChanges()
	t.MayHaveChanged = true
	t.MakesSecret = t.MakesSecret || labels == nil && d.secret.live == nil && d.secret.writes
	if d.secret.keeps {
		if err := d.secrets.keep(ctx, t, d.Release, d.secret.live); err != nil {
			return err
		}
	}
	variables, err := d.lookVariables(ctx)
	if err != nil {
		return err
	}
	maps.Copy(variables, d.scriptVariables())
	stop := d.rollouts.watchHelm(ctx, t, d.Release)
	defer stop()
	announced := func(string) {}
	if compares {
		comparison := d.watchChanges(ctx)
		defer comparison.end(ctx)
		announced, t.BeforeWrite = comparison.announced, comparison.beforeWrite
	}
	t.OnCommand = func(command string) {
		announced(command)
		d.hideChartSecrets(command)
		if changesCluster(command) {
			t.Phase(runs.PhaseInstall)
		}
	}
	defer func() { t.OnCommand, t.BeforeWrite = nil, nil }()
	return helmScript(ctx, t, scripts.WorkloadDeploy, variables)
}

// changesCluster tells of a command that workload-deploy announces whether the checks are over.
func changesCluster(command string) bool {
	return !strings.Contains(command, "helm template ") && !strings.Contains(command, "--dry-run")
}

// scriptVariables are the inputs of workload-deploy, except for those of octo-operator look: docs/scripts.md has the list.
func (d *Deployment) scriptVariables() map[string]string {
	scaleTo := d.replicas.scaleTo(d.document, d.chart)
	return map[string]string{
		"HELM": d.helmMajor, "TENANT": d.Event.TenantID, "WORKLOAD": d.Event.WorkloadName,
		"RELEASE": d.Release.Name, "NAMESPACE": d.Release.Namespace,
		"LABELS":  joinLabels(d.labels()),
		"UPGRADE": strconv.FormatBool(d.live.labels != nil), "WAIT": strconv.FormatBool(d.chart.HooksAfter),
		"SECRET": d.secret.apply(), "SECRET_REPLACES": strconv.FormatBool(d.secret.foreign),
		"TIMEOUT": d.settings.Helm.Timeout.String(), "FORCE_CONFLICTS": strconv.FormatBool(d.settings.Helm.ForceConflicts),
		// What helm has applied on the client's side, the server takes for another manager's. And the Deployments are scaled after
		// the dry run, which finds the old count there.
		"DRY_RUN_FORCES": strconv.FormatBool(!d.serverSide || d.settings.Helm.ForceConflicts || scaleTo != ""),
		"REPLICAS":       scaleTo, "SCALE_SCRIPT": d.scripts.Path(scripts.WorkloadScale),
		dispatch.LookUpVariable: strconv.FormatBool(d.chart.LooksUp || charts.MayLookUp(d.document.YAML)),
	}
}

// joinLabels writes labels as helm's --labels takes them, in the order of their keys.
func joinLabels(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}

// AwaitReady restarts the workloads whose running pods still have the Secret's old values, waits until everything in the release is ready, and
// notes that on its revision. A newer event for the release ends the wait.
func (d *Deployment) AwaitReady(ctx context.Context) error {
	if len(d.secret.restarts.Workloads) > 0 {
		d.task.Phase(runs.PhaseSettle)
	}
	restarted, err := d.secrets.restart(ctx, d.task, d.Release, d.secret.restarts)
	if err != nil {
		return err
	}
	if len(restarted.Workloads) > 0 {
		d.task.Say("restarted because of changed secrets (" + restarted.keys() + "): " + restarted.names(", "))
	}
	d.task.Phase(runs.PhaseReady)
	labels, err := d.rollouts.await(ctx, d.task, d.Release)
	if err != nil {
		return err
	}
	d.task.Phase(runs.PhaseSettle)
	return d.rollouts.markReady(ctx, d.Release, labels, d.task.ShortID())
}

// SettleSecret completes the change of the Secret once the pods are ready: the copy of the old values is deleted, and also the Secret if no value
// needs it.
func (d *Deployment) SettleSecret(ctx context.Context) error {
	d.task.Phase(runs.PhaseSettle)
	return d.secrets.settle(ctx, d.task, d)
}
