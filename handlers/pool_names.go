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
func (ps *pools) locatePool(ctx context.Context, pool hub.Pool, name string) (string, error) {
	olds := referencePools(pool)
	if len(olds) == 0 {
		return name, nil
	}
	kinds, err := ps.kubectl.PoolKinds(ctx, ps.settings.PoolNamespace)
	if err != nil {
		return name, err
	}
	for _, old := range olds {
		for _, kind := range kinds {
			found, err := ps.kubectl.Pool(ctx, kind, ps.settings.PoolNamespace, old)
			if err != nil || poolProof(found, pool).verdict == ofThis {
				return old, err
			}
		}
		// An undeploy may have been ended after the resource.
		secret, err := ps.kubectl.Secret(ctx, ps.settings.PoolNamespace, brokerSecret(old))
		if err != nil || brokerSecretProof(secret, pool).verdict == ofThis {
			return old, err
		}
	}
	return name, nil
}

func anotherPoolError(found kube.Pool, pool hub.Pool) error {
	return fmt.Errorf("%s %s in namespace %s belongs to another pool, %q of tenant %q; this one is %q of tenant %q: undeploy the other one, or rename one of the tenants",
		found.Kind, found.Name, found.Namespace, hubPool(found).ID(), found.TenantID, pool.ID(), pool.TenantID)
}

// checkBrokerSecret is an error if the broker secret of that name is not the pool's. A resource of that name that is the pool's proves it,
// unless the secret itself says otherwise.
func (ps *pools) checkBrokerSecret(ctx context.Context, t *task, pool hub.Pool, name string, resourceThere bool) error {
	secret, err := ps.kubectl.Secret(ctx, ps.settings.PoolNamespace, brokerSecret(name))
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.log.Debug("not known whose the broker secret is", "reason", err)
		return nil
	case err != nil:
		return err
	}
	switch p := brokerSecretProof(secret, pool); {
	case p.verdict == ofAnother:
		return fmt.Errorf("secret %s in namespace %s belongs to another pool: %s: undeploy the other one, or rename one of the tenants", secret.Name, secret.Namespace, p.reason)
	case p.verdict == unproven && !resourceThere:
		return fmt.Errorf("secret %s in namespace %s is left alone: nothing proves that it is this pool's, whose resource is not there. If it is: %s",
			secret.Name, secret.Namespace, markedAs("secret "+secret.Name+" --namespace "+secret.Namespace, pool.TenantID, poolLabels(pool)))
	}
	return nil
}

// undeployable is what an undeploy may delete under a name: kinds of resources, and the broker secret ("": it may not). It is an error
// if all that is there is another pool's.
func (ps *pools) undeployable(ctx context.Context, t *task, pool hub.Pool, name string, kinds []kube.PoolKind) (resources []string, secret string, err error) {
	own, others := 0, []error(nil)
	for _, kind := range kinds {
		found, err := ps.kubectl.Pool(ctx, kind, ps.settings.PoolNamespace, name)
		switch {
		case err != nil && !kube.Denied(err):
			return nil, "", err
		case poolProof(found, pool).verdict == ofAnother:
			others = append(others, anotherPoolError(*found, pool))
			continue
		case poolProof(found, pool).verdict == ofThis:
			own++
		}
		resources = append(resources, kind.Resource)
	}
	if len(others) > 0 && own == 0 {
		return nil, "", errors.Join(others...)
	}
	stays := errors.Join(others...) // the other one's resource needs the secret
	if stays == nil {
		stays = ps.checkBrokerSecret(ctx, t, pool, name, own > 0)
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

// poolKind is the kind of the resource that a controller's generation has for a pool.
func poolKind(pool hub.Pool) kube.PoolKind {
	if pool.DeploymentSiteRtID != "" {
		return kube.DeploymentSite
	}
	return kube.CommunicationPool
}

// decodePool reads an event's pool and names its resource. What could be read is returned with an error too.
func decodePool(event hub.Event) (hub.Pool, string, error) {
	pool, err := hub.Decode[hub.Pool](event.Argument)
	if err = errors.Join(err, pool.Check()); err != nil {
		return pool, "", err
	}
	name, err := dnsName(pool.TenantID, pool.ID())
	return pool, name, err
}
