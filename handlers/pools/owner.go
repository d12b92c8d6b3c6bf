package pools

import (
	"context"
	"slices"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// GoneWithOwner tells whether the cluster has deleted a release's objects, or is about to, since their owner is gone. labels are those
// of its newest revision: helm calls it deployed still.
func (ps *Pools) GoneWithOwner(labels map[string]string) bool {
	uid := labels[names.OwnerLabel]
	return uid != "" && uid != names.NoOwner && !slices.ContainsFunc(ps.All(), func(p kube.Pool) bool { return p.UID == uid && !p.Deleting })
}

// OwnerOf is the resource of a pool in the namespace of pools; nil: there is none that stays.
func (ps *Pools) OwnerOf(ctx context.Context, pool hub.Pool) (*kube.Pool, error) {
	kind := Kind(pool)
	for _, p := range ps.Of(pool) { // whatever it is called
		if p.Namespace == ps.Settings.PoolNamespace && p.Kind == kind.Kind {
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
	p, err := ps.Kubectl.Pool(ctx, kind, ps.Settings.PoolNamespace, name)
	if p != nil && (p.Deleting || names.PoolProof(p, pool).Verdict == names.OfAnother) {
		p = nil
	}
	return p, err
}
