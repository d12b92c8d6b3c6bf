package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers/release/changes"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
	"octo-operator/names"
)

// Deployment is one deploy: the release as it shall be, and as it is in the cluster. Its methods are the steps, in their order.
type Deployment struct {
	Event   hub.WorkloadDeployed
	Release names.Release

	parts
	task      *dispatch.Task
	helmMajor string // "3" or "4"
	chart     charts.Chart
	live      liveState // before the deploy
	// serverSide: helm applies the release by server-side apply, and always has.
	serverSide bool

	// What Merge has made:
	document merge.Result
	replicas replicas
	secret   secretChange
	content  string // chart and values, as a hash

	hides bool // see hideChartSecrets
}

// Plan finds the workload's release, looks at it in the cluster, and gets the chart. The only change that it makes in the cluster is to unlock a
// release that a killed helm has left stuck. It is an error if the release is not the workload's, if somebody else's helm is at work on it, or if
// the chart cannot be pulled.
func (d *Deployer) Plan(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) (*Deployment, error) {
	return d.plan(ctx, t, w, d.stuck.freeBefore)
}

// freeing unlocks a release that is stuck, or says why that is not possible. It takes and returns the labels of the newest revision.
type freeing func(context.Context, *dispatch.Task, names.Release, map[string]string) (map[string]string, error)

// plan is Plan.
func (d *Deployer) plan(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed, free freeing) (*Deployment, error) {
	t.Phase(runs.PhaseLook)
	p := &Deployment{parts: d.parts, Event: w, task: t}
	var err error
	if p.Release, err = d.owners.locate(ctx, w.Workload); err != nil {
		return nil, err
	}
	t.Release = p.Release
	if p.Release.Name != p.Release.Own {
		t.Log.Info("the release goes on under the name that the reference operator has given it", "name", p.Release.Name)
	}
	wait := d.readLive(ctx, p.Release) // meanwhile
	t.Phase(runs.PhaseChart)
	if p.chart, err = d.Charts.Fetch(ctx, t, p.Release, w); err != nil {
		return nil, err
	}
	p.live, err = wait()
	if err = errors.Join(err, d.owners.check(ctx, p.Release, w.Workload, p.live.revisions)); err != nil {
		return nil, err
	}
	if p.live.labels, err = free(ctx, t, p.Release, p.live.labels); err != nil {
		return nil, err
	}
	if p.helmMajor, err = d.helm.major(ctx); err != nil {
		return nil, err
	}
	p.serverSide, err = p.appliesOnServer(ctx)
	return p, err
}

// appliesOnServer tells whether helm applies the release by server-side apply, and always has. For a revision that somebody else has made, helm's
// own record decides, because helm (helm 3 too) copies the operator's label to new revisions. It matters because changes that a person has made
// since must be found before anything is changed: undoing a failed deploy would revert them.
func (d *Deployment) appliesOnServer(ctx context.Context) (bool, error) {
	labels := d.live.labels
	switch {
	case d.helmMajor == "3":
		return false, nil
	case labels == nil:
		return true, nil
	case labels[names.ServerSideLabel] != "" && !d.live.byHand:
		return labels[names.ServerSideLabel] == "true", nil
	}
	return d.cluster.AppliedOnServer(ctx, d.Release.Namespace, d.Release.Name, labels["version"])
}

// Merge merges the layers of values into the values document, and compares the Secret in the cluster with the secret values. It is an error if
// the values cannot be merged, if a workload cannot be hibernated because its chart does not accept the number of replicas, or if the Secret is
// another workload's.
func (d *Deployment) Merge(ctx context.Context) (err error) {
	log := d.task.Log
	d.replicas = chooseReplicas(d.Event, d.chart, d.live)
	input := layers(d.settings, d.Event, d.Release, d.chart, d.replicas.value)
	if d.content, err = contentOf(d.task.Path(charts.File), input, d.Event.Hibernated); err != nil {
		return err
	}
	if d.document, err = merge.Document(input); err != nil {
		return err
	}
	log.Info("values merged", "chart", d.Event.ChartName, "version", d.chart.Version, "overrides", len(d.Event.Values), "secrets", len(d.document.Secrets))
	for _, out := range d.document.LeftOut {
		if d.Event.Hibernated && out.Path == replicaCount {
			return fmt.Errorf("cannot put the workload to sleep: its chart does not take the value %s: %s", replicaCount, out.Reason)
		}
		log.Info("value of the operator's own left out", "path", out.Path, "layer", out.Layer, "reason", out.Reason)
	}
	if d.replicas.value != "" {
		log.Info("replicas set", "replicas", d.replicas.value, "reason", d.replicas.why)
	}
	if d.replicas.disagree != "" {
		log.Warn("the release's Deployments do not run the same number of replicas: the largest counts", "deployments", d.replicas.disagree)
	}
	d.secret, err = d.secrets.plan(ctx, d)
	return err
}

