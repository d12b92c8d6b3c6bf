package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// scaled makes an ended run of a scaling. Its script creates the file ran, and continues with the given one.
func scaled(t *testing.T, store *runs.Store, script string) *runs.Run {
	t.Helper()
	run, err := store.Create(hub.Event{Callback: hub.ScaleWorkload, Argument: []byte(`{"tenantId":"acme","workloadName":"Shop"}`)}, "octo/acme-shop")
	must(t, err)
	dir := filepath.Dir(store.Dir())
	must(t, os.WriteFile(filepath.Join(dir, "lib.sh"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "workload-scale"), []byte("#!/bin/sh\ntouch ran\n"+script+"\n"), 0o700))
	must(t, run.Write("env", fmt.Appendf(nil, "export OCTO_LIB=%s/lib.sh\nexport OCTO_RELEASE=acme-shop\n", dir)))
	must(t, run.Write("rerun", fmt.Appendf(nil, "#!/bin/sh\nset -eu\ncd %s\n. ./env\nexec %s/workload-scale\n", run.Dir, dir)))
	must(t, run.Finish(runs.Result{Outcome: runs.Failed}, nil))
	return run
}

func stateDir(t *testing.T) *runs.Store {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("OPERATOR__STATEDIR", dir)
	store, err := runs.Open(dir)
	must(t, err)
	return store
}

func TestAStepIsNotRunAgainBesideTheOperatorsOwnRunOfTheRelease(t *testing.T) {
	store := stateDir(t)
	run := scaled(t, store, "")
	other, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"tenantId":"acme","workloadName":"Shop"}`)}, "octo/acme-shop")
	must(t, err)
	if err := rerun(io.Discard, io.Discard, run.RandomEnd(), false, false); err == nil || ExitCode(err) != 1 || !strings.Contains(err.Error(), other.ShortID()+" of the same release") || run.Has("ran") {
		t.Errorf("beside it: ran: %v, %v", run.Has("ran"), err)
	}
	if err := rerun(io.Discard, io.Discard, other.RandomEnd(), true, false); err == nil || !strings.Contains(err.Error(), "it has not ended") {
		t.Errorf("itself: %v", err)
	}
	if err := rerun(io.Discard, io.Discard, run.RandomEnd(), true, true); err != nil || run.Has("ran") {
		t.Errorf("only said: ran: %v, %v", run.Has("ran"), err)
	}
	if err := rerun(io.Discard, io.Discard, run.RandomEnd(), true, false); err != nil || !run.Has("ran") {
		t.Errorf("forced: ran: %v, %v", run.Has("ran"), err)
	}
	must(t, run.Remove("ran"))
	must(t, other.Finish(runs.Result{Outcome: runs.Succeeded}, nil))
	if err := rerun(io.Discard, io.Discard, "acme-shop", false, false); err == nil { // the newest run of the release, which has no script
		t.Error("a run without a script was run again")
	}
	if err := rerun(io.Discard, io.Discard, run.ID, false, false); err != nil || !run.Has("ran") {
		t.Errorf("after it: ran: %v, %v", run.Has("ran"), err)
	}
}

func TestAStepThatFailsAgainIsToldByTheExitCode(t *testing.T) {
	run := scaled(t, stateDir(t), "exit 7")
	if err := rerun(io.Discard, io.Discard, run.RandomEnd(), false, false); ExitCode(err) != exitFailed || !strings.Contains(fmt.Sprint(err), "exit code 7") {
		t.Errorf("got %v", err)
	}
}

func TestWhatAStepPrintsAgainMovesNoCursorAndItSeesNoSecretOfTheOperator(t *testing.T) {
	t.Setenv("OPERATOR__BROKERPASSWORD", "planted")
	run := scaled(t, stateDir(t), `env; printf 'a\033[2Jb\r\n'; echo "$OCTO_RELEASE" >&2; echo planted >manifest.yaml; echo planted >hook-secrets.json`)
	var stdout, stderr bytes.Buffer
	must(t, runAgain(context.Background(), run, &stdout, &stderr))
	wantNoControl(t, stdout.String())
	if out := stdout.String(); strings.Contains(out, "planted") || !strings.Contains(out, "ab") || stderr.String() != "acme-shop\n" {
		t.Errorf("printed %q and %q", out, stderr.String())
	}
	for _, name := range []string{"manifest.yaml", "hook-secrets.json"} {
		if run.Has(name) {
			t.Errorf("the %s that it made stays, with the Secrets of its chart", name)
		}
	}
	must(t, run.Write("manifest.yaml", []byte("as it was")))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := runAgain(ctx, run, &stdout, &stderr); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, runAgain(context.Background(), run, &stdout, &stderr))
	if text, err := os.ReadFile(run.Path("manifest.yaml")); err != nil || string(text) != "as it was" {
		t.Errorf("the manifest is %q, %v", text, err)
	}
}

// TestAStepThatIsRunAgainIsEndedInOrderWhenNobodyListens: its terminal is closed, or its output goes into a program that has ended.
func TestAStepThatIsRunAgainIsEndedInOrderWhenNobodyListens(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"closed terminal": syscall.SIGHUP, "Ctrl-C": syscall.SIGINT, "gone reader": syscall.SIGPIPE} {
		t.Run(name, func(t *testing.T) {
			run := scaled(t, stateDir(t), fmt.Sprintf("echo planted >manifest.yaml\nkill -%d %d\nexec sleep 600", signal, os.Getpid()))
			if err := rerun(io.Discard, io.Discard, run.RandomEnd(), false, false); ExitCode(err) != exitFailed || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if run.Has("manifest.yaml") {
				t.Error("the manifest that it made stays, with the Secrets of its chart")
			}
		})
	}
}
