package handlers

import (
	"context"
	"fmt"
	"slices"

	"octo-operator/dispatch"
	"octo-operator/handlers/pools"
)

// poolUndeployed removes the pool's custom resources and broker secret, and the controller gets no report of it. An upgrade of the
// controller leaves a pool with a resource of either kind, and any that stays would register the pool again in the operator's next life. A
// resource that finalizers hold is undeployed all the same: nothing registers its pool any more.
func (h *Handlers) poolUndeployed(ctx context.Context, t *dispatch.Task) error {
	pool, name, err := pools.Decode(t.Event)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	h.pools.StopRegistering(pool)
	kinds, err := h.cluster.PoolKinds(ctx, h.settings.PoolNamespace)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	if own := pools.Kind(pool); !slices.Contains(kinds, own) {
		t.Log.Warn("the pool may still have a resource: the cluster does not know its kind, or the operator's role does not allow it", "resource", own.Resource, "next", "delete it with kubectl, if it is there")
	}
	found, err := h.pools.Locate(ctx, pool, name)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	for _, name := range slices.Compact([]string{name, found}) { // it may have both: the reference operator was here in between
		if err := h.pools.Remove(ctx, t, pool, name, kinds); err != nil {
			return err
		}
	}
	return nil
}
