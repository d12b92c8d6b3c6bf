package handlers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octo-operator/hub"
)

// deposed lets another operator take the Lease of one that is cut off from the API server, and that one find out.
func (r *rig) deposed(next *rig) {
	r.Helper()
	next.standBy()
	next.leads() // the Lease has run out
	r.life.cut.Store(false)
	r.eventually("it has found out", func() bool { return len(r.log.records("it does not lead any more")) > 0 })
}

func TestWhatCameWhileTheLeaderWasCutOffIsHandedOverAndDoneOnce(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "bank")
	r.accept(deployEvent("bank")) // is at work, and copied
	r.reach(h)
	r.life.cut.Store(true)
	r.accept(deployEvent("shop", override("image.tag", "1"), secret("secrets.key", "planted-key"))) // nobody else knows of it
	next := newWorld(t, in(r))
	r.deposed(next)
	next.wantSuccess("bank")
	next.wantSuccess("shop")
	next.wantHistory("shop", "1 deployed")
	r.eventually("its disk has nothing to do any more", func() bool { return len(r.runDirs()) == 0 })
	if got := filesWith(t, r.disk, "planted-key"); len(got) > 0 {
		t.Errorf("the secret lies in %q", got)
	}
}

func TestAnEventThatIsHandedOverDoesNotUndoANewerOne(t *testing.T) {
	r := newRig(t)
	r.life.cut.Store(true)
	r.accept(deployEvent("shop", override("image.tag", "1")))
	r.accept(undeployEvent("bank"))
	next := newWorld(t, in(r))
	next.standBy()
	next.leads()
	next.deploy("shop", override("image.tag", "2"))
	next.deploy("bank")
	r.life.cut.Store(false)
	next.eventually("both are handed over", func() bool {
		return strings.Count(strings.Join(next.results(), " "), "superseded") == 2
	})
	next.wantHistory("shop", "1 deployed")
	next.wantHistory("bank", "1 deployed")
	next.wantImage("shop", "demo/app:2")
}

func TestALeaderThatIsStartedAgainBesideANewerOneHandsOverAndDoesNothingTwice(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "bank", deployEvent("bank"))
	r.life.cut.Store(true)
	r.accept(deployEvent("shop"))
	r.kill()
	next := newWorld(t, in(r))
	next.standBy()
	next.leads()
	r.standBy()
	for _, workload := range []string{"bank", "shop"} {
		next.wantSuccess(workload)
	}
	next.wantHistory("shop", "1 deployed")
	r.eventually("its disk has nothing to do any more", func() bool { return len(r.runDirs()) == 0 })
	next.shutdown(patience)
	r.leads()
	r.deploy("cafe")
	if n := len(r.log.records("event resumed")); n != 0 {
		t.Errorf("%d events were done again", n)
	}
}

func TestWhatWasLeftToALeaderThatDiesBeforeItIsDoneComesBack(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "bank", deployEvent("bank"))
	r.kill()
	next := newWorld(t, in(r))
	h := next.hold("upgrade", "bank")
	next.standBy()
	next.leads()
	next.reach(h)
	r.standBy()
	r.eventually("it is left to the other one", func() bool { return len(r.log.records("event left to the operator that leads")) == 1 })
	next.kill()
	r.leads()
	r.wantSuccess("bank")
}

func TestAReportThatLeadersCouldNotDeliverIsDeliveredByTheNextOnce(t *testing.T) {
	testReportOverLeaders(t, false)
}

func TestAReportThatAnotherLeaderHasDeliveredIsNotDeliveredAgain(t *testing.T) {
	testReportOverLeaders(t, true)
}

// testReportOverLeaders lets a second leader deliver the first one's report, or not; then the first one leads again, and must have
// nothing left to deliver.
func testReportOverLeaders(t *testing.T, delivered bool) {
	r := newRig(t)
	r.controller.setAway(true)
	r.deploy("shop")
	r.eventually("the cluster has the report, and the disk says so", func() bool {
		_, err := os.Stat(filepath.Join(r.runDirs()[0], "copied"))
		return r.reportsKept() != "" && err == nil
	})
	r.kill()
	next := newWorld(t, in(r))
	next.standBy()
	next.leads()
	r.standBy()
	r.eventually("it stands by", func() bool { return len(r.log.records("another operator leads: this one stands by")) == 1 })
	if delivered {
		next.controller.setAway(false)
		next.eventually("the report is delivered", func() bool { return r.reportsKept() == "" })
	}
	next.kill()
	r.leads()
	r.controller.setAway(false)
	r.wantSuccess("shop")
	r.deploy("bank")
	r.status("bank")
	if got := len(r.controller.all(methodDeploymentStatus)); got != 2 || r.file("report.json") != "" {
		t.Errorf("%d statuses were reported, want 2; on disk: %q", got, r.file("report.json"))
	}
}

