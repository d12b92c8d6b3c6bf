package handlers

import (
	"context"
	"errors"
	"fmt"

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

// isAnothers tells whether a resource stands for another pool: the ids of two may make one name. One that stands for no pool yet is
// whoever's deploy makes it stand for one.
func isAnothers(found *kube.Pool, pool hub.Pool) bool {
	if found == nil || hubPool(*found).Key() == pool.Key() {
		return false
	}
	return found.TenantID != "" && found.TenantID != pool.TenantID || hubPool(*found).Check() == nil
}

func anotherPoolError(found kube.Pool, pool hub.Pool) error {
	return fmt.Errorf("%s %s in namespace %s belongs to another pool, %q of tenant %q; this one is %q of tenant %q: undeploy the other one, or rename one of the tenants",
		found.Kind, found.Name, found.Namespace, hubPool(found).ID(), found.TenantID, pool.ID(), pool.TenantID)
}

// checkBrokerSecret is an error if the labels of the broker secret of that name say that it is another pool's.
func (h *Handlers) checkBrokerSecret(ctx context.Context, t *task, pool hub.Pool, name string) error {
	secret, err := h.kubectl.Secret(ctx, h.settings.PoolNamespace, brokerSecret(name))
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.log.Debug("not known whose the broker secret is", "reason", err)
	case err != nil:
		return err
	case secret != nil && secret.Labels[group+"/tenant"] != "" && !isBrokerSecretOf(secret, pool):
		return fmt.Errorf("secret %s in namespace %s belongs to another pool, of tenant %q; this one's is %q: undeploy the other one, or rename one of the tenants",
			secret.Name, secret.Namespace, secret.Labels[group+"/tenant"], pool.TenantID)
	}
	return nil
}

// undeployable is what an undeploy may delete under a name: kinds of resources, and the broker secret ("": it may not). It is an error
// if all that is there is another pool's.
func (h *Handlers) undeployable(ctx context.Context, t *task, pool hub.Pool, name string, kinds []kube.PoolKind) (resources []string, secret string, err error) {
	own, others := 0, []error(nil)
	for _, kind := range kinds {
		found, err := h.kubectl.Pool(ctx, kind, h.settings.PoolNamespace, name)
		switch {
		case err != nil && !kube.Denied(err):
			return nil, "", err
		case isAnothers(found, pool):
			others = append(others, anotherPoolError(*found, pool))
			continue
		case found != nil:
			own++
		}
		resources = append(resources, kind.Resource)
	}
	if len(others) > 0 && own == 0 {
		return nil, "", errors.Join(others...)
	}
	stays := errors.Join(others...) // the other one's resource needs the secret
	if stays == nil {
		stays = h.checkBrokerSecret(ctx, t, pool, name)
	}
	if errors.Is(stays, kube.ErrUnreachable) {
		return nil, "", stays
	}
	if stays != nil {
		t.log.Warn("the pool's broker secret is left", "reason", stays)
		return resources, "", nil
	}
	return resources, brokerSecret(name), nil
}

// isBrokerSecretOf reads the labels that both operators put on a pool's broker secret.
func isBrokerSecretOf(s *kube.Secret, pool hub.Pool) bool {
	id := firstSet(s.Labels[group+"/deployment-site-rt-id"], s.Labels[group+"/pool-rt-id"], s.Labels[group+"/pool"])
	return s.Labels[group+"/managed-by"] == "communication-operator" &&
		isLabelOf(s.Labels[group+"/tenant"], pool.TenantID) && isLabelOf(id, pool.ID())
}
