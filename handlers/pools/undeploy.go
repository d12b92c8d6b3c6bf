package pools

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// StopRegistering unregisters a pool at the controller, and excludes its resources that are there now from registering it again, however long
// they stay. CheckResource, in a deploy, takes that back.
func (ps *Pools) StopRegistering(pool hub.Pool) { ps.registration.stop(pool) }

// Remove runs the script that removes the pool's resources of that name and of those kinds, and its broker secret. What is another pool's
// stays; it is an error if all resources that are there are other pools'.
func (ps *Pools) Remove(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, kinds []kube.PoolKind) error {
	unlock, err := ps.Lock(ctx, t, name)
	if err != nil {
		return err
	}
	defer unlock()
	resources, secret, err := ps.removable(ctx, t, pool, name, kinds)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	return t.Script(ctx, scripts.PoolUndeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "POOL_RESOURCE": strings.Join(resources, ","),
		"NAMESPACE": ps.settings.PoolNamespace, "SECRET": secret,
	})
}

// removable is what an undeploy may delete under a name: resources as kubectl takes their kinds, and the name of the broker secret ("": it
// may not be deleted). It is an error if all resources that are there are other pools'.
func (ps *Pools) removable(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, kinds []kube.PoolKind) (resources []string, secret string, err error) {
	own, others := 0, []error(nil)
	for _, kind := range kinds {
		found, err := ps.cluster.Pool(ctx, kind, ps.settings.PoolNamespace, name)
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
		t.Log.Warn("the pool's broker secret is left", "reason", stays, "next", "delete it with kubectl, if it is nobody's")
		return resources, "", nil
	}
	return resources, names.BrokerSecret(name), nil
}