// Nobody but this disk knows of such an event, and nobody knows any more what has been done since.
func TestAnEventThatWasNeverCopiedUndoesNothingNewerWhoeverLeadsNext(t *testing.T) {
	for name, lead := range map[string]func(r, next *rig) (leader *rig){
		"its own operator": func(r, next *rig) *rig {
			next.shutdown(patience)
			r.start()
			return r
		},
		"a third one, to which it is handed over": func(r, next *rig) *rig {
			next.shutdown(patience)
			third := newWorld(r.T, in(r), central)
			third.start()
			r.standBy()
			return third
		},
		"the other one again, to which it is handed over": func(r, next *rig) *rig {
			next.restart()
			r.standBy()
			return next
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, central)
			r.deploy("cafe")
			r.status("cafe")
			r.life.cut.Store(true)
			r.accept(deployEvent("shop", override("image.tag", "1"), secret("secrets.key", "planted-key")))
			r.accept(undeployEvent("bank"))
			r.accept(scaleEvent("cafe", 7))
			r.accept(event(hub.PoolDeployed, pool))
			r.kill()
			next := newWorld(t, in(r), central)
			next.standBy()
			next.leads()
			next.deploy("shop", override("image.tag", "2"))
			next.status("shop")
			next.deploy("bank")
			next.status("bank")
			next.succeed(next.run(scaleEvent("cafe", 2)))
			nextReport[hub.WorkloadScaleStatus](r, methodScaleStatus, "cafe")
			r.eventually("nothing is told again", func() bool { return r.copies() == 0 })
			leader := lead(r, next)
			for _, workload := range []string{"shop", "bank"} {
				if s := r.status(workload); s.Success || !strings.Contains(s.StatusMessage, "send it again") {
					t.Errorf("status: %+v", s)
				}
			}
			if s := nextReport[hub.WorkloadScaleStatus](r, methodScaleStatus, "cafe"); s.Success || !strings.Contains(s.StatusMessage, "send it again") {
				t.Errorf("status: %+v", s)
			}
			// The controller takes no report of a pool's event: it fails where all do, and the record says whose it was.
			r.eventually("the pool's event has failed", func() bool {
				return len(leader.log.records("event failed", "tenant", tenant, "pool", poolID, "reason", "not carried out: the event waited on the disk of an operator that did not lead, "+
					"and whether a newer one has been carried out meanwhile is not known: send it again if it still holds")) == 1
			})
			if all, err := filepath.Glob(filepath.Join(leader.disk, "runs", "*-pool-deployed-*", "result.json")); err != nil || len(all) != 1 {
				t.Errorf("runs --failed would list %q, %v", all, err)
			}
			r.wantHistory("shop", "1 deployed")
			r.wantHistory("bank", "1 deployed")
			if shop, cafe := r.deployment("shop").image, r.deployment("cafe").replicas; shop != "demo/app:2" || cafe != 2 {
				t.Errorf("it runs %s, and %v of the other one", shop, cafe)
			}
			r.eventually("no copy is left", func() bool { return r.copies() == 0 })
			if got := filesWith(t, r.disk, "planted-key"); len(got) > 0 {
				t.Errorf("the secret lies in %q", got)
			}
		})
	}
}

func TestTheLeaseIsGivenUpAlthoughNoTimeIsLeft(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "shop")
	r.accept(deployEvent("shop"))
	r.reach(h)
	r.shutdown(time.Nanosecond)
	leases := r.cluster.paths("/apis/coordination.k8s.io/v1/")
	if len(leases) != 1 || section(r.cluster.get(leases[0]), "spec")["leaseDurationSeconds"] != 1.0 {
		t.Errorf("the next operator waits for %v", r.cluster.get(leases[0]))
	}
}
