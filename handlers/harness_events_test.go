package handlers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// rtID is a workload's runtime id.
func rtID(workload string) string {
	sum := sha256.Sum256([]byte(workload))
	return hex.EncodeToString(sum[:])[:24]
}

// releaseName is that of a workload of the tenant.
func releaseName(workload string) string { return tenant + "-" + rtID(workload) }

func workload(name string) hub.Workload {
	return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolRtID: poolID}, WorkloadName: name, WorkloadRtID: rtID(name), WorkloadType: hub.Application}
}

func event(callback string, argument any) hub.Event {
	text, err := json.Marshal(argument)
	if err != nil {
		panic(err)
	}
	return hub.Event{Callback: callback, Argument: text}
}

// deployEvent deploys chart demo 1.2.3, unless it is changed.
func deployEvent(name string, change ...func(*hub.WorkloadDeployed)) hub.Event {
	w := hub.WorkloadDeployed{Workload: workload(name), RepositoryURL: repository, ChartName: "demo", ChartVersion: "1.2.3"}
	for _, c := range change {
		c(&w)
	}
	return event(hub.WorkloadDeployedCallback, w)
}

func undeployEvent(name string) hub.Event {
	return event(hub.WorkloadUndeployedCallback, hub.WorkloadUndeployed{Workload: workload(name)})
}

func scaleEvent(name string, replicas int) hub.Event {
	return event(hub.ScaleWorkload, hub.WorkloadScale{Workload: workload(name), Replicas: replicas})
}

// accepted is an event that the operator has taken.
type accepted struct {
	r    *rig
	what string
	done chan runs.Result
}

// accept hands an event to the operator. One that it refuses has failed.
func (r *rig) accept(e hub.Event) accepted {
	r.Helper()
	a := accepted{r, e.Callback + " " + string(e.Argument), make(chan runs.Result, 1)}
	if err := r.life.Accept(e, func(result runs.Result) { a.done <- result }); err != nil {
		a.done <- runs.Result{Outcome: runs.Failed, Reason: err.Error()}
	}
	return a
}

// result waits until the event has ended.
func (a accepted) result() runs.Result {
	a.r.Helper()
	select {
	case result := <-a.done:
		return result
	case <-time.After(patience):
		a.r.Fatalf("it does not end: %s", a.what)
		return runs.Result{}
	}
}

// run hands an event to the operator and waits until it has ended.
func (r *rig) run(e hub.Event) runs.Result {
	r.Helper()
	return r.accept(e).result()
}

// deploy deploys a workload and waits until it has succeeded.
func (r *rig) deploy(name string, change ...func(*hub.WorkloadDeployed)) {
	r.Helper()
	r.succeed(r.run(deployEvent(name, change...)))
}

func (r *rig) succeed(result runs.Result) {
	r.Helper()
	if result.Outcome != runs.Succeeded {
		r.Fatalf("it has %s: %s", result.Outcome, result.Reason)
	}
}

// runDirs are the run directories, oldest first.
func (r *rig) runDirs() []string {
	r.Helper()
	all, err := filepath.Glob(filepath.Join(r.disk, "runs", "[0-9]*"))
	r.must(err)
	return all
}

// file reads a file of the newest run; "": there is none.
func (r *rig) file(name string) string {
	r.Helper()
	all := r.runDirs()
	text, err := os.ReadFile(filepath.Join(all[len(all)-1], name))
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	return string(text)
}
