package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// resent is a deploy as the controller sends it again when a pool is registered: it says so.
func resent(w *hub.WorkloadDeployed) { w.IsReconciliation = true }

// resentAs is the same from a controller that keeps no version.
func resentAs(version string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.IsReconciliation, w.ChartVersion = true, version }
}

// deployed is the chart's version and a value of a release, and its history.
func (r *rig) deployed(name string) string {
	all := r.cluster.revisions(namespace, releaseName(name))
	last := newest(all)
	return fmt.Sprintf("%s %v, %d revisions", last.Content.Version, last.Content.Values["colour"], len(all))
}

func colour(value string) func(*hub.WorkloadDeployed) { return override("colour", value) }

func TestAUsersDeployWinsOverTheControllersResending(t *testing.T) {
	t.Parallel()
	user := deployEvent("shop", version("1.3.0"), colour("blue"))
	for _, again := range []struct {
		name  string
		event hub.Event
	}{
		{"the same", deployEvent("shop", version("1.3.0"), colour("blue"), resent)},
		{"the same without a version", deployEvent("shop", colour("blue"), resentAs(""))},
	} {
		begin := func(t *testing.T) *rig {
			r := newRig(t)
			r.charts.add("demo", "1.3.0", nil)
			r.deploy("shop", version("1.2.3"), colour("red"))
			if s := r.status("shop"); !s.Success {
				t.Fatalf("status: %+v", s)
			}
			return r
		}
		end := func(t *testing.T, r *rig) {
			if got, want := r.deployed("shop"), "1.3.0 blue, 2 revisions"; got != want {
				t.Errorf("the release has %q, want %q", got, want)
			}
			r.wantSuccess("shop")
		}
		t.Run(again.name+" while the user's runs", func(t *testing.T) {
			r := begin(t)
			h, first := r.acceptAndHold("upgrade", "shop", user)
			second := r.accept(again.event)
			if result := second.result(); result.Outcome != runs.Superseded {
				t.Errorf("the one sent again has %+v", result)
			}
			h.release()
			r.succeed(first.result())
			end(t, r)
		})
		for _, order := range []struct {
			when   string
			accept func(r *rig) (users, resent accepted)
		}{
			{"while the user's is queued", func(r *rig) (users, resent accepted) { users = r.accept(user); return users, r.accept(again.event) }},
			{"before the user's", func(r *rig) (users, resent accepted) { resent = r.accept(again.event); return r.accept(user), resent }},
		} {
			t.Run(again.name+" "+order.when, func(t *testing.T) {
				r := begin(t)
				h, before := r.acceptAndHold("upgrade", "shop", deployEvent("shop", version("1.2.3"), colour("green")))
				first, second := order.accept(r)
				h.release()
				r.succeed(before.result())
				if result := second.result(); result.Outcome != runs.Superseded {
					t.Errorf("the one sent again has %+v", result)
				}
				r.succeed(first.result())
				if got, want := r.deployed("shop"), "1.3.0 blue, 3 revisions"; got != want {
					t.Errorf("the release has %q, want %q", got, want)
				}
			})
		}
		t.Run(again.name+" when the user's is done", func(t *testing.T) {
			r := begin(t)
			r.succeed(r.run(user))
			end(t, r)
			r.succeed(r.run(again.event))
			end(t, r)
		})
		t.Run(again.name+" when the user's is resumed after a kill", func(t *testing.T) {
			r := begin(t)
			r.acceptAndHold("upgrade", "shop", user)
			r.restart()
			second := r.accept(again.event)
			if result := second.result(); result.Outcome == runs.Failed {
				t.Errorf("the one sent again has %+v", result)
			}
			r.wantSuccess("shop")
			r.eventually("the user's version", func() bool {
				last := newest(r.cluster.revisions(namespace, releaseName("shop")))
				return last.Status == "deployed" && last.Content.Version == "1.3.0" && last.Content.Values["colour"] == "blue"
			})
		})
	}
}

func TestAResendingThatSaysSomethingNewerIsDeployedAfterTheUsers(t *testing.T) {
	r := newRig(t) // the user's newer deploy was sent while the operator was not connected
	r.charts.add("demo", "1.3.0", nil)
	h, first := r.acceptAndHold("upgrade", "shop", deployEvent("shop", version("1.2.3"), colour("red")))
	second := r.accept(deployEvent("shop", version("1.3.0"), colour("blue"), resent))
	h.release()
	r.succeed(first.result())
	r.succeed(second.result())
	if got, want := r.deployed("shop"), "1.3.0 blue, 2 revisions"; got != want {
		t.Errorf("the release has %q, want %q", got, want)
	}
}

func TestAReconciliationDeploysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]hub.Event{
		"other values":  deployEvent("shop", version("1.2.3"), colour("blue"), resent),
		"other version": deployEvent("shop", version("1.3.0"), colour("red"), resent),
		"other pool": deployEvent("shop", version("1.2.3"), colour("red"), resent, func(w *hub.WorkloadDeployed) {
			w.PoolRtID = "0123456789abcdef01234567"
		}),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.charts.add("demo", "1.3.0", nil)
			r.deploy("shop", version("1.2.3"), colour("red"))
			r.succeed(r.run(event))
			if all := r.cluster.revisions(namespace, releaseName("shop")); len(all) != 2 {
				t.Errorf("the release has %d revisions, want 2", len(all))
			}
		})
	}
}

