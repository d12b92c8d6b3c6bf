package handlers

import (
	"context"

	"octo-operator/dispatch"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/names"
)

// An adapter pool belongs to the tenant that lends it out. Its Deployments and its Secret are owned by the pool's resource, which stands for
// that tenant: when the resource is deleted the cluster deletes them too, even if nobody sends an undeploy. Helm does not know of that: its
// revisions stay, and the next deploy makes the objects again. The reference operator does the same.

// setPoolAsOwner makes the pool's resource the owner (in Kubernetes' sense) of the objects of an adapter pool's deploy. If that fails the deploy
// succeeds anyway, and the log says what it means.
func (h *Handlers) setPoolAsOwner(ctx context.Context, t *dispatch.Task, d *release.Deployment) {
	if d.Event.WorkloadType != hub.AdapterPool {
		return
	}
	if d.Release.Namespace != h.settings.PoolNamespace {
		t.Log.Info("adapter pool has no owner: its pool's resource is in another namespace, and such an owner would count as gone",
			"namespace", d.Release.Namespace, "pool_namespace", h.settings.PoolNamespace)
		return
	}
	owner, err := h.pools.OwningResource(ctx, d.Event.Pool)
	deployments := 0
	if err == nil && owner != nil {
		deployments, err = h.cluster.SetOwner(ctx, names.FieldManager, d.Release.Namespace, d.Release.Name, d.Release.SecretName(), owner.Owner())
	}
	if err == nil && deployments > 0 {
		err = h.releases.LabelOwnerUID(ctx, d.Release, owner.UID)
	}
	const consequence = "adapter pool has no owner: it stays when its pool's resource is deleted, until it is undeployed"
	const nextDeploy = "its next deploy tries again"
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.Log.Warn(consequence, "reason", err, "next", nextDeploy)
	case owner == nil:
		t.Log.Warn(consequence, "reason", "the pool has no resource in namespace "+h.settings.PoolNamespace, "next", nextDeploy)
	case deployments == 0:
		t.Log.Warn(consequence, "reason", "the release has no Deployment", "next", nextDeploy)
	default:
		t.Log.Info("adapter pool is owned by its pool's resource", "owner", owner.Kind+" "+owner.Name, "deployments", deployments)
	}
}
