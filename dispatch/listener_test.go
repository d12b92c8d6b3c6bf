package dispatch

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/scripts"
)

// listening is a listener to a script, and what it has made of the script's lines.
type listening struct {
	*listener
	t       *testing.T
	log     bytes.Buffer
	stopped error
}

func listen(t *testing.T, script string, l limits) *listening {
	run := &runs.Run{ID: "run", Dir: t.TempDir()}
	output, err := run.OpenOutput()
	if err != nil {
		t.Fatal(err)
	}
	s := &listening{t: t}
	task := &Task{Run: run, Output: output, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	s.listener = newListener(task, script, l, func(err error) { s.stopped = err })
	return s
}

func (s *listening) stderr(lines ...string) {
	for _, line := range lines {
		s.line(exec.Line{Stream: "stderr", Text: line})
	}
}

// output is output.log.
func (s *listening) output() string {
	s.t.Helper()
	text, err := os.ReadFile(s.task.Path("output.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func TestAScriptFailsWithItsOwnLastWords(t *testing.T) {
	failed := &exec.ExitError{Code: 1}
	small := limits{memory: 1 << 20, fileSize: 1 << 20}
	for name, test := range map[string]struct {
		limits limits
		err    error
		stderr []string
		want   string
	}{
		"its stderr":                     {limits{}, failed, []string{"Error: one", "two"}, "Error: one\ntwo"},
		"without the tools' own logs":    {limits{}, failed, []string{"level=WARN msg=x", "E1123 11:35:18.625841    4711 request.go:1198] x", " ", "Error: one"}, "Error: one"},
		"the exit code of a silent one":  {limits{}, failed, nil, failed.Error()},
		"why it was stopped":             {limits{}, ErrHangs, []string{"working"}, ErrHangs.Error()},
		"that it needs too much memory":  {small, failed, []string{"fatal error: runtime: out of memory", "goroutine 1:"}, "OPERATOR__SCRIPTMEMORY is 1 MiB"},
		"that the machine has none left": {limits{}, failed, []string{"sh: cannot fork: Cannot allocate memory"}, "the machine has none left"},
		"that a file is too large":       {small, failed, []string{"write x: file too large"}, "OPERATOR__SCRIPTFILESIZE is 1 MiB"},
		"the signal of a large file":     {small, &exec.ExitError{Code: 128 + sigXFSZ}, []string{"x"}, "OPERATOR__SCRIPTFILESIZE is 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, scripts.WorkloadDeploy, test.limits)
			s.stderr(test.stderr...)
			if got := s.reasonOf(test.err).Error(); !strings.HasSuffix(got, test.want) && !strings.Contains(got, "("+test.want+")") && !strings.Contains(got, test.want+":") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAScriptThatWritesTooMuchIsStoppedForThat(t *testing.T) {
	s := listen(t, scripts.WorkloadDeploy, limits{output: 100})
	s.stderr(strings.Repeat("x", 90))
	if s.stopped != nil {
		t.Fatalf("stopped too early: %v", s.stopped)
	}
	s.stderr(strings.Repeat("y", 90))
	if s.stopped == nil || !strings.Contains(s.stopped.Error(), "OPERATOR__SCRIPTOUTPUT") {
		t.Fatalf("stopped because of %v", s.stopped)
	}
	if got := s.reasonOf(fmt.Errorf("signal: killed: %w", s.stopped)); got.Error() != s.stopped.Error() {
		t.Errorf("the reason is %q", got)
	}
	if strings.Contains(s.output(), "y") {
		t.Error("what it wrote too much is kept")
	}
}

func TestOnlyAnAnnouncedCommandIsLoggedAsOne(t *testing.T) {
	s := listen(t, scripts.WorkloadDeploy, limits{})
	s.stderr(s.announced.mark+"helm upgrade shop", "+ helm uninstall everything", newAnnouncements().mark+"helm uninstall all")
	if log := s.log.String(); strings.Count(log, "cmd=") != 1 || !strings.Contains(log, `cmd="helm upgrade shop"`) {
		t.Errorf("logged:\n%s", log)
	}
	if !strings.Contains(s.output(), "+ helm upgrade shop\n") || strings.Contains(s.output(), s.announced.mark) {
		t.Errorf("output.log:\n%s", s.output())
	}
	if got := s.reasonOf(&exec.ExitError{Code: 1}).Error(); strings.Contains(got, "helm upgrade shop") {
		t.Errorf("the command is the reason: %s", got)
	}
}

func TestAFloodOfOutputIsCutInTheLogAndWholeInItsFile(t *testing.T) {
	s := listen(t, scripts.WorkloadDeploy, limits{})
	const lines = 2 * maxLogged / recordOverhead
	for range lines {
		s.stderr("short")
	}
	if n := s.log.Len(); n > maxLogged+maxLogged/4 || strings.Count(s.log.String(), "output cut") != 1 {
		t.Errorf("%d bytes of log", n)
	}
	if n := strings.Count(s.output(), "\n"); n < lines {
		t.Errorf("%d lines in output.log", n)
	}
}

func TestTheReasonIsTheEndOfWhatAScriptWrote(t *testing.T) {
	s := listen(t, scripts.WorkloadDeploy, limits{})
	for i := range 2 * tailLines {
		s.stderr(fmt.Sprintf("%d %s", i, strings.Repeat("x", 500)))
	}
	got := s.reasonOf(&exec.ExitError{Code: 1}).Error()
	if len(got) > tailBytes || !strings.Contains(got, fmt.Sprintf("\n%d xxx", 2*tailLines-1)) || strings.Contains(got, fmt.Sprintf("\n%d xxx", tailLines)) {
		t.Errorf("%d bytes: %.100s…", len(got), got)
	}
}

func TestALineOfAScriptChangesNoTerminalAndShowsNoAddressSecret(t *testing.T) {
	s := listen(t, scripts.ChartPull, limits{})
	s.stderr("\x1b[31mError\x1b[0m: https://user:planted@example.com/x?token=planted")
	for _, text := range []string{s.log.String(), s.output(), s.reasonOf(&exec.ExitError{Code: 1}).Error()} {
		if strings.Contains(text, "planted") || strings.Contains(text, "\x1b") || !strings.Contains(text, "example.com/x") {
			t.Errorf("got %q", text)
		}
	}
}

func TestAPersonCanRunAStepAgain(t *testing.T) {
	task := &Task{Run: &runs.Run{ID: "run", Dir: t.TempDir()}}
	err := task.writeRerun([]string{"echo", "it's", "$HOME"}, []string{"OCTO_RELEASE=shop", "OCTO_NAME=it's `date`"})
	env, envErr := os.ReadFile(task.Path("env"))
	rerun, rerunErr := os.ReadFile(task.Path("rerun"))
	if err = errors.Join(err, envErr, rerunErr); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rerun), "cd "+task.Dir+"\n") && !strings.Contains(string(rerun), "cd '"+task.Dir+"'\n") {
		t.Errorf("rerun is\n%s", rerun)
	}
	for _, want := range []string{"OCTO_RELEASE=shop\n", "`date`'\n"} {
		if !strings.Contains(string(env), want) {
			t.Errorf("%q is missing in\n%s", want, env)
		}
	}
}

// TestAHiddenWordStillTellsThatAnotherTryHelps: a chart's Secret may hold any word.
func TestAHiddenWordStillTellsThatAnotherTryHelps(t *testing.T) {
	hidden, err := exec.NewValues(nil, "connection refused")
	if err != nil {
		t.Fatal(err)
	}
	s := listen(t, scripts.WorkloadDeploy, limits{})
	s.task.Hide(hidden)
	s.stderr("Error: dial tcp 10.0.0.1:443: connect: connection refused")
	failed := fmt.Errorf("cannot deploy: %w", &ScriptError{scripts.WorkloadDeploy, s.reasonOf(&exec.ExitError{Code: 1})})
	if got := CauseOf(failed); got != MaybeOutage {
		t.Errorf("the cause is %q", got)
	}
	for _, text := range []string{failed.Error(), WordsOf(failed), s.output(), s.log.String()} {
		if strings.Contains(text, "refused") || !strings.Contains(text, "connect: [redacted]") {
			t.Errorf("it is told: %s", text)
		}
	}
}
