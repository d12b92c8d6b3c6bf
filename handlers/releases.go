package handlers

import (
	"log/slog"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/repository"
	"octo-operator/scripts"
)

// releases deploys, scales and undeploys the releases of workloads.
type releases struct {
	settings config.Config
	kubectl  *kube.Kubectl
	scripts  scripts.Set
	charts   *charts
	helm     helmVersion
	program  string // the operator's own, for octo-operator look
	log      *slog.Logger
}

func newReleases(settings config.Config, kubectl *kube.Kubectl, set scripts.Set, env []string, program string, log *slog.Logger) (*releases, error) {
	rs := &releases{settings: settings, kubectl: kubectl, scripts: set, helm: helmVersion{env: env}, program: program, log: log}
	var err error
	rs.charts, err = openCharts(settings, set, env, rs.installedVersion)
	return rs, err
}

// facts adds to a failure which release and chart it is about.
func (rs *releases) facts(t *task, f *failure) {
	w, err := hub.Decode[hub.WorkloadDeployed](t.event.Argument)
	if err != nil {
		return
	}
	f.chart, f.version, f.repository = w.ChartName, w.ChartVersion, repository.Shown(w.RepositoryURL)
	r := t.release
	if r.name == "" {
		r, err = releaseOf(rs.settings, w.Workload)
	}
	if err == nil {
		f.release, f.namespace = r.name, r.namespace
		f.object = refusedObject(t, r.namespace)
	}
}
