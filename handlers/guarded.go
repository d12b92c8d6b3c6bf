package handlers

import (
	"context"
	"regexp"
	"slices"

	"octo-operator/exec"
	"octo-operator/guard"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// kubeconfigFile is what helm and kubectl reach the cluster by, in a step that is guarded. It is of no use afterwards.
const kubeconfigFile = "kubeconfig"

// guardedSteps work on a tenant's release, by what a chart says.
var guardedSteps = []string{
	scripts.WorkloadDeploy, scripts.WorkloadRollback, scripts.WorkloadRecover, scripts.WorkloadUndeploy, scripts.WorkloadRestart, scripts.WorkloadScale,
}

// guardedVariable is false in a deploy that needs no guard, which takes a twentieth of its processor time.
const guardedVariable = "GUARDED"

// reaches is what a template needs to read the cluster, by itself (lookup) or in a text that it is given (tpl), and what a hook is known by.
var reaches = regexp.MustCompile(`lookup|tpl|hook`)

// needsGuard tells whether a deploy may reach more than what helm keeps apart by itself: helm refuses objects that are another release's,
// but for hooks. A hook whose name is put together, so that it is not found here, the look at the manifest refuses.
func (d *deployment) needsGuard() bool {
	return d.chart.reaches || reaches.Match(d.document.YAML)
}

// guarded lets the helm and kubectl of a step reach the API server through the guard alone, until ctx ends. It returns variables, to be
// put behind the others.
func (h *Handlers) guarded(ctx context.Context, t *task, step string, variables map[string]string) ([]string, error) {
	if !slices.Contains(guardedSteps, step) || variables[guardedVariable] == "false" {
		return nil, nil
	}
	w, err := hub.Decode[hub.Workload](t.event.Argument)
	if err != nil {
		return nil, err
	}
	r := release{name: variables["RELEASE"], namespace: variables["NAMESPACE"]}
	run := guard.Run{
		Release: r.name, Namespace: r.namespace, Group: group, Tenants: []string{labelValue(w.TenantID), referenceLabel(w.TenantID)},
		Secrets: []string{r.secretName(), r.secretBefore()}, Renders: step == scripts.WorkloadDeploy,
	}
	if name, err := dnsName(w.TenantID, w.ID()); err == nil {
		for _, name := range append([]string{name}, referencePools(w.Pool)...) {
			run.Broker = append(run.Broker, brokerSecret(name))
		}
	}
	kubeconfig, err := h.guard.Open(ctx, run)
	if err != nil {
		return nil, err
	}
	operators := ""
	for _, variable := range exec.AllowEnv(h.env, "KUBECONFIG") {
		operators = variable[len("KUBECONFIG="):]
	}
	return []string{"OCTO_KUBECONFIG=" + operators, "KUBECONFIG=" + t.Path(kubeconfigFile)}, t.Write(kubeconfigFile, kubeconfig)
}
