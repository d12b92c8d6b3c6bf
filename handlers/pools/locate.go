package pools

import (
	"context"
	"errors"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// Decode reads an event's pool. name is the name that this operator gives to the pool's resource. With an error the pool has what could be read,
// and name may be "".
func Decode(event hub.Event) (pool hub.Pool, name string, err error) {
	pool, err = hub.Decode[hub.Pool](event.Argument)
	if err = errors.Join(err, pool.Check()); err != nil {
		return pool, "", err
	}
	name, err = names.DNSName(pool.TenantID, pool.ID())
	return pool, name, err
}

// Kind is the kind of a pool's resource: a pool that the controller knows as a deployment site (G4) has another one.
func Kind(pool hub.Pool) kube.PoolKind {
	if pool.DeploymentSiteRtID != "" {
		return kube.DeploymentSite
	}
	return kube.CommunicationPool
}

// Locate returns the name of a pool's resource: name, this operator's own, or the one that the reference operator gives, if the resource or
// broker secret of that name is this pool's. It asks the API server only if the two names differ.
func (ps *Pools) Locate(ctx context.Context, pool hub.Pool, name string) (string, error) {
	olds := names.ReferencePools(pool)
	if len(olds) == 0 {
		return name, nil
	}
	kinds, err := ps.cluster.PoolKinds(ctx, ps.settings.PoolNamespace)
	if err != nil {
		return name, err
	}
	for _, old := range olds {
		for _, kind := range kinds {
			found, err := ps.cluster.Pool(ctx, kind, ps.settings.PoolNamespace, old)
			if err != nil || names.PoolProof(found, pool).Verdict == names.OfThis {
				return old, err
			}
		}
		// An undeploy may have been ended after the resource.
		secret, err := ps.cluster.Secret(ctx, ps.settings.PoolNamespace, names.BrokerSecret(old))
		if err != nil || names.BrokerSecretProof(secret, pool).Verdict == names.OfThis {
			return old, err
		}
	}
	return name, nil
}
