package dispatch

import (
	"context"

	"octo-operator/exec"
)

// KubeconfigFile is what helm and kubectl reach the cluster by, in a step that is guarded. It is of no use afterwards.
const KubeconfigFile = "kubeconfig"

// LookUpVariable is false in a deploy of a chart that cannot look anything up: only what helm upgrade asks goes through the guard then.
// For helm template that takes as much of the processor as for helm upgrade, and there is nothing to be kept from it.
const LookUpVariable = "LOOKS_UP"

// throughGuard lets the helm and kubectl of a step reach the API server through the guard alone, until ctx ends; of a deploy that looks nothing
// up, what changes the release. It returns variables, to be put behind the others.
func (t *Task) throughGuard(ctx context.Context, step string, variables map[string]string) ([]string, error) {
	if t.handler.Guard == nil {
		return nil, nil
	}
	run, err := t.handler.Guard(t.Event, step, variables)
	if err != nil || run == nil {
		return nil, err
	}
	kubeconfig, err := t.engine.guard.Open(ctx, *run)
	if err != nil {
		return nil, err
	}
	operators := ""
	for _, variable := range exec.AllowEnv(t.engine.env, "KUBECONFIG") {
		operators = variable[len("KUBECONFIG="):]
	}
	through := []string{"OCTO_KUBECONFIG=" + operators, "OCTO_GUARDED=" + t.Path(KubeconfigFile)}
	if variables[LookUpVariable] != "false" {
		through = append(through, "KUBECONFIG="+t.Path(KubeconfigFile))
	}
	return through, t.Write(KubeconfigFile, kubeconfig)
}
