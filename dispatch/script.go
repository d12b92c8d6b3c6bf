package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/names"
	"octo-operator/scripts"
	"octo-operator/text"
)

// Script runs a script in the run directory, in the event's slot, and waits for its end. variables are its inputs, by name without OCTO_,
// besides those that every script gets. The error is a *ScriptError if the script has run and failed.
func (t *Task) Script(ctx context.Context, name string, variables map[string]string) error {
	if err := t.TakeSlot(ctx); err != nil {
		return err
	}
	command := t.engine.scripts.Command(name)
	inputs := t.inputs(variables)
	if !slices.Contains(notRerun, name) {
		if err := t.writeRerun(command, append(inputs, homes(t.engine.env)...)); err != nil {
			return err
		}
	}
	deadline, cause := DeadlineOf(name, t.engine.settings)
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, cause)
	defer cancel()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	guarded, err := t.throughGuard(ctx, name, variables)
	if err != nil {
		return err
	}
	defer func() { _ = t.Remove(KubeconfigFile) }() // it is of no use afterwards
	listens := newListener(t, name, t.engine.limits, stop)
	t.course.note(runs.Moment{Kind: runs.KindScript, Name: name})
	result, err := exec.Run(ctx, exec.Command{
		Path: command[0], Args: command[1:], Name: t.engine.scripts.Path(name), Dir: t.Dir,
		Env:    slices.Concat(inputs, []string{listens.announced.variable()}, t.engine.env, guarded),
		Redact: t.Redact, Hurry: t.engine.kill, Limits: t.engine.limits.processes(), OnLine: listens.line,
	})
	t.ExitCode = result.ExitCode
	t.course.note(runs.Moment{Kind: runs.KindExit, Name: name, ExitCode: &result.ExitCode, CPU: result.CPU.Seconds(), Memory: result.Memory})
	if err != nil {
		return &ScriptError{name, listens.reasonOf(err)}
	}
	return nil
}

// ScriptError is a script that failed.
type ScriptError struct {
	Script string // one of package scripts
	Reason error  // the end of what it wrote to stderr, or why it was stopped
}

func (e *ScriptError) Error() string { return fmt.Sprintf("%s failed: %s", e.Script, e.Reason) }

// Unwrap returns the reason.
func (e *ScriptError) Unwrap() error { return e.Reason }

// Step is the script's name.
func (e *ScriptError) Step() string { return e.Script }

// Words are what the script said of its failure.
func (e *ScriptError) Words() string { return e.Reason.Error() }

// inputs are the variables of a script, sorted by name.
func (t *Task) inputs(variables map[string]string) []string {
	all := map[string]string{
		"RUN": t.ID, "CALLBACK": t.Event.Callback, "LIB": t.engine.scripts.Library(), "FIELD_MANAGER": names.FieldManager,
		"AS": t.account,
	}
	for name, value := range variables {
		all[name] = value
	}
	var inputs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		inputs = append(inputs, "OCTO_"+name+"="+text.Escaped(all[name])) // a workload's name is any text
	}
	return inputs
}

// homes are the directories of helm and kubectl, and their cluster, for a shell that has others.
func homes(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(variable string) bool {
		return !strings.HasPrefix(variable, "HELM_") && !strings.HasPrefix(variable, "KUBE")
	})
}

// writeRerun writes what a person needs to run the same step again: the script rerun, and its inputs.
func (t *Task) writeRerun(command, inputs []string) error {
	var env strings.Builder
	for _, input := range inputs {
		name, value, _ := strings.Cut(input, "=")
		fmt.Fprintf(&env, "export %s=%s\n", name, exec.Quote([]string{value}))
	}
	rerun := fmt.Sprintf(`#!/bin/sh
# Runs this step again: the same script with the same inputs.
set -eu
cd %s
. ./env
exec %s
`, exec.Quote([]string{t.Dir}), exec.Quote(command))
	return errors.Join(t.Write("env", []byte(env.String())), t.WriteProgram("rerun", []byte(rerun)))
}

// DeadlineOf is how long a script may run, and the reason with which it is stopped then: ErrHangs, or that the repository does not answer.
func DeadlineOf(script string, settings config.Config) (time.Duration, error) {
	limit, pull := settings.Deadline(), min(longestPull, max(shortestPull, settings.Helm.Timeout))
	if script == scripts.ChartPull && pull < limit {
		return pull, errNoAnswer
	}
	return limit, ErrHangs
}

// notRerun are steps that belong to another one, which rerun runs again.
var notRerun = []string{scripts.WorkloadRecover, scripts.WorkloadRestart, scripts.WorkloadRollback}

// Why a script is stopped that takes too long.
var (
	ErrHangs    = errors.New("it hangs: longer than OPERATOR__SCRIPTDEADLINE")
	errNoAnswer = errors.New("the repository has not sent the chart by then")
)

// longestPull is what a repository may take. Who deploys waits for its answer, and helm waits for ever where one sends a byte
// now and then. shortestPull is what it gets even where pods are given less.
const (
	longestPull  = 2 * time.Minute
	shortestPull = 10 * time.Second
)
