package handlers_test

import (
	"path/filepath"
	"testing"
	"time"
)

// A release that helm 3 has made is one that helm 4 does not apply on the server's side.
func TestWhatHelm3HasMadeIsDeployedAndTakenBackByHelm4(t *testing.T) {
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
			if got := r.deployment("shop").image; got != "demo/app:2" {
				t.Errorf("it runs %s", got)
			}
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
