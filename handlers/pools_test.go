package handlers_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

const (
	resourceName = tenant + "-" + poolID
	brokerSecret = "/api/v1/namespaces/octo/secrets/" + resourceName + "-octo-mesh-connection"
	resources    = "/apis/octo-mesh.meshmakers.io/v1alpha1/namespaces/octo/communicationpools/"
	sites        = "/apis/octo-mesh.meshmakers.io/v1/namespaces/octo/deploymentsites/"
)

var (
	site = hub.Pool{TenantID: tenant, DeploymentSiteRtID: poolID}
	// another one sorts behind it.
	another         = hub.Pool{TenantID: tenant, PoolRtID: "f5d5c447b420da3fb12381bc"}
	anotherResource = resources + tenant + "-" + another.PoolRtID
)

// connect is a connection of the operator: the controller answers its registration with these pools. It ends with the test, or
// when the function is called.
func (r *rig) connect(deployed ...hub.Pool) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.life.Registered(ctx, deployed)
	}()
	end = func() {
		cancel()
		<-done
	}
	r.Cleanup(end)
	return end
}

func (r *rig) wantGone(paths ...string) {
	r.Helper()
	for _, path := range paths {
		if r.cluster.get(path) != nil {
			r.Errorf("%s is still there", path)
		}
	}
}

func (r *rig) wantThere(paths ...string) {
	r.Helper()
	for _, path := range paths {
		if r.cluster.get(path) == nil {
			r.Errorf("%s is not there", path)
		}
	}
}

// holdLookUp holds up the look at what there is already of the pools that the controller has deployed.
func (r *rig) holdLookUp() (reached <-chan struct{}, release func()) {
	begun, released := make(chan struct{}, 10), make(chan struct{})
	r.cluster.setRefuse(func(verb, path string) *status {
		if verb == "GET" && strings.HasSuffix(path, "/secrets?labelSelector=octo-mesh.meshmakers.io%2Fmanaged-by%3Dcommunication-operator") {
			begun <- struct{}{}
			<-released
		}
		return nil
	})
	return begun, func() { close(released) }
}

// While the operator looks what is missing, events come.
func TestAPoolThatIsUndeployedMeanwhileIsNotMade(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []hub.Event
		made   bool
	}{
		"nothing":              {nil, true},
		"undeployed":           {[]hub.Event{event(hub.PoolUndeployed, pool)}, false},
		"undeployed as a site": {[]hub.Event{event(hub.PoolUndeployed, site)}, false},
		"undeployed, deployed": {[]hub.Event{event(hub.PoolUndeployed, pool), event(hub.PoolDeployed, pool)}, true},
		"another tenant's":     {[]hub.Event{event(hub.PoolUndeployed, hub.Pool{TenantID: "beta", PoolRtID: poolID})}, true},
	} {
		for when, early := range map[string]bool{"before the answer": true, "after it": false} {
			t.Run(name+" "+when, func(t *testing.T) {
				r := newRig(t, central)
				reached, release := r.holdLookUp()
				r.life.Connecting()
				accept := func() {
					for _, e := range test.events {
						r.accept(e)
					}
				}
				if early {
					accept()
				}
				end := r.connect(pool, another)
				<-reached
				if !early {
					accept()
				}
				release()
				r.eventually("the other pool is made", func() bool { return r.cluster.get(anotherResource) != nil })
				r.eventually("all has ended", func() bool { return len(r.results()) == len(r.runDirs()) })
				if made := r.cluster.get(resources+resourceName) != nil; made != test.made {
					t.Errorf("it is there: %v, want %v", made, test.made)
				}
				end()

				r.life.Connecting() // nothing of that holds for the next connection
				r.connect(pool)
				r.eventually("it is made", func() bool { return r.cluster.get(resources+resourceName) != nil })
			})
		}
	}
}

