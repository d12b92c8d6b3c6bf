package handlers

import (
	"log/slog"

	"octo-operator/config"
	"octo-operator/kube"
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
