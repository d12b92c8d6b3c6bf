package handlers

import (
	"context"

	"octo-operator/hub"
	"octo-operator/kube"
)

// locatePool finds the name of a pool's resource and broker secret: name, this operator's own, or another one under which the
// reference operator has made them, if what is there is this pool's.
func (h *Handlers) locatePool(ctx context.Context, pool hub.Pool, name string) (string, error) {
	names := referencePools(pool)
	if len(names) == 0 {
		return name, nil
	}
	kinds, err := h.kubectl.PoolKinds(ctx, h.settings.PoolNamespace)
	if err != nil {
		return name, err
	}
	for _, old := range names {
		for _, kind := range kinds {
			found, err := h.kubectl.Pool(ctx, kind, h.settings.PoolNamespace, old)
			if err != nil || found != nil && hubPool(*found).Key() == pool.Key() {
				return old, err
			}
		}
		// An undeploy may have been ended after the resource.
		secret, err := h.kubectl.Secret(ctx, h.settings.PoolNamespace, brokerSecret(old))
		if err != nil || secret != nil && isBrokerSecretOf(secret, pool) {
			return old, err
		}
	}
	return name, nil
}

// isBrokerSecretOf reads the labels that both operators put on a pool's broker secret.
func isBrokerSecretOf(s *kube.Secret, pool hub.Pool) bool {
	id := firstSet(s.Labels[group+"/deployment-site-rt-id"], s.Labels[group+"/pool-rt-id"], s.Labels[group+"/pool"])
	return s.Labels[group+"/managed-by"] == "communication-operator" &&
		isLabelOf(s.Labels[group+"/tenant"], pool.TenantID) && isLabelOf(id, pool.ID())
}
