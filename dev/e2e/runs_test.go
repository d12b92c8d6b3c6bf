package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// octo runs a command of the operator as kubectl exec would, beside the running one, and returns its output and its exit code.
func (w *world) octo(args ...string) (out string, exit int) {
	w.Helper()
	cmd := osexec.Command(operatorBinary, args...)
	cmd.Env = w.environment()
	text, err := cmd.CombinedOutput()
	if exit := (*osexec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// wantOcto is octo for a command that must print all of want, and exit with this code.
func (w *world) wantOcto(exit int, args []string, want ...string) string {
	w.Helper()
	out, code := w.octo(args...)
	if code != exit {
		w.Errorf("%q: exit code %d, want %d\n%s", args, code, exit, out)
	}
	for _, part := range want {
		if !strings.Contains(out, part) {
			w.Errorf("%q does not print %q:\n%s", args, part, out)
		}
	}
	if strings.Contains(out, plantedOverride) {
		w.Errorf("%q prints a secret:\n%s", args, out)
	}
	return out
}

// section returns a part of the output of runs show, without the indentation.
func section(shown, title string) (lines []string) {
	_, rest, _ := strings.Cut(shown, "\n"+title+"\n")
	part, _, _ := strings.Cut(rest, "\n\n")
	for line := range strings.Lines(part) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func TestRunsAreSeenFollowedAndRunAgainBesideTheOperator(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"workload-deploy": `[ "$OCTO_WORKLOAD" != Slow ] || while [ ! -e ` + gate + ` ]; do sleep 0.1; done
exec "$(dirname "$OCTO_LIB")/workload-deploy"` + "\n"})
	w.start()
	w.wantOcto(0, []string{"runs"}, "no such runs")
	w.deployPool()
	shop := w.workload("Shop", appRtID)
	shop.Values = secret(plantedOverride)
	if s := w.deploy(shop); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	broken := w.workload("Broken", brokenRtID)
	broken.ValuesYaml = "replicaCount: many"
	if s := w.deploy(broken); s.Success {
		t.Fatal("the broken one was deployed")
	}
	slow := w.workload("Slow", "65d5c447b420da3fb12381c4")
	slow.Values = secret(plantedOverride)
	w.must(w.controller.Deploy(w.ctx, slow))
	w.waitForLog(1, "values merged", map[string]string{"workload": "Slow"})

	w.wantOcto(0, []string{"runs"}, "running", "succeeded", "failed", "WorkloadDeployed", "PoolDeployed", "acme-"+appRtID, "replicaCount")
	w.wantOcto(0, []string{"runs", "--running", "-o", "wide"}, "running", "Slow")
	if out := w.wantOcto(0, []string{"runs", "--failed"}, "failed", "acme-"+brokenRtID); strings.Count(out, "\n") != 2 {
		t.Errorf("not one has failed:\n%s", out)
	}
	w.wantOcto(0, []string{"runs", "show", "Broken"}, "outcome    failed: WorkloadDeployed", "REASON", "replicaCount: many", "TIMELINE", "end       failed")
	w.seeSlowOneWhileItRuns(slow, gate)
	w.runShopAgain()
	w.wantOcto(1, []string{"runs", "show", "Nothing"}, "no name or id of a release")
	w.wantOcto(1, []string{"runs", "-o", "yaml"}, "wide or json")
}

// seeSlowOneWhileItRuns shows a running run, and follows it until it has ended.
func (w *world) seeSlowOneWhileItRuns(slow devcontroller.Workload, gate string) {
	w.Helper()
	w.wantOcto(0, []string{"runs", "show", "Slow", "-o", "json"}, `"outcome": "running"`, `"phase": "`, "[removed after the run]")
	w.wantOcto(1, []string{"runs", "rerun", "Slow"}, "it has not ended")
	follower := &operator{cmd: osexec.Command(operatorBinary, "runs", "--follow", slow.RtID)}
	follower.cmd.Env, follower.cmd.Stdout, follower.cmd.Stderr = w.environment(), follower, follower
	w.must(follower.cmd.Start())
	if !w.eventually(func() bool { return strings.Contains(follower.text(), "workload-deploy") }) {
		w.Errorf("the script is not seen:\n%s", follower.text())
	}
	w.must(os.WriteFile(gate, nil, 0o600))
	if err := follower.cmd.Wait(); err != nil {
		w.Errorf("followed to a success: %v", err)
	}
	for _, part := range []string{"install", "stderr + ", "helm upgrade --install", "settle", "end       succeeded", "succeeded after "} {
		if !strings.Contains(follower.text(), part) {
			w.Errorf("the follower does not print %q:\n%s", part, follower.text())
		}
	}
	if strings.Contains(follower.text(), plantedOverride) {
		w.Errorf("the follower prints a secret:\n%s", follower.text())
	}
	w.wantOcto(2, []string{"runs", "show", "Broken", "--follow"}, "failed after", "run 2") // for an ended run it returns at once
}

// runShopAgain pastes the printed commands into a shell, and runs the last step again.
func (w *world) runShopAgain() {
	w.Helper()
	shown := w.wantOcto(0, []string{"runs", "show", "acme-" + appRtID}, "succeeded: WorkloadDeployed", "install", "MiB at most", "EVENT", "VALUES", "secretKeyRef", "OUTPUT")
	var pasted []string
	for _, line := range section(shown, "COMMANDS") {
		if !strings.Contains(line, "secret.yaml") && !strings.Contains(line, "manifest.yaml") { // files that may contain secrets are removed after the run
			pasted = append(pasted, line)
		}
	}
	shell := osexec.Command("sh", "-ec", strings.Join(pasted, "\n"))
	shell.Dir, shell.Env = "/", []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.TempDir()}
	if out, err := shell.CombinedOutput(); err != nil || len(pasted) != 4 {
		w.Errorf("%d lines were pasted: %v\n%s\n%s", len(pasted), err, strings.Join(pasted, "\n"), out)
	}
	var s struct{ Dir, NoRerun string }
	out, _ := w.octo("runs", "show", "Shop", "-o", "json")
	w.must(json.Unmarshal([]byte(out), &s))
	manifest, err := os.ReadFile(filepath.Join(s.Dir, "manifest.yaml"))
	w.must(err)
	w.wantOcto(0, []string{"runs", "rerun", "--dry-run", "Shop"}, "runs again:", s.Dir, "acme-"+appRtID+"-octo-secrets, as the cluster has it now")
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"revision":"2"`) {
		w.Errorf("the pasted upgrade, and no other, made no second revision: %s", got)
	}
	w.wantOcto(0, []string{"runs", "rerun", "Shop"}, "has been upgraded")
	if got := w.helm("list", "--output", "json"); !strings.Contains(got, `"revision":"3"`) {
		w.Errorf("the rerun made no third revision: %s", got)
	}
	if now, err := os.ReadFile(filepath.Join(s.Dir, "manifest.yaml")); err != nil || !bytes.Equal(now, manifest) {
		w.Errorf("the manifest that the rerun made stays, with what is secret in it: %v", err)
	}
	w.kubectl("delete", "secret", "acme-"+appRtID+"-octo-secrets")
	w.wantOcto(2, []string{"runs", "rerun", "Shop"}, "deploy the workload from the controller again")
}
