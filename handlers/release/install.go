package release

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"octo-operator/dispatch"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/runs"
	"octo-operator/scripts"
)

// Install lets the script do its work.
func (rs *Releases) Install(ctx context.Context, t *dispatch.Task, d *Deployment) error {
	t.MayHaveChanged = true
	t.MakesSecret = t.MakesSecret || d.Found.Labels == nil && d.Secret.live == nil && d.Secret.Writes
	if err := rs.keepSecret(ctx, t, d); err != nil {
		return err
	}
	variables, err := rs.lookVariables(ctx, d)
	if err != nil {
		return err
	}
	stop := rs.watchProgress(ctx, t, d.Release)
	defer stop()
	scaleTo := d.replicas.scaleTo(d.document, d.chart)
	maps.Copy(variables, map[string]string{
		"HELM": d.helm, "TENANT": d.Event.TenantID, "WORKLOAD": d.Event.WorkloadName,
		"RELEASE": d.Release.Name, "NAMESPACE": d.Release.Namespace,
		"LABELS":  joinLabels(d.labels(t.Run)),
		"UPGRADE": strconv.FormatBool(d.Found.Labels != nil), "WAIT": strconv.FormatBool(d.chart.HooksAfter),
		"SECRET": d.Secret.apply(), "SECRET_REPLACES": strconv.FormatBool(d.Secret.foreign),
		"TIMEOUT": rs.Settings.Helm.Timeout.String(), "FORCE_CONFLICTS": strconv.FormatBool(rs.Settings.Helm.ForceConflicts),
		// What helm has applied on the client's side, the server takes for another manager's. And the Deployments are scaled after
		// the dry run, which finds the old count there.
		"DRY_RUN_FORCES": strconv.FormatBool(!d.serverSide || rs.Settings.Helm.ForceConflicts || scaleTo != ""),
		"REPLICAS":       scaleTo, "SCALE_SCRIPT": rs.scripts.Path(scripts.WorkloadScale),
		dispatch.LookUpVariable: strconv.FormatBool(d.chart.LooksUp || charts.LooksUp.Match(d.document.YAML)),
	})
	return rs.script(ctx, t, scripts.WorkloadDeploy, variables)
}

// valuesFile is the last file that is written before anything is done in the cluster.
const valuesFile = "values.yaml"

// Installing tells whether an earlier life may have changed the cluster for a deploy. What it did on another disk is not known here.
func Installing(run *runs.Run) bool { return run.Inherited() || run.Has(valuesFile) }

// Settle is the end of a deploy whose pods are ready.
func (rs *Releases) Settle(ctx context.Context, t *dispatch.Task, d *Deployment) error {
	if err := rs.markReady(ctx, d.Release, t.ShortID()); err != nil {
		return err
	}
	return rs.SettleSecret(ctx, t, d)
}

// SecretsOf is everything that must not be seen in the output of a deploy.
func (rs *Releases) SecretsOf(w hub.WorkloadDeployed) []string {
	secrets := append(rs.Settings.Secrets(), w.RepositoryPassword)
	if repository, err := url.Parse(w.RepositoryURL); err == nil {
		secrets = append(secrets, repository.RawQuery) // it may be signed
	}
	for _, v := range w.Values {
		if v.IsSecret {
			secrets = append(secrets, v.Value)
		}
	}
	return secrets
}
