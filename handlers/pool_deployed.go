package handlers

import (
	"context"
	"fmt"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/handlers/pools"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
	"octo-operator/text"
)

func poolPlace(_ config.Config, event hub.Event) (dispatch.Place, error) {
	pool, name, err := pools.Decode(event)
	// Two pools may have one name: the events of one must not take the place of the other's.
	lane := "pool/" + name + "/" + names.ShortHash(pool.TenantID, pool.ID())
	return dispatch.Place{Lane: lane, Owner: names.OwnerOf(pool.TenantID, pool.ID()), Tenant: pool.TenantID, Attrs: []any{"tenant", text.Shown(pool.TenantID), "pool", text.Shown(pool.ID())}}, err
}

// poolDeployed applies the pool's custom resource and broker secret. The watch registers what has a resource.
func (h *Handlers) poolDeployed(ctx context.Context, t *dispatch.Task) error {
	pool, name, err := pools.Decode(t.Event)
	if err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	t.Redact = exec.NewRedactor(h.settings.Secrets()...)
	if name, err = h.Pools.Locate(ctx, pool, name); err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	done, err := h.Pools.Alone(ctx, t, name)
	if err != nil {
		return err
	}
	defer done()
	there, err := h.Pools.AwaitOld(ctx, t, pool, name)
	if err != nil {
		return err
	}
	if err := h.Pools.Write(ctx, t, pool, name, there); err != nil {
		return err
	}
	err = t.Script(ctx, scripts.PoolDeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "NAMESPACE": h.settings.PoolNamespace,
	})
	if err == nil {
		_, err = h.Pools.AwaitOld(ctx, t, pool, name) // somebody may have deleted it in between
	}
	if err == nil {
		h.Pools.Tries.Wake()
	}
	return err
}
