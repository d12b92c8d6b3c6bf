package pools

import (
	"context"
	"slices"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// GoneWithOwner tells whether the cluster has deleted a release's objects, or will soon, because the pool's resource that owns them was deleted.
// labels are those of the release's newest revision, which helm still calls deployed.
func (ps *Pools) GoneWithOwner(labels map[string]string) bool {
	uid := labels[names.OwnerUIDLabel]
	return uid != "" && uid != names.NoOwner && !slices.ContainsFunc(ps.resources.all(), func(p kube.Pool) bool { return p.UID == uid && !p.Deleting })
}

// OwningResource is the resource of a pool in the namespace of pools, which may own objects of its releases; nil: there is none, or none that
// stays. The error is why that is not known.
func (ps *Pools) OwningResource(ctx context.Context, pool hub.Pool) (*kube.Pool, error) {
	kind := Kind(pool)
	for _, p := range ps.resources.of(pool) { // whatever it is called
		if p.Namespace == ps.settings.PoolNamespace && p.Kind == kind.Kind {
			return &p, nil
		}
	}
	name, err := names.DNSName(pool.TenantID, pool.ID())
	if err == nil {
		name, err = ps.Locate(ctx, pool, name)
	}
	if err != nil {
		return nil, err
	}
	p, err := ps.cluster.Pool(ctx, kind, ps.settings.PoolNamespace, name)
	if p != nil && (p.Deleting || names.PoolProof(p, pool).Verdict == names.OfAnother) {
		p = nil
	}
	return p, err
}
