package handlers

import (
	"context"
	"regexp"
	"slices"

	"octo-operator/exec"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// kubeconfigFile is what helm and kubectl reach the cluster by, in a step that is guarded. It is of no use afterwards.
const kubeconfigFile = "kubeconfig"

// guardedSteps work on a tenant's release, by what a chart says.
var guardedSteps = []string{
	scripts.WorkloadDeploy, scripts.WorkloadRollback, scripts.WorkloadRecover, scripts.WorkloadUndeploy, scripts.WorkloadRestart, scripts.WorkloadScale,
}

// lookUpVariable is false in a deploy of a chart that cannot look anything up: only what helm upgrade asks goes through the guard then.
// For helm template that takes as much of the processor as for helm upgrade, and there is nothing to be kept from it.
const lookUpVariable = "LOOKS_UP"

// looksUp is what a template needs to read the cluster: by itself, or in a text that it is given.
var looksUp = regexp.MustCompile(`lookup|tpl`)

// guarded lets the helm and kubectl of a step reach the API server through the guard alone, until ctx ends; of a deploy that looks nothing
// up, what changes the release. It returns variables, to be put behind the others.
func (h *Handlers) guarded(ctx context.Context, t *task, step string, variables map[string]string) ([]string, error) {
	if !slices.Contains(guardedSteps, step) {
		return nil, nil
	}
	w, err := hub.Decode[hub.Workload](t.event.Argument)
	if err != nil {
		return nil, err
	}
	r := release{name: variables["RELEASE"], namespace: variables["NAMESPACE"]}
	run := guard.Run{
		Release: r.name, Namespace: r.namespace, Group: group, Tenants: []string{labelValue(w.TenantID), referenceLabel(w.TenantID)},
		Secrets: []string{r.secretName(), r.secretBefore()}, Broker: brokerSecrets(w.Pool), Renders: step == scripts.WorkloadDeploy,
	}
	if run.Renders {
		rules := lookRules(func(name string) string { return variables[name] })
		run.Look = func(object []byte) error { return kube.Look(object, rules) }
	}
	kubeconfig, err := h.guard.Open(ctx, run)
	if err != nil {
		return nil, err
	}
	operators := ""
	for _, variable := range exec.AllowEnv(h.env, "KUBECONFIG") {
		operators = variable[len("KUBECONFIG="):]
	}
	through := []string{"OCTO_KUBECONFIG=" + operators, "OCTO_GUARDED=" + t.Path(kubeconfigFile)}
	if variables[lookUpVariable] != "false" {
		through = append(through, "KUBECONFIG="+t.Path(kubeconfigFile))
	}
	return through, t.Write(kubeconfigFile, kubeconfig)
}
