package release

import (
	"log/slog"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/repository"
	"octo-operator/scripts"
)

// Releases deploys, scales and undeploys the releases of workloads.
type Releases struct {
	Settings config.Config
	Kubectl  *kube.Kubectl
	scripts  scripts.Set
	Charts   *charts.Cache
	helm     helmVersion
	program  string // the operator's own, for octo-operator look
	log      *slog.Logger
}

func New(settings config.Config, kubectl *kube.Kubectl, set scripts.Set, env []string, program string, log *slog.Logger) (*Releases, error) {
	rs := &Releases{Settings: settings, Kubectl: kubectl, scripts: set, helm: helmVersion{env: env}, program: program, log: log}
	var err error
	rs.Charts, err = charts.Open(settings, set, env, rs.installedVersion)
	return rs, err
}

// Facts adds to a failure which release and chart it is about.
func (rs *Releases) Facts(t *dispatch.Task, f *reason.Failure) {
	w, err := hub.Decode[hub.WorkloadDeployed](t.Event.Argument)
	if err != nil {
		return
	}
	f.Chart, f.Version, f.Repository = w.ChartName, w.ChartVersion, repository.Shown(w.RepositoryURL)
	r := t.Release
	if r.Name == "" {
		r, err = names.ReleaseOf(rs.Settings, w.Workload)
	}
	if err == nil {
		f.Release, f.Namespace = r.Name, r.Namespace
		f.Object = refusedObject(t, r.Namespace)
	}
}
