package handlers

import (
	"context"
	"fmt"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/scripts"
)

func poolPlace(_ config.Config, event hub.Event) (place, error) {
	pool, name, err := decodePool(event)
	// Two pools may have one name: the events of one must not take the place of the other's.
	lane := "pool/" + name + "/" + shortHash(pool.TenantID, pool.ID())
	return place{lane: lane, owner: ownerOf(pool.TenantID, pool.ID()), tenant: pool.TenantID, attrs: []any{"tenant", shown(pool.TenantID), "pool", shown(pool.ID())}}, err
}

// poolDeployed applies the pool's custom resource and broker secret. The watch registers what has a resource.
func (h *Handlers) poolDeployed(ctx context.Context, t *task) error {
	pool, name, err := decodePool(t.event)
	if err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	t.redact = exec.NewRedactor(h.settings.Secrets()...)
	if name, err = h.pools.locatePool(ctx, pool, name); err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	done, err := h.pools.alone(ctx, t, name)
	if err != nil {
		return err
	}
	defer done()
	there, err := h.pools.awaitOldPool(ctx, t, pool, name)
	if err != nil {
		return err
	}
	if err := h.pools.writePool(ctx, t, pool, name, there); err != nil {
		return err
	}
	err = t.script(ctx, scripts.PoolDeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "NAMESPACE": h.settings.PoolNamespace,
	})
	if err == nil {
		_, err = h.pools.awaitOldPool(ctx, t, pool, name) // somebody may have deleted it in between
	}
	if err == nil {
		h.pools.tries.wake()
	}
	return err
}