func TestAnUndeployedPoolLeavesNothing(t *testing.T) {
	t.Parallel()
	forbidden := func(plural string) func(*rig) {
		return func(r *rig) {
			r.cluster.setRefuse(func(verb, path string) *status {
				if strings.Contains(path, "/"+plural) {
					return &status{403, "Forbidden", plural + " is forbidden: User cannot " + verb}
				}
				return nil
			})
		}
	}
	for name, prepare := range map[string]func(*rig){
		"both kinds":                    func(*rig) {},
		"the cluster knows no sites":    func(r *rig) { r.cluster.remove(sites + resourceName); r.cluster.lacks("deploymentsites") },
		"the role forbids sites":        func(r *rig) { r.cluster.remove(sites + resourceName); forbidden("deploymentsites")(r) },
		"the cluster knows sites alone": func(r *rig) { r.cluster.remove(resources + resourceName); r.cluster.lacks("communicationpools") },
		"the role forbids pools":        func(r *rig) { r.cluster.remove(resources + resourceName); forbidden("communicationpools")(r) },
		"the cluster knows neither":     func(r *rig) { r.wipePools(); r.cluster.lacks("communicationpools", "deploymentsites") },
		"there is nothing":              func(r *rig) { r.wipePools(); r.cluster.remove(brokerSecret) },
	} {
		for _, e := range []hub.Event{event(hub.PoolUndeployed, pool), event(hub.PoolUndeployed, site)} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, central)
				r.cluster.put(object{"apiVersion": "octo-mesh.meshmakers.io/v1alpha1", "kind": "CommunicationPool",
					"metadata": object{"name": resourceName, "namespace": namespace}, "spec": object{"tenantId": tenant, "poolRtId": poolID}})
				r.cluster.put(object{"apiVersion": "octo-mesh.meshmakers.io/v1", "kind": "DeploymentSite",
					"metadata": object{"name": resourceName, "namespace": namespace}, "spec": object{"tenantId": tenant, "deploymentSiteRtId": poolID}})
				r.putSecret(resourceName+"-octo-mesh-connection", object{group + "/tenant": tenant, group + "/pool-rt-id": poolID, group + "/managed-by": "communication-operator"}, nil)
				prepare(r)
				r.succeed(r.run(e))
				r.wantGone(resources+resourceName, sites+resourceName, brokerSecret)
			})
		}
	}
}

// wipePools removes the pool's resources.
func (r *rig) wipePools() {
	r.cluster.remove(resources + resourceName)
	r.cluster.remove(sites + resourceName)
}

func TestAPoolIsNotTakenForUndeployedWhenTheKindsAreNotFoundOut(t *testing.T) {
	r := newRig(t, central)
	r.cluster.put(object{"apiVersion": "octo-mesh.meshmakers.io/v1alpha1", "kind": "CommunicationPool",
		"metadata": object{"name": resourceName, "namespace": namespace}, "spec": object{"tenantId": tenant, "poolRtId": poolID}})
	r.cluster.setRefuse(func(_, path string) *status {
		if strings.Contains(path, "deploymentsites") {
			return &status{400, "BadRequest", "what?"}
		}
		return nil
	})
	result := r.run(event(hub.PoolUndeployed, pool))
	if result.Outcome != runs.Failed {
		t.Errorf("it has %s", result.Outcome)
	}
	wantText(t, result.Reason, "cannot undeploy the pool", "deploymentsites", "what?")
	r.wantThere(resources + resourceName)
}

// ownScript is a directory with a script in place of the default one.
func ownScript(t *testing.T, name, text string) option {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return with("SCRIPTSDIR", dir)
}

func TestATenantsPoolsAreRegisteredAgainWhateverItsScriptSays(t *testing.T) {
	r := newRig(t, ownScript(t, "tenant-pre-update", `echo "Error: the backup has no space" >&2; exit 7`))
	result := r.run(tenantEvent(tenant))
	if got := r.controller.reregistered(); !slices.Equal(got, []string{tenant}) {
		t.Errorf("registered again: %q", got)
	}
	if result.Outcome != runs.Failed || result.ExitCode != 7 {
		t.Errorf("it has %s with exit code %d", result.Outcome, result.ExitCode)
	}
	wantText(t, result.Reason, "the backup has no space")
	r.deploy("shop") // the tenant's work goes on
}

