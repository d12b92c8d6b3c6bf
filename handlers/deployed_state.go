package handlers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/names"
)

const (
	// registrationsWait gathers the pools that are registered together into one report.
	registrationsWait = 300 * time.Millisecond
	// A report that has failed is sent again after these times.
	firstDeployedRetry   = time.Second
	longestDeployedRetry = 5 * time.Minute
)

// Registered is to be called after each registration at the controller, with the pools that are deployed. It returns when ctx, the connection's,
// ends. In central mode it makes the missing custom resources and broker secrets of these pools, and reports to the controller what is deployed.
// In edge mode it does nothing.
func (h *Handlers) Registered(ctx context.Context, deployed []hub.Pool) {
	if !h.settings.AutoManagePools {
		return
	}
	h.pools.Ensure(ctx, deployed)
	keepReporting(ctx, h.pools.Registered(), h.reportDeployedState, h.log)
}

// keepReporting calls report after each registration of a pool, once for those that come close together, and again after an error. It
// returns when ctx, the connection's, ends, or when the controller has no such call (hub.ErrUnsupported).
func keepReporting(ctx context.Context, registered <-chan struct{}, report func(context.Context) error, log *slog.Logger) {
	waits := &backoff.ExponentialBackOff{
		InitialInterval: firstDeployedRetry, MaxInterval: longestDeployedRetry * 2 / 3, // the jitter comes on top of it
		Multiplier: 2, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	var again <-chan time.Time // nil: the last report went well
	for {
		select {
		case <-registered:
			if dispatch.Sleep(ctx, registrationsWait) != nil {
				return
			}
		case <-again:
		case <-ctx.Done():
			return
		}
		select {
		case <-registered: // this report has it
		default:
		}
		again = nil
		err := report(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, hub.ErrUnsupported):
			return
		case err == nil:
			waits.Reset()
		default:
			wait := waits.NextBackOff()
			log.Warn("deployed state not reported", "reason", err, "retry_in", wait.Round(time.Millisecond).String())
			again = time.After(wait)
		}
	}
}

// reportDeployedState tells the controller every pool of this operator with the workloads whose releases are healthy now.
func (h *Handlers) reportDeployedState(ctx context.Context) error {
	healthy, err := h.healthyWorkloads(ctx)
	if err != nil {
		return err
	}
	report := []hub.DeployedPool{}
	for _, pool := range h.pools.Owned() {
		workloads := append([]string{}, healthy[names.HashOf(pool.TenantID)+"/"+names.LabelValue(pool.ID())]...)
		// Revisions of before there was the hash:
		workloads = append(workloads, healthy[names.LabelValue(pool.TenantID)+"/"+names.LabelValue(pool.ID())]...)
		slices.Sort(workloads)
		report = append(report, hub.DeployedPool{Pool: pool, WorkloadRtIDs: workloads})
	}
	return h.controller.ReportDeployedState(ctx, report)
}

// healthyWorkloads are the runtime ids of the workloads whose releases are healthy, by tenant and pool: "{hash of the tenant's id, or label of
// the tenant}/{label of the pool}". It reads the releases' labels alone, with one request for each namespace.
func (h *Handlers) healthyWorkloads(ctx context.Context) (map[string][]string, error) {
	namespaces := []string{h.settings.PoolNamespace}
	if p := h.settings.PlatformNamespace; p != "" && p != h.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	healthy := map[string][]string{}
	for _, namespace := range namespaces {
		releases, err := h.cluster.Releases(ctx, namespace, names.ManagedByLabel+"="+names.ManagedBy)
		if err != nil {
			return nil, err
		}
		for name, labels := range releases {
			rtID := labels[names.RtIDLabel]
			if rtID == "" || !h.healthy(names.Release{Name: name, Namespace: namespace, Own: cmp.Or(labels[names.LaneLabel], name)}, labels) {
				continue
			}
			pool := cmp.Or(labels[names.Group+"/deployment-site-rt-id"], labels[names.Group+"/pool-rt-id"], labels[names.Group+"/pool"])
			key := cmp.Or(labels[names.TenantHashLabel], labels[names.TenantLabel]) + "/" + pool
			healthy[key] = append(healthy[key], rtID)
		}
	}
	return healthy, nil
}

// healthy tells whether a release is deployed, its objects exist, and nobody is still waiting for its pods. The label alone is not enough for the
// last: a revision of a rerun has it too. So the release's lane must also be busy.
func (h *Handlers) healthy(r names.Release, labels map[string]string) bool {
	return labels["status"] == "deployed" && !h.pools.GoneWithOwner(labels) && (labels[names.RolloutLabel] != names.RolloutWaiting || !h.Busy(r.Lane()))
}
