package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"octo-operator/dispatch"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
	"octo-operator/names"
	"octo-operator/runs"
)

// Deployment is a deploy with everything it needs: what is to be, and what is there.
type Deployment struct {
	Event    hub.WorkloadDeployed
	Release  names.Release
	helm     string // its major version
	chart    charts.Chart
	Found    Installed
	document merge.Result
	replicas replicas
	Secret   secretChange
	content  string // chart and values, as a hash

	serverSide bool // helm applies the release there, and always has
}

// Plan looks at the cluster, gets the chart, merges the values and writes them into the run directory. Nothing is changed but
// what a killed helm has left.
func (rs *Releases) Plan(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) (*Deployment, error) {
	d := &Deployment{Event: w}
	var err error
	if d.Release, err = rs.Locate(ctx, w.Workload); err != nil {
		return nil, err
	}
	t.Release = d.Release
	if d.Release.Name != d.Release.Own {
		t.Log.Info("the release goes on under the name that the reference operator has given it", "name", d.Release.Name)
	}
	wait := rs.lookUp(ctx, d.Release)
	if d.chart, err = rs.Charts.Fetch(ctx, t, d.Release, w); err != nil {
		return nil, err
	}
	d.Found, err = wait()
	if err = errors.Join(err, rs.checkOwner(ctx, d.Release, w.Workload, d.Found.revisions)); err != nil {
		return nil, err
	}
	if d.Found.Labels, err = rs.usable(ctx, t, d.Release, d.Found.Labels); err != nil {
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

func (rs *Releases) mergeValues(ctx context.Context, t *dispatch.Task, d *Deployment) (err error) {
	d.replicas = ChooseReplicas(d.Event, d.chart, d.Found)
	layers := rs.Layers(d.Event, d.Release, d.chart, d.replicas.Value)
	if d.content, err = contentOf(t.Path(charts.File), layers, d.Event.Hibernated); err != nil {
		return err
	}
	if d.document, err = merge.Document(layers); err != nil {
		return err
	}
	t.Log.Info("values merged", "chart", d.Event.ChartName, "version", d.chart.Version, "overrides", len(d.Event.Values), "secrets", len(d.document.Secrets))
	for _, out := range d.document.LeftOut {
		if d.Event.Hibernated && out.Path == replicaCount {
			return fmt.Errorf("cannot put the workload to sleep: its chart does not take the value %s: %s", replicaCount, out.Reason)
		}
		t.Log.Info("value of the operator's own left out", "path", out.Path, "layer", out.Layer, "reason", out.Reason)
	}
	if d.replicas.Value != "" {
		t.Log.Info("replicas set", "replicas", d.replicas.Value, "reason", d.replicas.why)
	}
	if d.replicas.disagree != "" {
		t.Log.Warn("the release's Deployments do not run the same number of replicas: the largest counts", "deployments", d.replicas.disagree)
	}
	if d.Secret, err = rs.planSecret(ctx, t, d); err != nil {
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
	digest, err := charts.DigestOf(archive)
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
func (d *Deployment) labels(run *runs.Run) map[string]string {
	labels := names.WorkloadLabels(d.Event.Workload)
	labels[names.TenantHashLabel] = names.HashOf(d.Event.TenantID)
	labels[names.RunLabel] = run.ShortID()
	labels[names.ContentLabel] = d.content
	labels[names.RolloutLabel] = names.RolloutWaiting
	labels[names.WakesLabel] = strconv.FormatBool(d.replicas.wakes(d.document, d.chart))
	labels[names.ServerSideLabel] = strconv.FormatBool(d.serverSide)
	if d.Release.Name != d.Release.Own {
		labels[names.LaneLabel] = d.Release.Own
	}
	if d.Event.WorkloadType == hub.AdapterPool {
		labels[names.OwnerLabel] = names.NoOwner // until own has found it
	}
	return labels
}

// appliesOnServer tells whether helm applies the release on the server's side, and always has. Of a revision that somebody else has
// made, helm's own note tells: it hands the label down, helm 3 too. What a person has set since must be found before anything is
// touched: taking the failed deploy back would undo it.
func (rs *Releases) appliesOnServer(ctx context.Context, d *Deployment) (bool, error) {
	labels := d.Found.Labels
	switch {
	case d.helm == "3":
		return false, nil
	case labels == nil:
		return true, nil
	case labels[names.ServerSideLabel] != "" && !d.Found.byHand:
		return labels[names.ServerSideLabel] == "true", nil
	}
	return rs.Kubectl.AppliedOnServer(ctx, d.Release.Namespace, d.Release.Name, labels["version"])
}

// NothingToDo tells whether a reconciliation finds what it asks for. Nobody has asked for it: a second revision of the same would
// only restart pods and push the last good one out of Helm's history. No process runs for that, and nothing is changed.
func (rs *Releases) NothingToDo(ctx context.Context, t *dispatch.Task, d *Deployment) (bool, error) {
	if !d.isThere() {
		return false, nil
	}
	manifest, err := rs.Kubectl.Manifest(ctx, d.Release.Namespace, d.Release.Name, d.Found.Labels["version"])
	if err != nil {
		return false, err
	}
	drift, err := rs.Kubectl.Drift(t.AsTenant(ctx), manifest, d.Release.Namespace)
	if err != nil {
		return false, fmt.Errorf("cannot compare release %s with the cluster: %w", d.Release.Name, err)
	}
	if drift != "" {
		t.Log.Warn("the cluster has something else than the release: it is deployed again", "revision", d.Found.Labels["version"], "found", drift)
		t.Say("deployed again, because the cluster had something else: " + drift)
	}
	return drift == "", nil
}

// isThere tells whether the release's newest revision, and its Secret, are what a reconciliation asks for.
func (d *Deployment) isThere() bool {
	labels := d.Found.Labels
	if !d.Event.IsReconciliation || d.Found.byHand || labels["status"] != "deployed" || labels[names.RolloutLabel] != names.RolloutReady || labels[names.ContentLabel] != d.content {
		return false
	}
	if d.Event.WorkloadType == hub.AdapterPool && len(d.Found.replicas) == 0 {
		return false // its Deployments have gone with the resource of its pool, which Helm does not know
	}
	for key, value := range names.WorkloadLabels(d.Event.Workload) {
		if labels[key] != value {
			return false // it has moved to another pool
		}
	}
	runs := slices.ContainsFunc(d.Found.replicas, func(r kube.DeploymentReplicas) bool { return r.Replicas > 0 })
	asleep := len(d.Found.replicas) > 0 && !runs
	right := !asleep
	if d.Event.Hibernated {
		right = !runs
	}
	return right && !d.Secret.changes()
}

// InstalledBy tells whether the release's newest revision is this event's: an earlier try of it was ended while its pods were
// waited for.
func (d *Deployment) InstalledBy(run *runs.Run) bool {
	labels := d.Found.Labels
	return labels["status"] == "deployed" && labels[names.RunLabel] == run.ShortID()
}

// markReady notes on the revision of a run, given by its short id, that its pods are ready: what a later deploy rolls back to must
// have worked once.
func (rs *Releases) markReady(ctx context.Context, r names.Release, run string) error {
	labels, err := rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels[names.RunLabel] != run || labels[names.RolloutLabel] != names.RolloutWaiting {
		return err // a script of the environment's own may have made no revision, or one without our labels
	}
	ready := names.RolloutReady
	return rs.Kubectl.PatchLabels(ctx, names.FieldManager, r.Namespace, "secrets", kube.RevisionSecret(r.Name, labels["version"]), map[string]*string{names.RolloutLabel: &ready})
}

// sortedKeys are a map's, in order.
