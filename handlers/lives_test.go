package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"octo-operator/dispatch"

	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// The test binary also plays an operator in one of its lives, which ends when nothing is left to do.
func init() {
	stateDir := os.Getenv("HANDLERS_TEST_LIFE")
	if stateDir == "" {
		return
	}
	l, err := beginLife(stateDir)
	if err == nil {
		l.Wait()
	}
	fmt.Println("the operator ended by itself:", err)
	os.Exit(0)
}

// life is one of an operator that has neither helm nor kubectl.
type life struct {
	*Handlers
	reports chan hub.WorkloadDeploymentStatus
}

// beginLife takes up what is unfinished in a state directory. The operator's own scripts lie beside it.
func beginLife(stateDir string) (life, error) {
	settings, err := config.Load([]string{
		"OPERATOR__STATEDIR=" + stateDir, "OPERATOR__SCRIPTSDIR=" + stateDir + "-scripts", "OPERATOR__CLUSTERJOURNAL=false",
	})
	if err != nil {
		return life{}, err
	}
	l := life{reports: make(chan hub.WorkloadDeploymentStatus, 10)}
	l.Handlers, err = Open(settings, []string{"PATH=/usr/bin:/bin"}, l, slog.New(slog.DiscardHandler))
	if err != nil {
		return life{}, err
	}
	return l, l.Resume(context.Background())
}

func (l life) RegisterPool(hub.Pool)                          {}
func (l life) UnregisterPool(hub.Pool)                        {}
func (l life) ReregisterTenant(context.Context, string) error { return nil }
func (l life) Generation() hub.Generation                     { return 0 }
func (l life) Withdraw(string, string)                        {}

func (l life) ReportDeployedState(context.Context, []hub.DeployedPool) error { return nil }

func (l life) Report(r hub.Report) {
	var status hub.WorkloadDeploymentStatus
	_ = json.Unmarshal(r.Arguments[0].(json.RawMessage), &status)
	l.reports <- status
}

// acceptedDeploy is a deploy that an operator has accepted and not begun, in a new state directory. Its first step is
// pullScript.
func acceptedDeploy(t *testing.T, pullScript string) (run *runs.Run, stateDir string) {
	t.Helper()
	stateDir = filepath.Join(t.TempDir(), "state")
	t.Setenv("PATH", "/no/tools")
	store, err := runs.Open(stateDir)
	if err == nil {
		run, err = store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{
			"tenantId": "acme", "poolRtId": "65d5c447b420da3fb12381bc", "workloadRtId": "65d5c447b420da3fb12381bd",
			"repositoryUrl": "oci://charts.example", "chartName": "app", "chartVersion": "1.0.0"}`)}, "octo/acme")
	}
	if err = errors.Join(err, os.Mkdir(stateDir+"-scripts", 0o700)); err != nil {
		t.Fatal(err)
	}
	swapPull(t, stateDir, pullScript)
	return run, stateDir
}

func swapPull(t *testing.T, stateDir, script string) {
	t.Helper()
	file := filepath.Join(stateDir+"-scripts", scripts.ChartPull)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// lastLife is the life in which the event ends: with this status, which is the run's result too.
func lastLife(t *testing.T, stateDir string, run *runs.Run) (reason string) {
	t.Helper()
	l, err := beginLife(stateDir)
	if err != nil {
		t.Fatal(err)
	}
	l.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	status := <-l.reports
	result, err := run.Result()
	if err != nil || result.Outcome != runs.Failed || status.Success || status.StatusMessage != result.Reason {
		t.Errorf("reported as %+v, kept as %+v, %v", status, result, err)
	}
	return result.Reason
}

func triesOf(t *testing.T, run *runs.Run) int {
	t.Helper()
	tries, err := os.ReadFile(run.Path("tries"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(tries), "\n")
}

func TestAnEventThatKillsTheOperatorFailsInItsFourthLife(t *testing.T) {
	run, stateDir := acceptedDeploy(t, `echo >>tries; [ "$(wc -l <tries)" -gt 3 ] || kill -9 $PPID; exit 1`)
	for n := range 3 {
		operator := osexec.CommandContext(t.Context(), "/proc/self/exe")
		operator.Env = append(os.Environ(), "HANDLERS_TEST_LIFE="+stateDir)
		output, err := operator.CombinedOutput()
		if status, ok := operator.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("life %d ended with %v, output %s", n+1, err, output)
		}
	}
	reason := lastLife(t, stateDir, run)
	if !strings.HasPrefix(reason, "the operator ended 3 times while it worked on this event") || !strings.Contains(reason, run.Dir) {
		t.Errorf("it failed for another reason: %s", reason)
	}
	if tries := triesOf(t, run); tries != 3 {
		t.Errorf("it was tried %d times", tries)
	}
	store, err := runs.Open(stateDir)
	if err == nil {
		err = store.Prune(0, 0, dispatch.ReportPending) // as where the disk is full
	}
	if _, statErr := os.Stat(run.Path("tries")); err != nil || statErr != nil {
		t.Errorf("it is not kept for a look: %v, %v", err, statErr)
	}
}

func TestAnEventThatWasCutShortByAnOrderlyEndIsTriedInEachLife(t *testing.T) {
	run, stateDir := acceptedDeploy(t, "echo >>tries; exec sleep 1000")
	const lives = 5
	for n := range lives {
		l, err := beginLife(stateDir)
		if err != nil {
			t.Fatal(err)
		}
		for patience := time.Now().Add(time.Minute); triesOf(t, run) <= n; time.Sleep(time.Millisecond) {
			if len(l.reports) > 0 || time.Now().After(patience) {
				t.Fatalf("it was not tried in life %d", n+1)
			}
		}
		l.Shutdown(100 * time.Millisecond)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	swapPull(t, stateDir, "echo Error: no such chart >&2; exit 1")
	if reason := lastLife(t, stateDir, run); !strings.HasPrefix(reason, "no such chart") {
		t.Errorf("it failed for another reason: %s", reason)
	}
}
