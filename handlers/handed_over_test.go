package handlers_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/hub"
)

func TestAnEventOfAnOperatorWhoseClockIsAheadDoesNotUndoANewerOne(t *testing.T) {
	r := newRig(t)
	r.life.cut.Store(true)
	r.accept(deployEvent("shop", override("image.tag", "1")))
	r.kill()
	next := newWorld(t, in(r))
	next.standBy()
	next.leads()
	next.deploy("shop", override("image.tag", "2"))
	old := r.runDirs()[0]
	ahead := time.Now().UTC().Add(time.Minute).Format("20060102T150405.000000Z")
	r.must(os.Rename(old, filepath.Join(filepath.Dir(old), ahead+filepath.Base(old)[len(ahead):])))
	r.standBy()
	next.eventually("it has ended", func() bool { return len(next.ended()) > 1 })
	next.wantHistory("shop", "1 deployed")
	next.wantImage("shop", "demo/app:2")
}

func TestAScalingThatIsHandedOverDoesNotWakeWhatWasPutToSleepSince(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.life.cut.Store(true)
	r.accept(scaleEvent("shop", 3))
	next := newWorld(t, in(r))
	next.standBy()
	next.leads()
	next.deploy("shop", func(w *hub.WorkloadDeployed) { w.Hibernated = true })
	r.life.cut.Store(false)
	next.eventually("it has ended", func() bool {
		return slices.ContainsFunc(next.ended(), func(e string) bool { return strings.HasPrefix(e, "Scale") })
	})
	if got := next.deployment("shop").replicas; got != 0 {
		t.Errorf("ended: %v: %v replicas run", next.ended(), got)
	}
}

// octo-operator handle labels its revisions with a run of its own, and holds no Lease.
func TestTheHelmOfHandleIsNotTakenForADeadOneOfTheDaemon(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	last := newest(r.cluster.revisions(namespace, releaseName("shop")))
	labels := maps.Clone(last.Labels)
	labels[group+"/run"] = "20261126T092156.114647Z-5584bc"
	r.cluster.putRevision(revision{Name: last.Name, Namespace: namespace, Number: last.Number + 1, Status: "pending-upgrade", Labels: labels})
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "another helm works on it")
}
