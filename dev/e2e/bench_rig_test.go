package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// rig is the controller, namespace and operator of one benchmark.
type rig struct {
	*testing.B
	ctx        context.Context
	controller *devcontroller.Server
	pool       devcontroller.Pool
	namespace  string
	stateDir   string
	env        []string // more settings
	wrap       []string // the command that starts the operator, if not directly
	pod        podPlace // where the operator runs
	operator   *daemon
	repository string // of the charts
	workloads  int
}

// newRig starts an operator with one pool, and deploys once, which fills the caches for charts and discovery.
func newRig(b *testing.B) *rig {
	b.Helper()
	r := newRigWith(b, nil)
	r.deploy(r.newWorkload("red"))
	return r
}

// newRigWith starts an operator with scripts and settings of its own.
func newRigWith(b *testing.B, scripts map[string]string, env ...string) *rig {
	b.Helper()
	return newRigIn(b, nil, scripts, env...)
}

// newRigIn starts the operator by the command in wrap.
func newRigIn(b *testing.B, wrap []string, scripts map[string]string, env ...string) *rig {
	b.Helper()
	r := &rig{
		env: env, wrap: wrap, repository: openCharts.URL,
		B: b, ctx: b.Context(), namespace: "octo-bench-" + uniqueName(), stateDir: b.TempDir(),
		controller: devcontroller.New(devcontroller.Options{Generation: devcontroller.G3}),
		pool:       devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381bc"},
	}
	r.must(r.controller.Start("127.0.0.1:0"))
	b.Cleanup(func() { r.controller.Close() })
	r.command("kubectl", "create", "namespace", r.namespace)
	b.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "namespace", r.namespace, "--wait=false").Run() })
	r.pod = r.newPod()
	r.controller.SetPools(r.pool)
	if len(scripts) > 0 {
		dir := b.TempDir()
		for name, text := range scripts {
			r.must(os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nset -eu\n"+text), 0o755))
		}
		r.env = append(r.env, "OPERATOR__SCRIPTSDIR="+dir)
	}
	r.start()
	return r
}

// normalBinary is the operator as make build makes it; the one that TestMain builds has the race detector. It is in the same directory,
// which TestMain removes.
var normalBinary = sync.OnceValues(func() (string, error) {
	binary := operatorBinary + "-normal"
	build := osexec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the operator: %w\n%s", err, out)
	}
	return binary, nil
})

// daemon is a running octo-operator.
type daemon struct {
	cmd *osexec.Cmd
	log string // file
}

// start starts the operator as in a pod, and returns how long it took to register, and to register its pool.
func (r *rig) start() (toOperator, toPool time.Duration) {
	r.Helper()
	before := r.controller.LastSeq()
	accepted := func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" }
	began := time.Now()
	r.launch()
	r.waitFor("RegisterOperatorAsync", accepted)
	toOperator = time.Since(began)
	r.waitFor("RegisterPoolAsync", accepted)
	return toOperator, time.Since(began)
}

// launch starts the operator and does not wait. The log has the default level and format, and goes to a file.
func (r *rig) launch() {
	r.Helper()
	binary, err := normalBinary()
	r.must(err)
	log, err := os.CreateTemp(r.TempDir(), "operator-*.log")
	r.must(err)
	defer log.Close()
	line := append(append(slices.Clone(r.wrap), r.pod.wrap...), binary)
	cmd := osexec.Command(line[0], line[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = r.environment(), log, log
	d := &daemon{cmd: cmd, log: log.Name()}
	r.operator = d
	r.must(cmd.Start())
	r.Cleanup(func() { d.stop(r.B) })
}

func (r *rig) environment() []string {
	return append(append(append(os.Environ(), r.pod.env...),
		"OPERATOR__AUTOMANAGEPOOLS=true",
		"OPERATOR__COMMUNICATIONCONTROLLERURI="+r.controller.URL(),
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.0/8,::1",
		"OPERATOR__POOLNAMESPACE="+r.namespace,
		"OPERATOR__WATCHNAMESPACE="+r.namespace,
		"OPERATOR__STATEDIR="+r.stateDir,
		"OPERATOR__CONCURRENCY="+strconv.Itoa(concurrency),
		"OPERATOR__BROKERUSER=octo",
		"OPERATOR__BROKERPASSWORD="+brokerPassword,
		"KESTREL__ENDPOINTS__HTTP__URL=http://127.0.0.1:0",
		"OPERATOR__STATUSPAGE=off",
	), r.env...)
}

// stop ends the daemon, if it has not ended yet.
func (d *daemon) stop(b *testing.B) {
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(patience, func() { _ = d.cmd.Process.Kill() })
	defer kill.Stop()
	if err := d.cmd.Wait(); err != nil {
		b.Errorf("the operator ended with: %v\n%s", err, d.text())
	}
}

func (d *daemon) text() string {
	text, _ := os.ReadFile(d.log)
	return string(text)
}

func valuesYaml(colour string) string { return "settings:\n  COLOUR: " + colour + "\n" }

// newWorkload returns a workload that has no release yet.
func (r *rig) newWorkload(colour string) devcontroller.Workload {
	r.workloads++
	return r.workload(r.workloads, colour)
}

// workload returns the n-th workload.
func (r *rig) workload(n int, colour string) devcontroller.Workload {
	return devcontroller.Workload{
		Pool: r.pool, Name: fmt.Sprint("Shop ", n), RtID: fmt.Sprintf("65d5c447b420da3fb1%06x", n),
		Type: devcontroller.Application, RepositoryURL: r.repository, ChartName: "demo-app", ChartVersion: "1.2.0",
		ValuesYaml: valuesYaml(colour),
		Values:     []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-api-key-77", IsSecret: true}},
	}
}

// deploy returns the cost of a deploy, from sending the event to the arrival of the report.
func (r *rig) deploy(w devcontroller.Workload) cost {
	r.Helper()
	return r.deployAll([]devcontroller.Workload{w})
}

func (r *rig) deployMany(n int) cost {
	r.Helper()
	var workloads []devcontroller.Workload
	for range n {
		workloads = append(workloads, r.newWorkload("red"))
	}
	return r.deployAll(workloads)
}

func (r *rig) deployAll(workloads []devcontroller.Workload) cost {
	r.Helper()
	before := r.controller.LastSeq()
	cpu, began := r.operator.cpu(r.B), time.Now()
	for _, w := range workloads {
		r.must(r.controller.Deploy(r.ctx, w))
	}
	for _, w := range workloads {
		r.waitFor("ReportWorkloadDeploymentStatusAsync", func(c devcontroller.Call) bool {
			var s status
			if c.Seq <= before || json.Unmarshal(c.Args[0], &s) != nil || s.WorkloadRtID != w.RtID {
				return false
			}
			if !s.Success {
				r.Fatalf("the deploy of %s failed: %s", w.Name, s.StatusMessage)
			}
			return true
		})
	}
	wall := time.Since(began)
	return cost{wall, r.operator.cpu(r.B) - cpu}
}

func (r *rig) waitFor(method string, match func(devcontroller.Call) bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	_, err := r.controller.WaitFor(ctx, method, match)
	r.must(err)
}

func (r *rig) command(name string, args ...string) string {
	r.Helper()
	out, err := osexec.Command(name, args...).CombinedOutput()
	if err != nil {
		r.Fatalf("cannot run %s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (r *rig) must(err error) {
	r.Helper()
	if err == nil {
		return
	}
	if r.operator != nil {
		r.Logf("the operator's log:\n%s", r.operator.text())
	}
	r.Fatal(err)
}
