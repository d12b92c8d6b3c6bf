package dispatch

import (
	"context"

	"octo-operator/exec"
)

// KubeconfigFile is the name of the file by which helm and kubectl of a guarded step reach the cluster. It is removed after the step.
const KubeconfigFile = "kubeconfig"

// LookUpVariable is an input of scripts. It is "false" if the deploy's chart cannot look up anything in the cluster. Then only helm upgrade uses
// the guard: for helm template there is nothing to refuse, and the guard would cost it as much CPU time.
const LookUpVariable = "LOOKS_UP"

// throughGuard opens the guard for a step, until ctx ends. It returns the variables that lead the step's helm and kubectl through it, to be
// appended to the others; nil: the step is not guarded. See LookUpVariable for the exception.
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