func TestTheEndDoesNotWaitForATenantsUpdate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		rejoin bool // hangs
	}{
		"in its script": {"touch hangs; sleep 1000", false},
		"in the registration of its pools, after a script that has failed": {"touch hangs; exit 1", true},
		"in the registration of its pools":                                 {"touch hangs", true},
	} {
		t.Run(name, func(t *testing.T) {
			rejoining := make(chan struct{}, 10)
			r := newRig(t, ownScript(t, "tenant-pre-update", test.script), prepared(func(r *rig) {
				r.controller.rejoin = func(ctx context.Context, _ string) error {
					rejoining <- struct{}{}
					if test.rejoin {
						<-ctx.Done()
					}
					return ctx.Err()
				}
			}))
			r.accept(tenantEvent(tenant))
			r.eventually("it hangs", func() bool {
				_, err := os.Stat(filepath.Join(r.runDirs()[0], "hangs"))
				return err == nil && (!test.rejoin || len(rejoining) > 0)
			})
			r.shutdown(10 * time.Millisecond)
			r.controller.rejoin = nil
			r.settings["SCRIPTSDIR"] = ""
			r.start()
			r.eventually("it has succeeded, in this life or the next", func() bool { return slices.Equal(r.results(), []string{"succeeded"}) })
		})
	}
}

// It would tell of a deploy that is gone.
func TestAStatusThatStillWaitsIsDroppedByASuccessfulUndeploy(t *testing.T) {
	r := newRig(t)
	r.controller.setAway(true)
	r.deploy("shop")
	r.deploy("bank")
	r.succeed(r.run(undeployEvent("shop")))
	r.fails("helm uninstall", "Error: no")
	if result := r.run(undeployEvent("bank")); result.Outcome != runs.Failed {
		t.Errorf("the undeploy has %s", result.Outcome)
	}
	r.controller.setAway(false)
	if s := r.status("bank"); s.Success {
		t.Errorf("of a failed undeploy: %+v", s)
	}
	for _, status := range r.controller.all(methodDeploymentStatus) {
		if strings.Contains(string(status), `"shop"`) {
			t.Errorf("the controller was told %s", status)
		}
	}
	for _, dir := range r.runDirs() {
		if _, err := os.Stat(filepath.Join(dir, "report.json")); err == nil {
			t.Errorf("a report waits in %s", dir)
		}
	}
}

// isTold tells whether the controller was told last that these workloads, by pool, are deployed, and nothing else.
func (r *rig) isTold(want map[string][]string) bool {
	told := map[string][]string{}
	for _, p := range r.controller.deployedState() {
		told[p.ID()] = p.WorkloadRtIDs
	}
	return cmp.Equal(want, told)
}

func (r *rig) wantTold(want map[string][]string) {
	r.Helper()
	r.eventually(fmt.Sprintf("the controller is told that %v are deployed", want), func() bool { return r.isTold(want) })
}

func TestTheControllerIsToldWhatIsDeployedAfterEachRegistration(t *testing.T) {
	r := newRig(t, central)
	r.deploy("shop")
	r.life.Connecting()
	r.connect(pool)
	r.wantTold(map[string][]string{poolID: {rtID("shop")}})

	r.deploy("bank")
	r.life.PoolStatus(pool, hub.StatusRegistered) // again, after the tenant's update
	both := []string{rtID("bank"), rtID("shop")}
	slices.Sort(both)
	r.wantTold(map[string][]string{poolID: both})

	r.succeed(r.run(event(hub.PoolDeployed, another)))
	r.wantTold(map[string][]string{poolID: both, another.PoolRtID: {}})

	r.succeed(r.run(event(hub.PoolUndeployed, pool)))
	r.eventually("the undeployed pool is told no more", func() bool {
		r.life.PoolStatus(another, hub.StatusRegistered)
		return r.isTold(map[string][]string{another.PoolRtID: {}})
	})
}

func TestWhatIsDeployedIsToldAfterALookUpThatHasFailed(t *testing.T) {
	r := newRig(t, central)
	r.deploy("shop")
	failed := make(chan struct{}, 100)
	r.cluster.setRefuse(func(_, path string) *status {
		if strings.Contains(path, "owner%3Dhelm") && len(failed) < 2 {
			failed <- struct{}{}
			return &status{503, "ServiceUnavailable", "not now"}
		}
		return nil
	})
	r.life.Connecting()
	r.connect(pool)
	r.wantTold(map[string][]string{poolID: {rtID("shop")}})
	if n := len(r.log.records("deployed state not reported")); n != 2 {
		t.Errorf("got %d warnings, want 2", n)
	}
}
