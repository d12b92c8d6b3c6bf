package handlers

import (
	"context"
	"errors"
	"fmt"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/scripts"
)

func tenantPlace(_ config.Config, event hub.Event) (place, error) {
	t, err := hub.Decode[hub.Tenant](event.Argument)
	return place{lane: "tenant/" + t.TenantID, tenant: t.TenantID, attrs: []any{"tenant", t.TenantID}}, errors.Join(err, checkTenant(t))
}

func checkTenant(t hub.Tenant) error {
	if t.TenantID == "" {
		return errors.New("tenantId is empty")
	}
	return nil
}

// preUpdateTenant runs alone: when it starts, nothing of the tenant is in flight, and nothing new starts before it has
// ended. The controller has dropped the tenant's pools by then, so they are registered again.
func (h *Handlers) preUpdateTenant(ctx context.Context, t *task) error {
	tenant, err := hub.Decode[hub.Tenant](t.event.Argument)
	if err = errors.Join(err, checkTenant(tenant)); err != nil {
		return fmt.Errorf("cannot prepare the tenant's update: %w", err)
	}
	if err := h.script(ctx, t, scripts.TenantPreUpdate, map[string]string{"TENANT": tenant.TenantID}); err != nil {
		return err
	}
	pools, err := h.kubectl.Pools(ctx, h.settings.WatchNamespace)
	if err != nil {
		return fmt.Errorf("cannot register the tenant's pools again: %w", err)
	}
	for _, p := range pools {
		if p.TenantID == tenant.TenantID {
			h.controller.RegisterPool(hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID})
		}
	}
	return nil
}
