package handlers

import (
	"context"
	"fmt"
	"slices"
)

// poolUndeployed removes the pool's custom resources and broker secret. An upgrade of the controller leaves a pool with a resource
// of either kind, and any that stays would register the pool again in the operator's next life. A resource that finalizers hold is
// undeployed all the same: nothing registers it any more.
func (h *Handlers) poolUndeployed(ctx context.Context, t *task) error {
	pool, name, err := decodePool(t.event)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	h.pools.undeploying(pool)
	kinds, err := h.kubectl.PoolKinds(ctx, h.settings.PoolNamespace)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	if own := poolKind(pool); !slices.Contains(kinds, own) {
		t.log.Warn("the pool may still have a resource: the cluster does not know its kind, or the operator's role does not allow it", "resource", own.Resource)
	}
	found, err := h.pools.locatePool(ctx, pool, name)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	for _, name := range slices.Compact([]string{name, found}) { // it may have both: the reference operator was here in between
		if err := h.pools.removePool(ctx, t, pool, name, kinds); err != nil {
			return err
		}
	}
	return nil
}
