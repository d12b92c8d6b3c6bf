package handlers_test

import (
	"os"
	"path/filepath"
	"testing"

	"octo-operator/dispatch/runs"
)

// starting and broken are pods that may become ready, and pods that never will.
var (
	starting = waitsFor("ContainerCreating", "")
	broken   = waitsFor("InvalidImageName", "couldn't parse image name")
)

// waiting waits until an operator waits for the pods of its n-th deploy of the workload.
func (r *rig) waiting(n int) {
	r.Helper()
	r.eventually("the wait for the pods", func() bool { return len(r.log.records("waiting until the release is ready")) >= n })
}

func TestAFailedDeploysSecretIsPutBackAndThoseWhoHadItAreRestarted(t *testing.T) {
	t.Parallel()
	old := map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"}
	for _, test := range []struct {
		name     string
		prepare  func(*rig)
		history  string
		restarts []string
	}{
		{"helm fails", func(r *rig) { r.hold("upgrade", "shop").fail("no") }, "1 superseded, 2 failed, 3 deployed", nil},
		{"helm fails before it has begun", func(r *rig) { r.fails("helm upgrade", "no") }, "1 deployed", nil},
		{"the dry run is refused", func(r *rig) { r.fails("helm template", "no") }, "1 deployed", nil},
		{"the restart fails", func(r *rig) { r.fails("kubectl rollout restart", "no") }, "1 superseded, 2 superseded, 3 deployed", []string{web, web}}, // tried twice
		{"the pods are broken", func(r *rig) { r.sicken("shop", broken) }, "1 superseded, 2 superseded, 3 deployed",
			[]string{web, web}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, users)
			r.deploy("shop", keys("key-1", "password-1"))
			r.status("shop")
			test.prepare(r)
			r.wantFailure(r.run(deployEvent("shop", secret("secrets.apiKey", "key-2"), secret("secrets.dbPassword", "password-1"), secret("more", "x"))), "shop")
			r.wantSecret("shop", old)
			r.wantRestarts(test.restarts...)
			r.wantHistory("shop", test.history)
			r.wantSettled("shop")
		})
	}
}

func TestAFailedDeploysSecretIsPutBackByTheNextLifeToo(t *testing.T) {
	t.Parallel()
	for life, again := range comeBack {
		t.Run(life, func(t *testing.T) {
			r := newRig(t, users)
			r.deploy("shop", keys("key-1", "password-1"))
			r.status("shop")
			r.sicken("shop", starting)
			r.accept(deployEvent("shop", keys("key-2", "password-1")))
			r.waiting(2)
			r.sicken("shop", broken)
			again(r)
			if s := r.status("shop"); s.Success {
				t.Errorf("status: %+v", s)
			}
			r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
			r.wantRestarts(web, web)
			r.wantSettled("shop")
		})
	}
}

func TestADeployThatTookOverFromOneWithoutAnEndGoesBackToTheLastGoodSecret(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	r.status("shop")
	r.sicken("shop", starting)
	first := r.accept(deployEvent("shop", keys("key-2", "password-1")))
	r.waiting(2)
	r.sicken("shop", broken)
	r.wantFailure(r.run(deployEvent("shop", keys("key-3", "password-1"))), "shop", "rolled back to revision 1")
	if result := first.result(); result.Outcome != runs.Superseded {
		t.Errorf("the first has %+v", result)
	}
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
	r.wantRestarts(web, web, web)
	r.wantSettled("shop")
}

func TestAFirstInstallThatFailsLeavesNoSecret(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*rig){
		"helm fails":                     func(r *rig) { r.hold("upgrade", "shop").fail("no") },
		"helm fails before it has begun": func(r *rig) { r.fails("helm upgrade", "no") },
		"the pods are broken":            func(r *rig) { r.sicken("shop", broken) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, users)
			prepare(r)
			r.wantFailure(r.run(deployEvent("shop", keys("key-1", "password-1"))), "shop")
			r.wantSecret("shop", nil)
			r.wantHistory("shop", "")
		})
	}
}

func TestASecretThatNoChangeHasKeptIsNeverPutBack(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	r.status("shop")
	r.cluster.put(object{
		"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": secretName("shop") + "-before", "namespace": namespace},
		"data": object{"secrets.apiKey": "Zm9yZ2Vk"},
	})
	r.hold("upgrade", "shop").fail("no")
	r.wantFailure(r.run(deployEvent("shop", keys("key-1", "password-1"), colour("blue"))), "shop", "rolled back")
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
	r.wantRestarts()
}

func TestASecretStaysWhereAnotherToolThanHelmDeploys(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nset -e\n[ ! -f secret.yaml ] || kubectl apply --server-side -f secret.yaml\n! grep -q fail values.yaml\n"
	if err := os.WriteFile(filepath.Join(dir, "workload-deploy"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, with("SCRIPTSDIR", dir))
	r.deploy("shop", keys("key-1", "password-1"))
	r.status("shop")
	r.wantFailure(r.run(deployEvent("shop", keys("key-1", "password-1"), colour("fail"))), "shop")
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
}

func TestAnUndeployLeavesNothingOfAChangeOfTheSecret(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	r.sicken("shop", starting)
	r.accept(deployEvent("shop", keys("key-2", "password-1")))
	r.waiting(2)
	r.succeed(r.run(undeployEvent("shop")))
	if left := r.cluster.paths(secretObject(releaseName("shop"))); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}