// valuesFile is the last file that is written before the cluster is changed.
const valuesFile = "values.yaml"

// ValuesOf reads the values document of a deploy's run, as helm got it. The error is fs.ErrNotExist if the run has none yet.
func ValuesOf(run *runs.Run) ([]byte, error) { return os.ReadFile(run.Path(valuesFile)) }

// Installing tells whether a deploy may have changed the cluster in an earlier life of the operator. For a run from another disk that is not
// known, so it is true.
func Installing(run *runs.Run) bool { return run.FromOtherDisk() || run.Has(valuesFile) }

// WriteFiles writes what the script takes into the run directory: secret.yaml, if the Secret must be written, and values.yaml.
func (d *Deployment) WriteFiles() error {
	if d.secret.writes {
		if err := d.task.Write("secret.yaml", d.secret.manifest); err != nil {
			return err
		}
	}
	return d.task.Write(valuesFile, d.document.YAML)
}

// Unchanged tells whether the cluster has already what a reconciliation asks for. Then no revision is made: nobody has asked for it, and it would
// only push the last good one out of Helm's history. No process is started for that, and nothing is changed.
func (d *Deployment) Unchanged(ctx context.Context) (bool, error) {
	if !d.matches() {
		return false, nil
	}
	version := d.live.labels["version"]
	manifest, err := d.cluster.Manifest(ctx, d.Release.Namespace, d.Release.Name, version)
	if err != nil {
		return false, err
	}
	drift, err := d.cluster.Drift(d.task.AsTenant(ctx), manifest, d.Release.Namespace)
	if err != nil {
		return false, fmt.Errorf("cannot compare release %s with the cluster: %w", d.Release.Name, err)
	}
	if drift != "" {
		d.task.Log.Warn("the cluster has something else than the release: it is deployed again", "revision", version, "found", drift)
		d.task.Say("deployed again, because the cluster had something else: " + drift)
		return false, nil
	}
	d.noteChanges(changes.Join(nil, 0), nil)
	d.task.Log.Info("nothing to do: the release is what the reconciliation asks for", "revision", version)
	d.task.Say("nothing to do: revision " + version + " of the release is what was asked for")
	return true, nil
}

// matches tells whether the release's newest revision, and its Secret, are what a reconciliation asks for.
func (d *Deployment) matches() bool {
	labels := d.live.labels
	if !d.Event.IsReconciliation || d.live.byHand || labels["status"] != "deployed" || labels[names.RolloutLabel] != names.RolloutReady || labels[names.ContentLabel] != d.content {
		return false
	}
	if d.Event.WorkloadType == hub.AdapterPool && len(d.live.replicas) == 0 {
		return false // its Deployments have gone with the resource of its pool, which Helm does not know
	}
	for key, value := range names.WorkloadLabels(d.Event.Workload) {
		if labels[key] != value {
			return false // it has moved to another pool
		}
	}
	runs := slices.ContainsFunc(d.live.replicas, func(r kube.DeploymentReplicas) bool { return r.Replicas > 0 })
	asleep := len(d.live.replicas) > 0 && !runs
	right := !asleep
	if d.Event.Hibernated {
		right = !runs
	}
	return right && !d.secret.changes()
}

// labels are those of the revision that the run makes.
func (d *Deployment) labels() map[string]string {
	labels := names.WorkloadLabels(d.Event.Workload)
	labels[names.TenantHashLabel] = names.HashOf(d.Event.TenantID)
	labels[names.RunLabel] = d.task.ShortID()
	labels[names.ContentLabel] = d.content
	labels[names.RolloutLabel] = names.RolloutWaiting
	labels[names.WakesLabel] = strconv.FormatBool(d.replicas.wakes(d.document, d.chart))
	labels[names.ServerSideLabel] = strconv.FormatBool(d.serverSide)
	if d.Release.Name != d.Release.Own {
		labels[names.LaneLabel] = d.Release.Own
	}
	if d.Event.WorkloadType == hub.AdapterPool {
		labels[names.OwnerUIDLabel] = names.NoOwner // until LabelOwnerUID has set one
	}
	return labels
}
