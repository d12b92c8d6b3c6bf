package dispatch

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func TestOnlyReportsOnTheSameWorkloadReplaceEachOther(t *testing.T) {
	workload := func(tenant, rtID, name string) hub.Workload {
		return hub.Workload{Pool: hub.Pool{TenantID: tenant}, WorkloadRtID: rtID, WorkloadName: name}
	}
	different := []hub.Workload{
		workload("acme", "", "shop"), workload("acme", "", "/shop"), workload("acme/", "", "shop"), workload("acme//", "", "shop"),
		workload("acme", "", `" name "shop`), workload(`acme" name "`, "", "shop"), workload("acme\x00", "", "shop"), workload("acme", "", "\x00shop"),
		workload("acme", "65d5c447b420da3fb1238101", ""), workload("acme", "", "65d5c447b420da3fb1238101"),
		workload("beta", "65d5c447b420da3fb1238101", ""), workload("acme", "65d5c447b420da3fb1238102", ""),
	}
	of := map[string]hub.Workload{}
	for _, w := range different {
		if other, taken := of[workloadKey(w)]; taken {
			t.Errorf("%+v and %+v have the key %s", w, other, workloadKey(w))
		}
		of[workloadKey(w)] = w
	}
	before, renamed := workload("acme", "65d5c447b420da3fb1238101", "shop"), workload("acme", "65d5c447b420da3fb1238101", "Shop 2")
	if workloadKey(before) != workloadKey(renamed) {
		t.Error("a workload that was renamed is another one")
	}
}

// A status that this life has just made, of an event that it refused at its start, lies on disk when the statuses of earlier lives are sent.
// It was sent twice: the second took the place of the first, which was then forgotten, and a kill before it was delivered lost it.
func TestAStatusThatWaitsInThisLifeIsNotTakenForOneOfAnEarlierLife(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.Create(deploy("shop"), "octo/shop")
	if err != nil {
		t.Fatal(err)
	}
	sent := &keyedController{}
	rs := newReports(sent, newTestRunner(store).disk, &copies{})
	status := &Report{Method: MethodDeploymentStatus, Key: "shop", Argument: json.RawMessage(`"failed"`)}
	rs.report(&Task{Run: run, Log: slog.New(slog.DiscardHandler)}, status)
	if err := rs.resume(store, slog.New(slog.DiscardHandler), func(*runs.Run) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if !ReportPending(run) || sent.count != 1 {
		t.Errorf("the status is on disk: %v; it was sent %d times", ReportPending(run), sent.count)
	}
	sent.waiting.Delivered(nil)
	if ReportPending(run) {
		t.Error("the status was delivered, and waits on")
	}
}

// keyedController keeps the newest report, as the connection does while it is down.
type keyedController struct {
	fakeController
	waiting *hub.Report
	count   int
}

func (k *keyedController) Report(r hub.Report) {
	if older := k.waiting; older != nil {
		older.Delivered(errors.New("a newer report took its place"))
	}
	k.waiting, k.count = &r, k.count+1
}
