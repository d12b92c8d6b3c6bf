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
	"octo-operator/handlers/pools"
	"octo-operator/hub"
	"octo-operator/names"
)

const (
	// gatherRegistrations lets pools that are registered together make one report.
	gatherRegistrations = 300 * time.Millisecond
	firstTellWait       = time.Second
	longestTellWait     = 5 * time.Minute
)

// Registered is called after each registration at the controller, with the pools that are deployed, and returns with the
// connection. In central mode each of them must have its custom resource and broker secret, and the controller is told what
// is deployed.
func (h *Handlers) Registered(ctx context.Context, deployed []hub.Pool) {
	if !h.settings.AutoManagePools {
		return
	}
	h.EnsurePools(ctx, deployed)
	keepTold(ctx, h.Pools.Registered, h.reportDeployedState, h.log)
}

// keepTold calls tell after each registration of a pool, once for those that come close together, and again after an error.
// It returns with ctx, the connection's, or when the controller cannot be told at all.
func keepTold(ctx context.Context, registered <-chan struct{}, tell func(context.Context) error, log *slog.Logger) {
	waits := &backoff.ExponentialBackOff{
		InitialInterval: firstTellWait, MaxInterval: longestTellWait * 2 / 3, // the jitter comes on top of it
		Multiplier: 2, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	var again <-chan time.Time // nil: the last time went well
	for {
		select {
		case <-registered:
			if dispatch.Sleep(ctx, gatherRegistrations) != nil {
				return
			}
		case <-again:
		case <-ctx.Done():
			return
		}
		select {
		case <-registered: // it is told now
		default:
		}
		again = nil
		err := tell(ctx)
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
	for _, pool := range h.OwnedPools() {
		workloads := append([]string{}, healthy[names.HashOf(pool.TenantID)+"/"+names.LabelValue(pool.ID())]...)
		workloads = append(workloads, healthy[pools.Label(pool)]...) // of before there was the hash
		slices.Sort(workloads)
		report = append(report, hub.DeployedPool{Pool: pool, WorkloadRtIDs: workloads})
	}
	return h.controller.ReportDeployedState(ctx, report)
}

// healthyWorkloads reads the releases' labels, with one request for each namespace.
func (h *Handlers) healthyWorkloads(ctx context.Context) (map[string][]string, error) {
	namespaces := []string{h.settings.PoolNamespace}
	if p := h.settings.PlatformNamespace; p != "" && p != h.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	healthy := map[string][]string{}
	for _, namespace := range namespaces {
		releases, err := h.kubectl.Releases(ctx, namespace, names.Group+"/managed-by=communication-operator")
		if err != nil {
			return nil, err
		}
		for name, labels := range releases {
			rtID := labels[names.Group+"/workload-rt-id"]
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

// healthy tells whether a release is deployed and there, and nobody still waits for its pods. What was run again by hand is waited for by
// nobody, and has the label all the same.
func (h *Handlers) healthy(r names.Release, labels map[string]string) bool {
	return labels["status"] == "deployed" && !h.GoneWithOwner(labels) && (labels[names.RolloutLabel] != names.RolloutWaiting || !h.Busy(r.Lane()))
}
