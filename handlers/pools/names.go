package pools

import (
	"context"
	"errors"
	"fmt"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Locate finds the name of a pool's resource and broker secret: name, this operator's own, or another one under which the
// reference operator has made them, if what is there is this pool's.
func (ps *Pools) Locate(ctx context.Context, pool hub.Pool, name string) (string, error) {
	olds := names.ReferencePools(pool)
	if len(olds) == 0 {
		return name, nil
	}
	kinds, err := ps.Kubectl.PoolKinds(ctx, ps.Settings.PoolNamespace)
	if err != nil {
		return name, err
	}
	for _, old := range olds {
		for _, kind := range kinds {
			found, err := ps.Kubectl.Pool(ctx, kind, ps.Settings.PoolNamespace, old)
			if err != nil || names.PoolProof(found, pool).Verdict == names.OfThis {
				return old, err
			}
		}
		// An undeploy may have been ended after the resource.
		secret, err := ps.Kubectl.Secret(ctx, ps.Settings.PoolNamespace, names.BrokerSecret(old))
		if err != nil || names.BrokerSecretProof(secret, pool).Verdict == names.OfThis {
			return old, err
		}
	}
	return name, nil
}

func anotherPoolError(found kube.Pool, pool hub.Pool) error {
	return fmt.Errorf("%s %s in namespace %s belongs to another pool, %q of tenant %q; this one is %q of tenant %q: undeploy the other one, or rename one of the tenants",
		found.Kind, found.Name, found.Namespace, names.HubPool(found).ID(), found.TenantID, pool.ID(), pool.TenantID)
}

// checkBrokerSecret is an error if the broker secret of that name is not the pool's. A resource of that name that is the pool's proves it,
// unless the secret itself says otherwise.
func (ps *Pools) checkBrokerSecret(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, resourceThere bool) error {
	secret, err := ps.Kubectl.Secret(ctx, ps.Settings.PoolNamespace, names.BrokerSecret(name))
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.Log.Debug("not known whose the broker secret is", "reason", err)
		return nil
	case err != nil:
		return err
	}
	switch p := names.BrokerSecretProof(secret, pool); {
	case p.Verdict == names.OfAnother:
		return fmt.Errorf("secret %s in namespace %s belongs to another pool: %s: undeploy the other one, or rename one of the tenants", secret.Name, secret.Namespace, p.Reason)
	case p.Verdict == names.Unproven && !resourceThere:
		return fmt.Errorf("secret %s in namespace %s is left alone: nothing proves that it is this pool's, whose resource is not there. If it is: %s",
			secret.Name, secret.Namespace, names.LabelCommand("secret "+secret.Name+" --namespace "+secret.Namespace, pool.TenantID, names.PoolLabels(pool)))
	}
	return nil
}

// undeployable is what an undeploy may delete under a name: kinds of resources, and the broker secret ("": it may not). It is an error
// if all that is there is another pool's.
func (ps *Pools) undeployable(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, kinds []kube.PoolKind) (resources []string, secret string, err error) {
	own, others := 0, []error(nil)
	for _, kind := range kinds {
		found, err := ps.Kubectl.Pool(ctx, kind, ps.Settings.PoolNamespace, name)
		switch {
		case err != nil && !kube.Denied(err):
			return nil, "", err
		case names.PoolProof(found, pool).Verdict == names.OfAnother:
			others = append(others, anotherPoolError(*found, pool))
			continue
		case names.PoolProof(found, pool).Verdict == names.OfThis:
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
		t.Log.Warn("the pool's broker secret is left", "reason", stays)
		return resources, "", nil
	}
	return resources, names.BrokerSecret(name), nil
}

// Kind is the kind of the resource that a controller's generation has for a pool.
func Kind(pool hub.Pool) kube.PoolKind {
	if pool.DeploymentSiteRtID != "" {
		return kube.DeploymentSite
	}
	return kube.CommunicationPool
}

// Decode reads an event's pool and names its resource. What could be read is returned with an error too.
func Decode(event hub.Event) (hub.Pool, string, error) {
	pool, err := hub.Decode[hub.Pool](event.Argument)
	if err = errors.Join(err, pool.Check()); err != nil {
		return pool, "", err
	}
	name, err := names.DNSName(pool.TenantID, pool.ID())
	return pool, name, err
}
