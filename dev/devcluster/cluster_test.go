package main

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Pods as charts have them; stages.yaml defines what happens to them.
const testPods = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ready}
spec: {serviceName: ready, replicas: 2, selector: {matchLabels: {app: ready}}, template: {metadata: {labels: {app: ready}}, spec: {initContainers: [{name: i, image: x}], containers: [{name: a, image: x}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: done}
spec: {template: {metadata: {labels: {app: done}}, spec: {restartPolicy: OnFailure, containers: [{name: a, image: x}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: failed}
spec: {backoffLimit: 0, template: {metadata: {labels: {app: failed}, annotations: {octo-dev/crash: "true"}}, spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: pull}
spec: {selector: {matchLabels: {app: pull}}, template: {metadata: {labels: {app: pull}}, spec: {containers: [{name: a, image: "any/does-not-exist:1"}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crash}
spec: {selector: {matchLabels: {app: crash}}, template: {metadata: {labels: {app: crash, octo-dev/crash: "true"}}, spec: {containers: [{name: a, image: x}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: name}
spec: {selector: {matchLabels: {app: name}}, template: {metadata: {labels: {app: name}}, spec: {containers: [{name: a, image: "localhost:5000/Any:1"}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: key}
spec: {selector: {matchLabels: {app: key}}, template: {metadata: {labels: {app: key}}, spec: {containers: [{name: b, image: x}, {name: a, image: x, env: [
  {name: A, value: x}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: C, valueFrom: {secretKeyRef: {name: s, key: does-not-exist}}}]}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: probe}
spec: {selector: {matchLabels: {app: probe}}, template: {metadata: {labels: {app: probe}}, spec: {containers: [{name: a, image: x, readinessProbe: {httpGet: {path: /does-not-exist, port: 80}}}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: late}
spec: {selector: {matchLabels: {app: late}}, template: {metadata: {labels: {app: late}, annotations: {octo-dev/ready-after: 2s}}, spec: {containers: [{name: a, image: x}]}}}
`

func TestClusterPlaysPodsSurvivesAKilledAPIServerAndLeavesNothing(t *testing.T) {
	bin := builtTools(t)
	c, err := startCluster(t.Context(), bin)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			c.stop()
		}
	}()
	kubectl := func(stdin string, args ...string) string {
		cmd := exec.Command(filepath.Join(bin, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		output, _ := cmd.CombinedOutput()
		return string(output)
	}
	becomes := func(app, path, want string) {
		t.Helper()
		eventually(t, app+" is "+want, func() bool {
			return kubectl("", "get", "pod", "-l", "app="+app, "-o", "jsonpath={.items[*]."+path+"}") == want
		})
	}

	started := time.Now()
	t.Log(kubectl(testPods, "apply", "-f", "-"))
	becomes("ready", "status.containerStatuses[*].ready", "true true")
	becomes("done", "status.phase", "Succeeded")
	becomes("failed", "status.phase", "Failed")
	becomes("pull", "status.containerStatuses[0].state.waiting.reason", "ImagePullBackOff")
	becomes("crash", "status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
	becomes("name", "status.containerStatuses[0].state.waiting.reason", "InvalidImageName")
	becomes("key", "status.containerStatuses[0].state.waiting.message", "couldn't find key does-not-exist in Secret default/s")
	becomes("probe", "status.phase", "Running")
	becomes("probe", "status.containerStatuses[0].ready", "false")
	becomes("late", "status.containerStatuses[0].ready", "true")
	if took := time.Since(started); took < 2*time.Second {
		t.Errorf("late was ready after %s, not after 2 s", took)
	}

	before := readPid(t, c.dir, "apiserver")
	syscall.Kill(before, syscall.SIGKILL)
	eventually(t, "another API server is ready", func() bool {
		return readPid(t, c.dir, "apiserver") != before && kubectl("", "get", "--raw", "/readyz") == "ok"
	})
	kubectl("", "scale", "statefulset/ready", "--replicas=3")
	becomes("ready", "status.containerStatuses[*].ready", "true true true")

	var pids []int
	for _, component := range c.components {
		pids = append(pids, readPid(t, c.dir, component.name))
	}
	stopped = true
	c.stop()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
	if _, err := os.Stat(c.dir); err == nil {
		t.Errorf("%s is left behind", c.dir)
	}
}

func TestClusterStartThatIsInterruptedLeavesNothing(t *testing.T) {
	bin := builtTools(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := startCluster(ctx, bin); err == nil {
		t.Fatal("the cluster started in half a second")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestChartsCanBeReadFromBothRepositories(t *testing.T) {
	helm := filepath.Join(builtTools(t), "helm")
	source, home := t.TempDir(), t.TempDir()
	for _, version := range []string{"1.0.0", "1.1.0"} {
		dir := filepath.Join(source, version, "web")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		chart := "apiVersion: v2\nname: web\nversion: " + version + "\n"
		if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(chart), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, oci, err := packCharts(t.Context(), helm, source)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newChartServer(files, oci, "", ""))
	defer server.Close()
	for _, args := range [][]string{
		{"show", "chart", "web", "--repo", server.URL},
		{"show", "chart", "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts/web", "--plain-http"},
	} {
		cmd := exec.Command(helm, args...)
		cmd.Env = []string{"HOME=" + home}
		if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "version: 1.1.0") {
			t.Errorf("helm %v: %v\n%s", args, err, output)
		}
	}
}

// builtTools fails at once when binaries are missing: building them takes
// longer than go test waits.
func builtTools(t *testing.T) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := selectTools(clusterTools)
	if err != nil {
		t.Fatal(err)
	}
	found, missing, err := locate(t.Context(), cache, tools)
	if err != nil || len(missing) > 0 {
		t.Fatalf("not all tools are there (%v), run first: go run . tools", err)
	}
	bin, err := linkTools(cache, 4, found)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
