package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func TestEventsThatComeTogetherAreCarriedOutAsIfTheyCameOneByOne(t *testing.T) {
	r := newRig(t)
	h, _ := r.acceptAndHold("upgrade", "busy", deployEvent("busy"))
	r.life.AcceptAll([]hub.Event{
		deployEvent("busy", override("image.tag", "2")), // a newer one takes its place
		deployEvent("shop", override("image.tag", "1")),
		deployEvent("bank"),
		undeployEvent("bank"), // takes the place of the deploy, or stops it
		deployEvent("busy", override("image.tag", "3")),
	})
	h.release()
	r.eventually("all have ended", func() bool { return len(r.ended()) == 6 })
	for name, image := range map[string]string{"busy": "demo/app:3", "shop": "demo/app:1"} {
		if got := r.deployment(name).image; got != image {
			t.Errorf("%s runs %s, want %s", name, got, image)
		}
	}
	r.wantHistory("busy", "1 superseded, 2 deployed")
	r.wantHistory("bank", "")
}

func TestAnEventThatIsRefusedLeavesNothingAndHarmsNoOther(t *testing.T) {
	r := newRig(t)
	r.life.AcceptAll([]hub.Event{
		deployEvent("shop"),
		deployEvent("forged", version("1\r+ helm uninstall everything"), secret("key", "planted-key"), func(w *hub.WorkloadDeployed) {
			w.RepositoryURL, w.RepositoryPassword = "https://me:planted-url@charts.test", "planted-password"
		}),
		{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"tenantId":"acme","workloadName":"broken","values":"planted"`)},
		{Callback: "Moon\x1bDeployed" + strings.Repeat("!", 1000), Argument: []byte("{}")},
		event(hub.PoolUndeployed, hub.Pool{TenantID: tenant, PoolRtID: "x,a=b"}), // in edge mode nobody looks at it
		deployEvent("endless", func(w *hub.WorkloadDeployed) { w.ChartName = strings.Repeat("\x1b", 1<<20) }),
		deployEvent(strings.Repeat("n", 1<<20)),
		{Callback: hub.WorkloadUndeployedCallback, Argument: []byte(`{"tenantId":"` + strings.Repeat("t", 1<<20) + `","workloadName":"far"}`)},
		deployEvent("bank"),
	})
	for _, name := range []string{"shop", "bank"} {
		if s := r.status(name); !s.Success {
			t.Errorf("status of %s: %+v", name, s)
		}
	}
	wantText(t, r.status("forged").StatusMessage, "cannot deploy the workload: repositoryUrl holds credentials: they belong in")
	wantText(t, r.status("endless").StatusMessage, "chartName", "has 1048576 bytes, the limit is 250")
	wantText(t, r.status(strings.Repeat("n", 500)+"…").StatusMessage, "workloadName", "has 1048576 bytes, the limit is 500: correct it")
	if n := len(r.log.records("event refused")); n != 6 {
		t.Errorf("%d records of refusals, want 6", n)
	}
	for _, text := range append(strings.Split(r.log.String(), "\n"), readAll(r)...) {
		if len(text) > 3000 || strings.ContainsAny(text, "\x1b") || strings.Contains(text, "planted") {
			t.Errorf("it tells: %.3000s", text)
		}
	}
	if n := len(r.runDirs()); n != 2 {
		t.Errorf("%d run directories", n)
	}
}

// readAll are the files of all runs.
func readAll(r *rig) (texts []string) {
	for _, dir := range r.runDirs() {
		for _, name := range []string{"event.json", "output.log", "env", "result.json"} {
			texts = append(texts, readFile(dir+"/"+name))
		}
	}
	return texts
}

func TestAWorkloadsNameMayBeAnyText(t *testing.T) {
	r := newRig(t)
	const odd = "Shop\n+ helm uninstall everything\x1b[31m\u202e"
	named := func(w *hub.WorkloadDeployed) { w.WorkloadName = odd }
	r.deploy("shop", named, secret("key", "planted-key"))
	r.wantSuccess(odd)
	const escaped = `Shop\u000a+ helm uninstall everything\u001b[31m\u202e`
	wantText(t, r.file("env"), "export OCTO_WORKLOAD='"+escaped+"'\n")
	secret := r.cluster.get(secretObject(secretName("shop")))
	if got := section(section(secret, "metadata"), "annotations")[group+"/workload-name"]; got != escaped {
		t.Errorf("the annotation is %q", got)
	}
	if n := len(r.log.records("event done", "workload", escaped)); n != 1 {
		t.Errorf("%d records with the name", n)
	}
}

func TestManyEventsAreOnDiskInTheOrderInWhichTheyCame(t *testing.T) {
	r := newRig(t)
	h, _ := r.acceptAndHold("upgrade", "busy", deployEvent("busy"))
	var events []hub.Event
	for i := range 100 {
		events = append(events, scaleEvent(fmt.Sprint("app-", i), i))
	}
	r.life.AcceptAll(events)
	dirs := r.runDirs()[1:]
	for i, dir := range dirs {
		wantText(t, readFile(dir+"/event.json"), fmt.Sprintf(`"replicas":%d`, i))
	}
	if len(dirs) != len(events) {
		t.Errorf("%d run directories", len(dirs))
	}
	h.release()
}

func TestAnEventThatAnEarlierVersionHasKeptAndThisOneRefusesIsAnsweredAndItsSecretsGo(t *testing.T) {
	r := newRig(t)
	r.kill()
	store, err := runs.Open(r.disk)
	r.must(err)
	left := deployEvent("shop", version("1\r+ helm uninstall everything"), secret("key", "planted-key"), func(w *hub.WorkloadDeployed) {
		w.RepositoryURL, w.RepositoryPassword = "https://me:planted-url@charts.test/?planted-query", "planted-password"
	})
	for _, e := range []hub.Event{left, {Callback: "MoonDeployed", Argument: []byte("{}")}} {
		_, err = store.Create(e, "octo/"+releaseName("shop"))
		r.must(err)
	}
	r.start()
	s := r.status("shop")
	if s.Success {
		t.Errorf("status: %+v", s)
	}
	wantText(t, s.StatusMessage, "cannot deploy the workload: repositoryUrl holds credentials")
	r.eventually("it has ended", func() bool { return len(r.ended()) == 1 })
	if got := filesWith(t, r.disk+"/runs", "planted"); len(got) > 0 {
		t.Errorf("secrets lie in %q", got)
	}
	if n := len(r.log.records("run not resumed")); n != 1 {
		t.Errorf("%d records of the callback that nobody knows", n)
	}
	if got := r.commands(); len(got) > 0 {
		t.Errorf("it ran %q", got)
	}
}

func TestAnEventOfAnotherGenerationThanTheControllersIsRefused(t *testing.T) {
	r := newRig(t, central)
	r.controller.mu.Lock()
	r.controller.generation = hub.G4
	r.controller.mu.Unlock()
	const reason = "the controller speaks the contract's generation G4, whose events name their pool by deploymentSiteRtId, and this one has poolRtId"
	r.wantFailure(r.run(deployEvent("shop")), "shop", reason)
	r.wantFailure(r.run(undeployEvent("shop")), "shop", reason)
	if result := r.run(event(hub.PoolDeployed, hub.Pool{TenantID: tenant, PoolRtID: poolID})); result.Outcome != runs.Failed {
		t.Errorf("the pool's deploy has %s", result.Outcome)
	}
	r.deploy("shop", func(w *hub.WorkloadDeployed) { w.Pool = hub.Pool{TenantID: tenant, DeploymentSiteRtID: poolID} })
	if got := r.cluster.paths("/apis/octo-mesh.meshmakers.io/"); len(got) > 0 {
		t.Errorf("it has made %q", got)
	}
}