func TestAReconciliationReplacesWhatWasUpgradedByHand(t *testing.T) {
	r := newRig(t)
	r.charts.add("demo", "1.3.0", nil)
	r.deploy("shop")
	byHand := newest(r.cluster.revisions(namespace, releaseName("shop"))) // helm hands its labels down
	byHand.Status = "superseded"
	r.cluster.putRevision(byHand)
	byHand.Number, byHand.Status, byHand.Content.Version = 2, "deployed", "1.3.0"
	r.cluster.putRevision(byHand)
	r.succeed(r.run(deployEvent("shop", resent)))
	if got, want := r.deployed("shop"), "1.2.3 <nil>, 3 revisions"; got != want {
		t.Errorf("the release has %q, want %q", got, want)
	}
	r.succeed(r.run(deployEvent("shop", resent)))
	r.wantHistory("shop", "1 superseded, 2 superseded, 3 deployed")
}

func TestAnEventThatInstalledTwiceLeavesNothingToReconcile(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	r.restart() // its helm ends with a failed revision, and the event installs once more
	if s := r.status("shop"); !s.Success {
		t.Fatalf("status: %+v", s)
	}
	r.eventually("the event has ended", func() bool { return len(r.ended()) > 0 }) // else the next one repeats what runs
	before := r.cluster.releaseHistory(namespace, releaseName("shop"))
	r.succeed(r.run(deployEvent("shop", resent)))
	r.wantHistory("shop", before)
}

// Nothing is changed, and what is asked for is little: this is what a restart of the controller costs, for each workload.
func TestAReconciliationWithNothingToDoRunsNoProcessAndAsksLittle(t *testing.T) {
	t.Parallel()
	secretKey := secret("secrets.key", "planted-key")
	for name, test := range map[string]struct {
		again    hub.Event
		requests int // to the API server, about a release of one object; each further one takes two more
	}{
		"pinned":      {deployEvent("shop", secretKey, resent), 6},
		"any version": {deployEvent("shop", secretKey, resent, version("")), 8},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.deploy("shop", secretKey)
			r.status("shop")
			r.eventually("the journal is empty", func() bool {
				return len(r.cluster.paths("/api/v1/namespaces/"+namespace+"/secrets/octo-journal-")) == 0
			})
			ran, asked := len(r.commands()), len(r.cluster.all())
			r.succeed(r.run(test.again))
			if got := r.status("shop"); !got.Success || !strings.Contains(got.StatusMessage, "nothing to do: revision 1 of the release is what was asked for") {
				t.Errorf("status: %+v", got)
			}
			r.wantHistory("shop", "1 deployed")
			for _, command := range r.commands()[ran:] {
				t.Errorf("it ran %s", command)
			}
			var about []string
			for _, request := range r.cluster.all()[asked:] {
				if strings.Contains(request, "shop") || strings.Contains(request, releaseName("shop")) {
					about = append(about, request)
				}
			}
			if len(about) != test.requests {
				t.Errorf("%d requests, want %d:\n%s", len(about), test.requests, strings.Join(about, "\n"))
			}
			if n := len(r.called("helm get")); n > 0 {
				t.Errorf("helm was asked %d times for what the API server tells", n)
			}
		})
	}
}

func TestAReconciliationRepairsWhatIsNotAsTheReleaseSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*rig)
		told  string
	}{
		"deleted": {
			func(r *rig) { r.cluster.remove(deploymentPath("shop")) },
			"Deployment " + releaseName("shop") + " is not there",
		},
		"changed by hand": {
			func(r *rig) {
				o := r.cluster.get(deploymentPath("shop"))
				template := section(section(o, "spec"), "template")
				list(section(template, "spec")["containers"])[0].(object)["image"] = "demo/app:by-hand"
				r.cluster.put(o)
			},
			"Deployment " + releaseName("shop") + ": spec.template.spec.containers differs",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.deploy("shop", override("image.tag", "2"))
			r.status("shop")
			test.spoil(r)
			r.succeed(r.run(deployEvent("shop", override("image.tag", "2"), resent)))
			if got := r.status("shop"); !strings.Contains(got.StatusMessage, test.told) {
				t.Errorf("status: %+v", got)
			}
			r.wantHistory("shop", "1 superseded, 2 deployed")
			r.wantImage("shop", "demo/app:2")
		})
	}
}

func TestAWorkloadThatWasScaledHasNothingToReconcile(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.succeed(r.run(scaleEvent("shop", 3)))
	r.succeed(r.run(deployEvent("shop", resent)))
	r.wantHistory("shop", "1 deployed")
	if got := r.deployment("shop").replicas; got != 3 {
		t.Errorf("%d replicas", got)
	}
}
