package handlers

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"octo-operator/hub"
	"octo-operator/runs"
	"octo-operator/scripts"
)

// install lets the script do its work.
func (rs *releases) install(ctx context.Context, t *task, d *deployment) error {
	t.installs = true
	t.makesSecret = t.makesSecret || d.found.labels == nil && d.secret.live == nil && d.secret.writes
	if err := rs.keepSecret(ctx, t, d); err != nil {
		return err
	}
	variables, err := rs.lookVariables(ctx, d)
	if err != nil {
		return err
	}
	stop := rs.watchProgress(ctx, t, d.release)
	defer stop()
	scaleTo := d.replicas.scaleTo(d.document, d.chart)
	maps.Copy(variables, map[string]string{
		"HELM": d.helm, "TENANT": d.w.TenantID, "WORKLOAD": d.w.WorkloadName,
		"RELEASE": d.release.name, "NAMESPACE": d.release.namespace,
		"LABELS":  joinLabels(d.labels(t.Run)),
		"UPGRADE": strconv.FormatBool(d.found.labels != nil), "WAIT": strconv.FormatBool(d.chart.hooksAfter),
		"SECRET": d.secret.apply(), "SECRET_REPLACES": strconv.FormatBool(d.secret.foreign),
		"TIMEOUT": rs.settings.Helm.Timeout.String(), "FORCE_CONFLICTS": strconv.FormatBool(rs.settings.Helm.ForceConflicts),
		// What helm has applied on the client's side, the server takes for another manager's. And the Deployments are scaled after
		// the dry run, which finds the old count there.
		"DRY_RUN_FORCES": strconv.FormatBool(!d.serverSide || rs.settings.Helm.ForceConflicts || scaleTo != ""),
		"REPLICAS":       scaleTo, "SCALE_SCRIPT": rs.scripts.Path(scripts.WorkloadScale),
		lookUpVariable: strconv.FormatBool(d.chart.looksUp || looksUp.Match(d.document.YAML)),
	})
	return rs.script(ctx, t, scripts.WorkloadDeploy, variables)
}

// valuesFile is the last file that is written before anything is done in the cluster.
const valuesFile = "values.yaml"

// installing tells whether an earlier life may have changed the cluster for a deploy. What it did on another disk is not known here.
func installing(run *runs.Run) bool { return run.Inherited() || run.Has(valuesFile) }

// settle is the end of a deploy whose pods are ready.
func (rs *releases) settle(ctx context.Context, t *task, d *deployment) error {
	if err := rs.markReady(ctx, d.release, t.ShortID()); err != nil {
		return err
	}
	return rs.settleSecret(ctx, t, d)
}

// secretsOf is everything that must not be seen in the output of a deploy.
func (rs *releases) secretsOf(w hub.WorkloadDeployed) []string {
	secrets := append(rs.settings.Secrets(), w.RepositoryPassword)
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
