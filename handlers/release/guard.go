package release

import (
	"slices"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/kube/guard"
	"octo-operator/names"
	"octo-operator/scripts"
)

// guardedSteps are the steps in which a chart decides what helm and kubectl do to a release.
var guardedSteps = []string{
	scripts.WorkloadDeploy, scripts.WorkloadPlan, scripts.WorkloadRollback, scripts.WorkloadRecover, scripts.WorkloadUndeploy, scripts.WorkloadRestart, scripts.WorkloadScale,
}

// GuardFor returns which requests helm and kubectl may send to the API server in a step; nil: the step does not use the guard. variables are the
// inputs of the step's script, without OCTO_.
func GuardFor(event hub.Event, step string, variables map[string]string) (*guard.Scope, error) {
	if !slices.Contains(guardedSteps, step) {
		return nil, nil
	}
	w, err := hub.Decode[hub.Workload](event.Argument)
	if err != nil {
		return nil, err
	}
	r := names.Release{Name: variables["RELEASE"], Namespace: variables["NAMESPACE"]}
	run := &guard.Scope{
		Release: r.Name, Namespace: r.Namespace, Group: names.Group, Tenants: []string{names.LabelValue(w.TenantID), names.ReferenceLabel(w.TenantID)},
		Secrets: []string{r.SecretName(), r.SecretBefore()}, Broker: names.BrokerSecrets(w.Pool), Renders: step == scripts.WorkloadDeploy || step == scripts.WorkloadPlan,
	}
	if run.Renders {
		rules := lookRules(func(name string) string { return variables[name] })
		run.Look = func(object []byte) error { return kube.Look(object, rules) }
	}
	return run, nil
}
