package dispatch

import (
	"context"

	"octo-operator/exec"
)

// KubeconfigFile is the name of the file by which helm and kubectl reach the cluster in a step that is guarded. It is removed afterwards.
const KubeconfigFile = "kubeconfig"

// LookUpVariable is the input of a script that is "false" in a deploy of a chart that cannot look anything up in the cluster. Then only helm
// upgrade goes through the guard: it would take helm template as much of the processor, and there is nothing to be kept from it.
const LookUpVariable = "LOOKS_UP"

// throughGuard opens the guard for a step, until ctx ends. It returns the variables by which the step's helm and kubectl reach the API server
// through it, to be put behind the others; nil: the step is not guarded. See LookUpVariable for the exception.
func (t *Task) throughGuard(ctx context.Context, step string, variables map[string]string) ([]string, error) {
	if t.handler.Guard == nil {
		return nil, nil
	}
	run, err := t.handler.Guard(t.Event, step, variables)
	if err != nil || run == nil {
		return nil, err
	}
	run.BeforeWrite = t.BeforeWrite
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
