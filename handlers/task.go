package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/runs"
)

// task is an event while it is carried out.
type task struct {
	*runs.Run
	event    hub.Event
	log      *slog.Logger
	output   *runs.Output
	redact   *exec.Redactor
	exitCode int
}

// carryOut runs an event to its end and writes down how it ended. A shutdown is no end: the run stays unfinished on disk.
func (h *Handlers) carryOut(ctx context.Context, c callback, run *runs.Run, log *slog.Logger) runs.Result {
	started := time.Now()
	t := &task{Run: run, log: log, exitCode: -1}
	err := t.open()
	if err == nil {
		err = c.run(h, ctx, t)
		err = errors.Join(err, t.output.Close())
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errUndeployed) {
		return h.interrupt(t)
	}
	if removeErr := t.removeSecrets(); removeErr != nil {
		log.Error("secrets may remain in the run directory", "dir", run.Dir, "reason", removeErr)
	}
	return h.finish(run, log, started, t.exitCode, err)
}

// interrupt leaves an event to the operator's next life. It needs the event's secrets: what else holds some goes.
func (h *Handlers) interrupt(t *task) runs.Result {
	if err := t.Remove(secretFiles...); err != nil {
		t.log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
	t.log.Warn("event stopped by the operator's end: it will be resumed")
	return runs.Result{Outcome: runs.Failed, Reason: "the operator ended"}
}

func (t *task) open() (err error) {
	if t.event, err = t.Event(); err != nil {
		return err
	}
	t.output, err = t.OpenOutput()
	return err
}

// secretFiles are written by handlers for the time of the run alone.
var secretFiles = []string{"secret.yaml", "registry.json", "repositories.yaml", "repository-cache"}

// removeSecrets takes everything secret out of the run directory. To be called when the event has ended: one that is still
// to be done needs its secrets.
func (t *task) removeSecrets() error {
	err := t.Remove(secretFiles...)
	if clean, changed := withoutSecrets(t.event); changed {
		err = errors.Join(err, t.ReplaceEvent(clean))
	}
	return err
}

// supersede ends a run that was never started.
func (h *Handlers) supersede(run *runs.Run, log *slog.Logger) runs.Result {
	t := &task{Run: run, log: log}
	var err error
	if t.event, err = run.Event(); err == nil {
		err = t.removeSecrets()
	}
	if err != nil {
		log.Error("secrets may remain in a superseded run", "reason", err)
	}
	return h.finish(run, log, time.Now(), 0, errSuperseded)
}

// finish writes the result and logs the end of the story.
func (h *Handlers) finish(run *runs.Run, log *slog.Logger, started time.Time, exitCode int, err error) runs.Result {
	result := runs.Result{Outcome: runs.Succeeded, ExitCode: exitCode, Started: started, Ended: time.Now()}
	switch {
	case errors.Is(err, errSuperseded), errors.Is(err, errUndeployed):
		result.Outcome, result.Reason = runs.Superseded, err.Error()
	case err != nil:
		result.Outcome, result.Reason = runs.Failed, err.Error()
	}
	if err := run.Finish(result); err != nil {
		log.Error("result not kept: the event may run again after a restart", "reason", err)
	}
	if h.Ended != nil {
		h.Ended(run.Callback, string(result.Outcome), result.Ended.Sub(started).Seconds())
	}
	took := result.Ended.Sub(started).Round(time.Millisecond).String()
	switch result.Outcome {
	case runs.Succeeded:
		log.Info("event done", "took", took)
	case runs.Superseded:
		log.Info("event superseded", "reason", result.Reason)
	default:
		log.Error("event failed", "took", took, "reason", result.Reason, "dir", run.Dir)
	}
	return result
}

// script runs a step in the run directory. variables are its inputs, by name without OCTO_, besides those that every
// script gets.
func (h *Handlers) script(ctx context.Context, t *task, name string, variables map[string]string) error {
	path := h.scripts.Path(name)
	inputs := t.inputs(h, variables)
	if err := t.writeRerun(path, append(inputs, homes(h.env)...)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.settings.Deadline(), errors.New("it hangs: longer than OPERATOR__SCRIPTDEADLINE"))
	defer cancel()

	reason := &tail{}
	result, err := exec.Run(ctx, exec.Command{
		Path: path, Dir: t.Dir, Env: append(inputs, h.env...), Redact: t.redact,
		OnStart: func(pid int, startTime uint64) { t.RecordProcess(pid, startTime) },
		OnLine: func(line exec.Line) {
			t.output.Line(line.Time, line.Stream, line.Text)
			t.logLine(line)
			reason.add(line)
		},
	})
	t.exitCode = result.ExitCode
	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) && reason.text() != "" {
		return fmt.Errorf("%s failed: %s", name, reason.text())
	}
	if err != nil {
		return fmt.Errorf("%s failed: %w", name, err)
	}
	return nil
}

const announcement = "+ "

// logLine makes a record of each line as it comes; a command that a script announces becomes one that can be pasted.
func (t *task) logLine(line exec.Line) {
	if cmd, ok := strings.CutPrefix(line.Text, announcement); ok && line.Stream == "stderr" {
		t.log.Info("command", "cmd", cmd)
		return
	}
	// What went well is told by the records around it: at info a deploy reads like a story.
	level := slog.LevelDebug
	if line.Stream == "stderr" {
		level = slog.LevelInfo
	}
	t.log.Log(context.Background(), level, line.Text, "stream", line.Stream)
}

// inputs are the variables of a script, sorted by name.
func (t *task) inputs(h *Handlers, variables map[string]string) []string {
	all := map[string]string{
		"RUN": t.ID, "CALLBACK": t.event.Callback, "LIB": h.scripts.Library(), "FIELD_MANAGER": fieldManager,
	}
	for name, value := range variables {
		all[name] = value
	}
	var inputs []string
	for _, name := range sortedKeys(all) {
		inputs = append(inputs, "OCTO_"+name+"="+all[name])
	}
	return inputs
}

// homes are the directories of helm and kubectl, and their cluster, for a shell that has others.
func homes(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(variable string) bool {
		return !strings.HasPrefix(variable, "HELM_") && !strings.HasPrefix(variable, "KUBE")
	})
}

// writeRerun leaves behind what a person needs to run the same step again.
func (t *task) writeRerun(script string, inputs []string) error {
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
`, exec.Quote([]string{t.Dir}), exec.Quote([]string{script}))
	return errors.Join(t.Write("env", []byte(env.String())), t.WriteProgram("rerun", []byte(rerun)))
}

// tail keeps the end of what a script wrote to stderr: why it failed.
type tail struct{ lines []string }

const (
	tailLines = 20
	tailBytes = 4 << 10 // a status message is read by a person, in a table
)

func (r *tail) add(line exec.Line) {
	// Helm 4 logs what its Error then says again, and both tools log what goes on inside them.
	helmLog := strings.HasPrefix(line.Text, "level=") || klogLine.MatchString(line.Text)
	if line.Stream != "stderr" || helmLog || strings.HasPrefix(line.Text, announcement) || strings.TrimSpace(line.Text) == "" {
		return
	}
	if r.lines = append(r.lines, line.Text); len(r.lines) > tailLines {
		r.lines = r.lines[1:]
	}
}

// klogLine is how Kubernetes' client library logs: E1123 11:35:18.625841    4711 request.go:1198] …
var klogLine = regexp.MustCompile(`^[EWI][0-9]{4} [0-9:.]+ +[0-9]+ `)

func (r *tail) text() string {
	text := strings.Join(r.lines, "\n")
	return strings.ToValidUTF8(text[max(0, len(text)-tailBytes):], "")
}
