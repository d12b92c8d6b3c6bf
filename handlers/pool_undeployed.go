package handlers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// poolUndeployed removes the pool's custom resources and broker secret. An upgrade of the controller leaves a pool with a resource
// of either kind, and any that stays would register the pool again in the operator's next life. A resource that finalizers hold is
// undeployed all the same: nothing registers it any more.
func (ps *pools) poolUndeployed(ctx context.Context, t *task) error {
	pool, name, err := decodePool(t.event)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	ps.undeploying(pool)
	kinds, err := ps.kubectl.PoolKinds(ctx, ps.settings.PoolNamespace)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	if own := poolKind(pool); !slices.Contains(kinds, own) {
		t.log.Warn("the pool may still have a resource: the cluster does not know its kind, or the operator's role does not allow it", "resource", own.Resource)
	}
	found, err := ps.locatePool(ctx, pool, name)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	for _, name := range slices.Compact([]string{name, found}) { // it may have both: the reference operator was here in between
		if err := ps.removePool(ctx, t, pool, name, kinds); err != nil {
			return err
		}
	}
	return nil
}

// removePool lets the script remove what is there under a name and is the pool's.
func (ps *pools) removePool(ctx context.Context, t *task, pool hub.Pool, name string, kinds []kube.PoolKind) error {
	done, err := ps.alone(ctx, t, name)
	if err != nil {
		return err
	}
	defer done()
	resources, secret, err := ps.undeployable(ctx, t, pool, name, kinds)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	return t.script(ctx, scripts.PoolUndeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "POOL_RESOURCE": strings.Join(resources, ","),
		"NAMESPACE": ps.settings.PoolNamespace, "SECRET": secret,
	})
}
