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

// poolPlace is where a pool's events belong.
func poolPlace(_ config.Config, event hub.Event) (dispatch.Place, error) {
	pool, name, err := pools.Decode(event)
	// Two pools may have one name: the events of one must not take the place of the other's.
	lane := "pool/" + name + "/" + names.ShortHash(pool.TenantID, pool.ID())
	return dispatch.Place{
		Lane: lane, Subject: names.SubjectOf(pool.TenantID, pool.ID()), Tenant: pool.TenantID,
		Attrs: []any{"tenant", text.Shown(pool.TenantID), "pool", text.Shown(pool.ID())},
	}, err
}

// poolDeployed applies the pool's custom resource and broker secret. The controller is told nothing by a report: it learns of the pool when
// the watch sees the resource and registers it.
func (h *Handlers) poolDeployed(ctx context.Context, t *dispatch.Task) error {
	pool, name, err := pools.Decode(t.Event)
	if err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	t.Redact = exec.NewRedactor(h.settings.Secrets()...)
	if name, err = h.pools.Locate(ctx, pool, name); err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	unlock, err := h.pools.Lock(ctx, t, name)
	if err != nil {
		return err
	}
	defer unlock()
	exists, err := h.pools.CheckResource(ctx, t, pool, name)
	if err != nil {
		return err
	}
	if err := h.pools.WriteManifests(ctx, t, pool, name, exists); err != nil {
		return err
	}
	err = t.Script(ctx, scripts.PoolDeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "NAMESPACE": h.settings.PoolNamespace,
	})
	if err == nil {
		_, err = h.pools.CheckResource(ctx, t, pool, name) // somebody may have deleted it in between
	}
	if err == nil {
		h.pools.Tries.Wake() // what kept others from being made may be over
	}
	return err
}
