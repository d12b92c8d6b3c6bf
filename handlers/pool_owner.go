package handlers

import (
	"context"
	"slices"

	"octo-operator/hub"
	"octo-operator/kube"
)

// An adapter pool belongs to the tenant that lends it out. Its Deployments and its Secret go with the pool's resource, which stands for
// that tenant, even if nobody sends an undeploy: the cluster deletes what has an owner that is gone. Helm does not know of that: its
// revisions stay, and the next deploy makes the objects again. The reference operator does the same.

// own makes the pool's resource the owner of what an adapter pool's deploy has made. A deploy that works is not failed for that.
func (h *Handlers) own(ctx context.Context, t *task, d *deployment) {
	if d.w.WorkloadType != hub.AdapterPool {
		return
	}
	if d.release.namespace != h.settings.PoolNamespace {
		t.log.Info("adapter pool has no owner: its pool's resource is in another namespace, and such an owner would count as gone",
			"namespace", d.release.namespace, "pool_namespace", h.settings.PoolNamespace)
		return
	}
	owner, err := h.ownerOf(ctx, d.w.Pool)
	deployments := 0
	if err == nil && owner != nil {
		deployments, err = h.kubectl.SetOwner(ctx, fieldManager, d.release.namespace, d.release.name, d.release.secretName(), owner.Owner())
	}
	if err == nil && deployments > 0 {
		err = h.releases.noteOwner(ctx, d.release, owner.UID)
	}
	const consequence = "adapter pool has no owner: it stays when its pool's resource is deleted, until it is undeployed"
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.log.Warn(consequence, "reason", err)
	case owner == nil:
		t.log.Warn(consequence, "reason", "the pool has no resource in namespace "+h.settings.PoolNamespace)
	case deployments == 0:
		t.log.Warn(consequence, "reason", "the release has no Deployment")
	default:
		t.log.Info("adapter pool is owned by its pool's resource", "owner", owner.Kind+" "+owner.Name, "deployments", deployments)
	}
}

// noteOwner writes the owner of a release's objects on its newest revision.
func (rs *releases) noteOwner(ctx context.Context, r release, uid string) error {
	labels, err := rs.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
	if err != nil || labels == nil || labels[ownerLabel] == uid {
		return err
	}
	return rs.kubectl.PatchLabels(ctx, fieldManager, r.namespace, "secrets", kube.RevisionSecret(r.name, labels["version"]), map[string]*string{ownerLabel: &uid})
}

// goneWithOwner tells whether the cluster has deleted a release's objects, or is about to, since their owner is gone. labels are those
// of its newest revision: helm calls it deployed still.
func (ps *pools) goneWithOwner(labels map[string]string) bool {
	uid := labels[ownerLabel]
	return uid != "" && uid != noOwner && !slices.ContainsFunc(ps.all(), func(p kube.Pool) bool { return p.UID == uid && !p.Deleting })
}

// ownerOf is the resource of a pool in the namespace of pools; nil: there is none that stays.
func (ps *pools) ownerOf(ctx context.Context, pool hub.Pool) (*kube.Pool, error) {
	kind := poolKind(pool)
	for _, p := range ps.of(pool) { // whatever it is called
		if p.Namespace == ps.settings.PoolNamespace && p.Kind == kind.Kind {
			return &p, nil
		}
	}
	name, err := dnsName(pool.TenantID, pool.ID())
	if err == nil {
		name, err = ps.locatePool(ctx, pool, name)
	}
	if err != nil {
		return nil, err
	}
	p, err := ps.kubectl.Pool(ctx, kind, ps.settings.PoolNamespace, name)
	if p != nil && (p.Deleting || poolProof(p, pool).verdict == ofAnother) {
		p = nil
	}
	return p, err
}
