package handlers_test

import (
	"path/filepath"
	"testing"
	"time"
)

// A release that helm 3 has made is one that helm 4 does not apply on the server's side.
func TestWhatHelm3HasMadeIsDeployedAndTakenBackByHelm4(t *testing.T) {
	t.Parallel()
	for _, forces := range []string{"false", "true"} {
		t.Run("force conflicts "+forces, func(t *testing.T) {
			r := newRig(t, with("CLUSTERJOURNAL", "false"), with("HELM__TIMEOUT", "1s"), with("HELM__FORCECONFLICTS", forces), func(r *rig) { r.helmVersion = "v3.22.0" })
			r.deploy("shop")
			r.status("shop")
			r.helmVersion = "v4.3.1"
			r.forgotten("shop")
			r.shutdown(time.Second)
			r.start()
			r.deploy("shop", override("image.tag", "2"))
			r.status("shop")
			r.sicken("shop", pulling)
			r.wantFailure(r.run(deployEvent("shop", override("image.tag", "3"))), "shop", "ImagePullBackOff", "rolled back to revision 2")
			r.wantImage("shop", "demo/app:2")
		})
	}
}

// forgotten waits until the operator knows that the controller has all statuses: until then its next life would tell them again.
func (r *rig) forgotten(workload string) {
	r.Helper()
	r.eventually("the end of the reports on "+workload, func() bool {
		kept, err := filepath.Glob(filepath.Join(r.disk, "runs", "*", "report.json"))
		return err == nil && len(kept) == 0
	})
}

// helm 3 hands on the label that says how helm 4 has applied the release, and makes it untrue.
func TestAReleaseThatHelm3HasWorkedOnMeanwhileIsDeployed(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	all := r.cluster.revisions(namespace, releaseName("shop"))
	made := all[0]
	made.Number, made.Content.ApplyMethod = 2, ""
	all[0].Status = "superseded"
	r.cluster.putRevision(all[0])
	r.cluster.putRevision(made)
	o := r.cluster.get(deploymentPath("shop"))
	section(section(section(o, "spec"), "template"), "spec")["containers"] = []any{object{"name": "app", "image": "demo/app:by-helm-3"}}
	r.cluster.mu.Lock()
	r.cluster.set(deploymentPath("shop"), o, "helm 3")
	r.cluster.owns(deploymentPath("shop"), "helm 3", object{"spec": object{"template": section(section(o, "spec"), "template")}})
	r.cluster.mu.Unlock()
	for _, tag := range []string{"2", "3"} {
		r.deploy("shop", override("image.tag", tag))
		if got := r.deployment("shop").image; got != "demo/app:"+tag {
			t.Errorf("it runs %s", got)
		}
	}
}
