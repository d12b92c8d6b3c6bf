package handlers

import (
	"context"
	"fmt"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/scripts"
	"octo-operator/text"
)

// tenantPlace is where a tenant's updates belong.
func tenantPlace(_ config.Config, event hub.Event) (dispatch.Place, error) {
	t, err := hub.Decode[hub.Tenant](event.Argument)
	return dispatch.Place{
		Lane: "tenant/" + t.TenantID, Tenant: t.TenantID,
		Attrs: []any{"tenant", text.Shown(t.TenantID)},
	}, err
}

// preUpdateTenant runs alone: when it starts, nothing of the tenant is in flight, and nothing new starts before it has
// ended. The controller has dropped the tenant's pools by then, so they are registered again before the tenant's work goes on,
// whatever the script says: without them the tenant would get no more events. The contract has no report of it.
func (h *Handlers) preUpdateTenant(ctx context.Context, t *dispatch.Task) error {
	tenant, err := hub.Decode[hub.Tenant](t.Event.Argument)
	if err != nil {
		return fmt.Errorf("cannot prepare the tenant's update: %w", err)
	}
	failure := t.Script(ctx, scripts.TenantPreUpdate, map[string]string{"TENANT": tenant.TenantID})
	ctx, cancel := context.WithTimeout(ctx, longestReregistration)
	defer cancel()
	if err := h.controller.ReregisterTenant(ctx, tenant.TenantID); err != nil {
		t.Log.Warn("the tenant's work goes on before all its pools are registered", "reason", err, "next", "the pools are registered in the background")
	}
	if failure == nil {
		t.Log.Info("tenant updated: its work goes on")
	}
	return failure
}

// longestReregistration bounds how long a tenant's work waits for a controller that does not take its pools back.
const longestReregistration = 2 * time.Minute
