package handlers

import (
	"context"
	"fmt"

	"octo-operator/kube"
	"octo-operator/scripts"
)

// poolUndeployed removes the pool's custom resource and broker secret.
func (h *Handlers) poolUndeployed(ctx context.Context, t *task) error {
	pool, name, err := decodePool(t.event)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	h.controller.UnregisterPool(pool)
	kind := kube.CommunicationPool
	if pool.DeploymentSiteRtID != "" {
		kind = kube.DeploymentSite
	}
	return h.script(ctx, t, scripts.PoolUndeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "POOL_RESOURCE": kind.Resource,
		"NAMESPACE": h.settings.PoolNamespace, "SECRET": brokerSecret(name),
	})
}
