package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube"
)

// fakeController has what a controller was told.
type fakeController struct {
	mu        sync.Mutex
	all       []hub.Report
	withdrawn []string
}

func (r *fakeController) Report(report hub.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, report)
}
func (*fakeController) Generation() hub.Generation { return 0 }
func (r *fakeController) Withdraw(method, key string) {
	r.withdrawn = append(r.withdrawn, method+" "+key)
}

func TestOneOfManyThatCannotBeKeptIsRefusedAndTheOthersAreCarriedOut(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const callback = "WorkloadDeployed"
	var mu sync.Mutex
	var ran []string
	told := &fakeController{}
	d := New(t.Context(), Options{
		Settings: config.Config{}, Capacity: config.Capacity{Slots: 1}, Runs: store, Log: slog.New(slog.DiscardHandler), Controller: told,
		Cluster: kube.NewClient(nil, t.TempDir(), slog.New(slog.DiscardHandler)),
		Check:   func(hub.Event, hub.Generation) error { return nil },
		Handlers: map[string]Handler{callback: {
			Place: func(_ config.Config, event hub.Event) (Place, error) { return Place{Lane: string(event.Argument)}, nil },
			Run: func(_ context.Context, t *Task) error {
				mu.Lock()
				defer mu.Unlock()
				ran = append(ran, string(t.Event.Argument))
				return nil
			},
			Status: func(_ hub.Event, success bool, message string) *Report {
				return NewReport(MethodDeploymentStatus, hub.Workload{}, map[string]any{"success": success, "message": message})
			},
		}},
	})
	var ended []string
	d.Ended = func(_, outcome string, _ float64) {
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, outcome)
	}
	shop, broken, bank := `{"tenantId":"acme","workloadName":"shop"}`, `{"tenantId":"acme","workloadName":"broken"`, `{"tenantId":"acme","workloadName":"bank"}`
	d.AcceptAll([]hub.Event{{Callback: callback, Argument: []byte(shop)}, {Callback: callback, Argument: []byte(broken)}, {Callback: callback, Argument: []byte(bank)}})
	d.Wait()
	slices.Sort(ran)
	if !slices.Equal(ran, []string{bank, shop}) {
		t.Errorf("carried out: %q", ran)
	}
	all, err := store.List()
	slices.Sort(ended)
	if want := []string{"refused", "succeeded", "succeeded"}; err != nil || len(all) != 2 || len(told.all) != 2 || !slices.Equal(ended, want) {
		t.Errorf("%d run directories, %d statuses, events ended as %v", len(all), len(told.all), ended)
	}
}
