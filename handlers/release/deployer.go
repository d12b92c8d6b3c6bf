// Package release deploys, scales and undeploys workloads. Each workload is a Helm release, and beside it a Secret that the operator writes, with
// the workload's secret values. The methods of a Deployer, made once with New, carry out the events of workloads.
//
// A deploy has these steps: Plan (finds the release, looks at it in the cluster, gets the chart), Merge (the values document and the Secret),
// WriteFiles (into the run directory), Install (the script workload-deploy), AwaitReady and SettleSecret. Undo undoes a failed one. Nothing is
// kept in memory between them: the labels of the release's revisions, and its Secret, have all that a later life of the operator needs.
package release

import (
	"context"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/handlers/release/charts"
	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// Deployer deploys, scales and undeploys the releases of workloads, and undoes failed deploys. Several runs may use it at the same time, each for
// another release.
type Deployer struct {
	// Charts is where the charts of deploys come from.
	Charts *charts.Cache

	parts
}

// parts are shared by the Deployer, each Deployment and each rollback.
type parts struct {
	settings config.Config
	cluster  *kube.Client
	scripts  scripts.Set
	helm     *helmVersion
	program  string // the operator's own, for octo-operator look
	// comparing limits how many objects are compared at the same time, in all deploys together, because they are in memory meanwhile.
	comparing chan struct{}

	owners   owners
	secrets  secrets
	rollouts rollouts
	stuck    stuck
}

// New returns a Deployer. env is the environment of helm and kubectl; program is the path of the operator's own program, which scripts call to
// check manifests. It is an error if the directory for charts cannot be created, or if the settings for repositories are wrong.
func New(settings config.Config, cluster *kube.Client, set scripts.Set, env []string, program string) (*Deployer, error) {
	d := &Deployer{parts: parts{
		settings: settings, cluster: cluster, scripts: set, helm: &helmVersion{env: env}, program: program,
		owners: owners{settings, cluster}, secrets: secrets{cluster}, stuck: stuck{cluster, settings.Helm.Timeout},
		rollouts: rollouts{cluster: cluster, timeout: settings.Helm.Timeout, failFast: settings.FailFast, interval: inspectInterval}, comparing: make(chan struct{}, comparedAtATime),
	}}
	var err error
	d.Charts, err = charts.Open(settings, set, env, d.installedVersion)
	return d, err
}

// InspectEvery sets how often what keeps a release from being ready is looked for, 3 s if it is not called. It is called before the first
// event: by tests that count requests, since on a slow machine a deploy takes longer than that.
func (d *Deployer) InspectEvery(interval time.Duration) { d.rollouts.interval = interval }

// Recover makes the release of a workload's event usable again, if an earlier life's helm, ended in its middle, has left it stuck. It is
// an error if the release is not the workload's or that cannot be told.
func (d *Deployer) Recover(ctx context.Context, t *dispatch.Task) error {
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return err
	}
	r, err := d.owners.locate(ctx, w)
	if err != nil {
		return err
	}
	if _, err := d.owners.owned(ctx, r, w); err != nil {
		return err // it is another workload's
	}
	_ = d.stuck.freeAfterFailure(ctx, t, r) // whoever works on it next tries again, and says so
	return nil
}

// Facts adds to the failure of a deploy the release, chart and object that it is about, as far as the event and the run tell.
func (d *Deployer) Facts(t *dispatch.Task, f *reason.Failure) {
	w, err := hub.Decode[hub.WorkloadDeployed](t.Event.Argument)
	if err != nil {
		return
	}
	f.Chart, f.Version, f.Repository = w.ChartName, w.ChartVersion, repository.Shown(w.RepositoryURL)
	r := t.Release
	if r.Name == "" {
		r, err = names.ReleaseOf(d.settings, w.Workload)
	}
	if err == nil {
		f.Release, f.Namespace = r.Name, r.Namespace
		f.Object = refusedObject(t, r.Namespace)
	}
}

// LabelOwnerUID writes the uid of the Kubernetes owner of a release's objects on its newest revision, as a label. If there is no such release,
// nothing is done.
func (d *Deployer) LabelOwnerUID(ctx context.Context, r names.Release, uid string) error {
	labels, err := d.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil || labels[names.OwnerUIDLabel] == uid {
		return err
	}
	return labelRevision(ctx, d.cluster, r, labels["version"], names.OwnerUIDLabel, uid)
}
