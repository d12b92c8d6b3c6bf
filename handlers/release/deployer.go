// Package release deploys, scales and undeploys workloads. Each workload is a Helm release, with a Secret of the operator's beside it
// that holds its secret values. What a workload's event asks for is carried out by the methods of a Deployer, made once with New.
//
// A deploy goes in steps: Plan (whose release it is, what the cluster has of it, the chart), Merge (the values document and the Secret),
// WriteFiles (into the run directory), Install (the script workload-deploy), AwaitReady and SettleSecret. Undo takes back one that has
// failed. Nothing is kept in memory between them: a later life of the operator finds all it needs in the labels of the release's
// revisions and in its Secret.
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

// Deployer deploys, scales and undeploys the releases of workloads, and takes back deploys that have failed. Several runs may use it at
// the same time, each for another release.
type Deployer struct {
	// Charts is where the charts of deploys come from.
	Charts *charts.Cache

	parts
}

// parts are what a Deployer, each Deployment and each rollback work with.
type parts struct {
	settings config.Config
	kubectl  *kube.Kubectl
	scripts  scripts.Set
	helm     *helmVersion
	program  string // the operator's own, for octo-operator look
	// comparing has a place for each object that is compared at the moment, of all deploys: they are in memory meanwhile.
	comparing chan struct{}

	owners   owners
	secrets  secrets
	rollouts rollouts
	stuck    stuck
}

// New returns a Deployer. env is the environment of helm and kubectl, program the file of the operator's own program, which looks at
// manifests. It is an error if the directory for charts cannot be made or the settings of the repositories are wrong.
func New(settings config.Config, kubectl *kube.Kubectl, set scripts.Set, env []string, program string) (*Deployer, error) {
	d := &Deployer{parts: parts{
		settings: settings, kubectl: kubectl, scripts: set, helm: &helmVersion{env: env}, program: program,
		owners: owners{settings, kubectl}, secrets: secrets{kubectl}, stuck: stuck{kubectl, settings.Helm.Timeout},
		rollouts: rollouts{kubectl: kubectl, timeout: settings.Helm.Timeout, failFast: settings.FailFast, interval: inspectInterval}, comparing: make(chan struct{}, comparedAtATime),
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

// Facts adds to the failure of a deploy which release, chart and object it is about, as far as the event and the run tell.
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

// NoteOwner writes the uid of the owner of a release's objects on its newest revision. Where there is no such release nothing is done.
func (d *Deployer) NoteOwner(ctx context.Context, r names.Release, uid string) error {
	labels, err := d.kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil || labels[names.OwnerLabel] == uid {
		return err
	}
	return labelRevision(ctx, d.kubectl, r, labels["version"], names.OwnerLabel, uid)
}
