package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
	"octo-operator/runs"
)

// deployment is a deploy with everything it needs: what is to be, and what is there.
type deployment struct {
	w        hub.WorkloadDeployed
	release  release
	helm     string // its major version
	chart    chart
	found    installed
	document merge.Result
	replicas replicas
	secret   secretChange
	content  string // chart and values, as a hash

	serverSide bool // helm applies the release there, and always has
}

// plan looks at the cluster, gets the chart, merges the values and writes them into the run directory. Nothing is changed but
// what a killed helm has left.
func (rs *releases) plan(ctx context.Context, t *task, w hub.WorkloadDeployed) (*deployment, error) {
	d := &deployment{w: w}
	var err error
	if d.release, err = rs.locate(ctx, w.Workload); err != nil {
		return nil, err
	}
	t.release = d.release
	if d.release.name != d.release.own {
		t.log.Info("the release goes on under the name that the reference operator has given it", "name", d.release.name)
	}
	wait := rs.lookUp(ctx, d.release)
	if d.chart, err = rs.charts.fetch(ctx, t, d.release, w); err != nil {
		return nil, err
	}
	d.found, err = wait()
	if err = errors.Join(err, rs.checkOwner(ctx, d.release, w.Workload, d.found.revisions)); err != nil {
		return nil, err
	}
	if d.found.labels, err = rs.usable(ctx, t, d.release, d.found.labels); err != nil {
		return nil, err
	}
	if d.helm, err = rs.helm.major(ctx); err != nil {
		return nil, err
	}
	if d.serverSide, err = rs.appliesOnServer(ctx, d); err != nil {
		return nil, err
	}
	return d, rs.mergeValues(ctx, t, d)
}

func (rs *releases) mergeValues(ctx context.Context, t *task, d *deployment) (err error) {
	d.replicas = chooseReplicas(d.w, d.chart, d.found)
	layers := rs.layers(d.w, d.release, d.chart, d.replicas.value)
	if d.content, err = contentOf(t.Path(chartFile), layers, d.w.Hibernated); err != nil {
		return err
	}
	if d.document, err = merge.Document(layers); err != nil {
		return err
	}
	t.log.Info("values merged", "chart", d.w.ChartName, "version", d.chart.version, "overrides", len(d.w.Values), "secrets", len(d.document.Secrets))
	for _, out := range d.document.LeftOut {
		if d.w.Hibernated && out.Path == replicaCount {
			return fmt.Errorf("cannot put the workload to sleep: its chart does not take the value %s: %s", replicaCount, out.Reason)
		}
		t.log.Info("value of the operator's own left out", "path", out.Path, "layer", out.Layer, "reason", out.Reason)
	}
	if d.replicas.value != "" {
		t.log.Info("replicas set", "replicas", d.replicas.value, "reason", d.replicas.why)
	}
	if d.replicas.disagree != "" {
		t.log.Warn("the release's Deployments do not run the same number of replicas: the largest counts", "deployments", d.replicas.disagree)
	}
	if d.secret, err = rs.planSecret(ctx, t, d); err != nil {
		return err
	}
	return t.Write(valuesFile, d.document.YAML)
}

