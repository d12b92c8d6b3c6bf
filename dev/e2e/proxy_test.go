package e2e

import (
	"context"
	"errors"
	"log/slog"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
	"octo-operator/kube"
)

// proxies are the kubectl proxies of this test's operators, by their working directory, which is below the operator's.
func (w *world) proxies() (pids []int) {
	w.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cwd")
	w.must(err)
	for _, file := range files {
		if dir, _ := os.Readlink(file); dir == filepath.Join(w.stateDir, "kube") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestAKubectlProxyThatWasKilledIsStartedAgainAndEverythingGoesOn(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	before := w.proxies()
	if len(before) != 1 {
		t.Fatalf("kubectl proxies %v", before)
	}
	w.must(syscall.Kill(before[0], syscall.SIGKILL))
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Errorf("reported %+v", s)
	}
	w.applyPool("after", devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381be"})
	w.waitForPoolStatus("communicationpool", "after-0", "Registered")
	if after := w.proxies(); len(after) != 1 || after[0] == before[0] {
		t.Errorf("kubectl proxies %v, before it was killed %v", after, before)
	}
	w.waitForLog(1, "kubectl proxy ended: the next request starts it again", nil)
}

func TestAPoolThatWasMadeWhileTheAPIServerWasAwayIsSeen(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__AUTOMANAGEPOOLS=false"}
	l := w.newLine()
	w.applyPool("before", w.pool)
	w.start()
	w.waitForPoolStatus("communicationpool", "before-0", "Registered")
	l.cut()
	w.waitForLog(2, "pools not watched", nil)
	w.applyPool("meanwhile", devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381be"})
	w.kubectl("delete", "communicationpool", "before-0")
	l.restore()
	w.waitForPoolStatus("communicationpool", "meanwhile-0", "Registered")
	w.waitFor("UnregisterPoolAsync", nil)
}

func TestNoProxyIsLeftWhenACommandHasEnded(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	event := `{"tenantId":"acme","workloadName":"Shop","workloadRtId":"` + appRtID + `","poolRtId":"` + w.pool.ID + `"}`
	for _, command := range []string{"values", "handle WorkloadUndeployed", "handle WorkloadDeployed"} {
		cmd := osexec.Command(operatorBinary, strings.Fields(command)...)
		cmd.Env, cmd.Stdin = w.environment(), strings.NewReader(event)
		out, _ := cmd.CombinedOutput()
		if left := w.proxies(); len(left) > 0 {
			t.Errorf("%s has left kubectl proxies %v\n%s", command, left, out)
		}
	}
}

// directly returns a kube.Client without an operator.
func directly(t *testing.T, kubeconfig string) *kube.Client {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig}
	k := kube.NewClient(env, t.TempDir(), slog.New(slog.DiscardHandler))
	t.Cleanup(k.Close)
	return k
}

func TestTheRealProxyTellsMistakesFromOutages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	k := directly(t, os.Getenv("KUBECONFIG"))
	if err := k.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
	for path, text := range map[string]string{
		"/api/v1/namespaces/default/secrets/none": `secrets "none" not found`,
		"/apis/octo.example/v1/nothing":           "404 page not found",
		"/apis/apps/v1/nothing":                   "the server could not find the requested resource",
	} {
		if err := k.Do(ctx, "GET", path, nil, nil); !kube.NotFound(err) || err.Error() != text || errors.Is(err, kube.ErrUnreachable) {
			t.Errorf("%s: %v", path, err)
		}
	}
	account := map[string]any{"metadata": map[string]string{"name": "default"}}
	err := k.Do(ctx, "POST", "/api/v1/namespaces/default/serviceaccounts", account, nil)
	if status := (*kube.StatusError)(nil); !kube.Conflict(err) || !errors.As(err, &status) || status.Reason != "AlreadyExists" {
		t.Errorf("an object that exists: %v", err)
	}
	if changed, err := k.Changed(ctx, "default", "serviceaccounts", "default"); err != nil || time.Since(changed) > 24*time.Hour {
		t.Errorf("changed %v, %v", changed, err)
	}
}

func TestTheRealProxySaysWhyItHasNoConnection(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, err := os.ReadFile(os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	write := func(text string) {
		if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := directly(t, kubeconfig)
	write("not: [a kubeconfig")
	if err := k.Ready(ctx); err == nil || errors.Is(err, kube.ErrUnreachable) || !strings.HasPrefix(err.Error(), "cannot run kubectl proxy: error loading config file") {
		t.Errorf("with a broken kubeconfig: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), "server: ")
	server, _, _ := strings.Cut(rest, "\n")
	write(strings.Replace(string(text), server, "https://127.0.0.1:1", 1))
	if err := k.Ready(ctx); !errors.Is(err, kube.ErrUnreachable) || err.Error() != "cannot reach the API server: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("without an API server: %v", err)
	}
}