// contentOf is a hash of what a deploy would install. It becomes a label, so secret values are left out; the Secret is compared with
// the cluster's instead. What is pinned, the count of replicas that run, is left out too: it may change without a deploy.
func contentOf(archive string, in merge.Input, hibernated bool) (string, error) {
	for _, overrides := range []*[]merge.Override{&in.Injected, &in.Overrides} {
		*overrides = slices.Clone(*overrides)
		for i := range *overrides {
			if o := &(*overrides)[i]; o.Secret {
				o.Value = ""
			}
		}
	}
	digest, err := digestOf(archive)
	if err != nil {
		return "", fmt.Errorf("cannot read the chart: %w", err)
	}
	text, err := json.Marshal([]any{[sha256.Size]byte(digest), hibernated, in.Context, in.Values, in.Injected, in.Overrides})
	if err != nil {
		return "", fmt.Errorf("cannot tell what the values are: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:20]), nil
}

// labels are those of the revision that the run makes.
func (d *deployment) labels(run *runs.Run) map[string]string {
	labels := workloadLabels(d.w.Workload)
	labels[tenantHash] = hashOf(d.w.TenantID)
	labels[runLabel] = run.ShortID()
	labels[contentLabel] = d.content
	labels[rolloutLabel] = rolloutWaiting
	labels[wakesLabel] = strconv.FormatBool(d.replicas.wakes(d.document, d.chart))
	labels[serverSideLabel] = strconv.FormatBool(d.serverSide)
	if d.release.name != d.release.own {
		labels[laneLabel] = d.release.own
	}
	if d.w.WorkloadType == hub.AdapterPool {
		labels[ownerLabel] = noOwner // until own has found it
	}
	return labels
}

// appliesOnServer tells whether helm applies the release on the server's side, and always has. Of a revision that somebody else has
// made, helm's own note tells: it hands the label down, helm 3 too. What a person has set since must be found before anything is
// touched: taking the failed deploy back would undo it.
func (rs *releases) appliesOnServer(ctx context.Context, d *deployment) (bool, error) {
	labels := d.found.labels
	switch {
	case d.helm == "3":
		return false, nil
	case labels == nil:
		return true, nil
	case labels[serverSideLabel] != "" && !d.found.byHand:
		return labels[serverSideLabel] == "true", nil
	}
	return rs.kubectl.AppliedOnServer(ctx, d.release.namespace, d.release.name, labels["version"])
}

// nothingToDo tells whether a reconciliation finds what it asks for. Nobody has asked for it: a second revision of the same would
// only restart pods and push the last good one out of Helm's history. No process runs for that, and nothing is changed.
func (rs *releases) nothingToDo(ctx context.Context, t *task, d *deployment) (bool, error) {
	if !d.isThere() {
		return false, nil
	}
	manifest, err := rs.kubectl.Manifest(ctx, d.release.namespace, d.release.name, d.found.labels["version"])
	if err != nil {
		return false, err
	}
	drift, err := rs.kubectl.Drift(t.asTenant(ctx), manifest, d.release.namespace)
	if err != nil {
		return false, fmt.Errorf("cannot compare release %s with the cluster: %w", d.release.name, err)
	}
	if drift != "" {
		t.log.Warn("the cluster has something else than the release: it is deployed again", "revision", d.found.labels["version"], "found", drift)
		t.say("deployed again, because the cluster had something else: " + drift)
	}
	return drift == "", nil
}

// isThere tells whether the release's newest revision, and its Secret, are what a reconciliation asks for.
func (d *deployment) isThere() bool {
	labels := d.found.labels
	if !d.w.IsReconciliation || d.found.byHand || labels["status"] != "deployed" || labels[rolloutLabel] != rolloutReady || labels[contentLabel] != d.content {
		return false
	}
	if d.w.WorkloadType == hub.AdapterPool && len(d.found.replicas) == 0 {
		return false // its Deployments have gone with the resource of its pool, which Helm does not know
	}
	for key, value := range workloadLabels(d.w.Workload) {
		if labels[key] != value {
			return false // it has moved to another pool
		}
	}
	runs := slices.ContainsFunc(d.found.replicas, func(r kube.DeploymentReplicas) bool { return r.Replicas > 0 })
	asleep := len(d.found.replicas) > 0 && !runs
	right := !asleep
	if d.w.Hibernated {
		right = !runs
	}
	return right && !d.secret.changes()
}

// installedBy tells whether the release's newest revision is this event's: an earlier try of it was ended while its pods were
// waited for.
func (d *deployment) installedBy(run *runs.Run) bool {
	labels := d.found.labels
	return labels["status"] == "deployed" && labels[runLabel] == run.ShortID()
}

// markReady notes on the revision of a run, given by its short id, that its pods are ready: what a later deploy rolls back to must
// have worked once.
func (rs *releases) markReady(ctx context.Context, r release, run string) error {
	labels, err := rs.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
	if err != nil || labels[runLabel] != run || labels[rolloutLabel] != rolloutWaiting {
		return err // a script of the environment's own may have made no revision, or one without our labels
	}
	ready := rolloutReady
	return rs.kubectl.PatchLabels(ctx, fieldManager, r.namespace, "secrets", kube.RevisionSecret(r.name, labels["version"]), map[string]*string{rolloutLabel: &ready})
}

// sortedKeys are a map's, in order.
