package pools

import (
	"context"
	"fmt"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// CheckResource looks at the resource of that name. exists: there is one, it is the pool's, and it stays; if StopRegistering has excluded it, it
// registers the pool again. It is an error if the resource is another pool's. While it is being deleted it is an error too, after which the event
// is retried: the API server would accept a change of it, and delete it all the same.
func (ps *Pools) CheckResource(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string) (exists bool, err error) {
	if err := t.TakeSlot(ctx); err != nil {
		return false, err
	}
	found, err := ps.cluster.Pool(ctx, Kind(pool), ps.settings.PoolNamespace, name)
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.Log.Debug("not known whether the pool has an old resource", "reason", err)
	case err != nil:
		return false, err
	case names.PoolProof(found, pool).Verdict == names.OfAnother:
		return false, anotherPoolError(*found, pool)
	case found != nil && found.Deleting:
		return false, &stillDeletingError{*found}
	case found != nil:
		ps.registration.resume(found.UID)
	}
	return names.PoolProof(found, pool).Verdict == names.OfThis, nil
}

// WriteManifests writes what is to be applied into the run's directory: pool.yaml, and where the settings have a user or a password of the
// broker, secret.yaml. exists is CheckResource's. It is an error if the broker secret of that name is not the pool's.
func (ps *Pools) WriteManifests(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, exists bool) error {
	fields, err := ps.resourceFields(ctx, pool)
	if err != nil {
		return err
	}
	resource, err := resourceManifest(ps.settings, pool, name, fields)
	if err != nil {
		return err
	}
	if err := t.Write("pool.yaml", resource); err != nil {
		return err
	}
	if !ps.hasBrokerSecret() {
		t.Log.Warn("no broker secret for the pool: OPERATOR__BROKERUSER and OPERATOR__BROKERPASSWORD are not set", "next", "set them: the next connection makes the secret")
		return nil
	}
	if err := ps.checkBrokerSecret(ctx, t, pool, name, exists); err != nil {
		return err
	}
	secret, err := brokerSecretManifest(ps.settings, pool, name)
	if err != nil {
		return err
	}
	return t.Write("secret.yaml", secret)
}

// hasBrokerSecret tells whether the settings have anything that a broker secret would hold.
func (ps *Pools) hasBrokerSecret() bool {
	return ps.settings.Broker.User != "" || ps.settings.Broker.Password != ""
}

// resourceFields are the fields that a pool's resource may have; nil: those alone that say which pool it is. The API server takes none that
// the CustomResourceDefinition lacks: in G1 each version of the official one has other settings, later ones have no setting at all.
func (ps *Pools) resourceFields(ctx context.Context, pool hub.Pool) (map[string]bool, error) {
	if !pool.Named() {
		return nil, nil
	}
	return ps.cluster.PoolFields(ctx, Kind(pool))
}

func anotherPoolError(found kube.Pool, pool hub.Pool) error {
	return fmt.Errorf("%s %s in namespace %s belongs to another pool, %q of tenant %q; this one is %q of tenant %q: undeploy the other one, or rename one of the tenants",
		found.Kind, found.Name, found.Namespace, names.HubPool(found).ID(), found.TenantID, pool.ID(), pool.TenantID)
}

// checkBrokerSecret is an error if the broker secret of that name is not the pool's. exists: the pool has a resource of that name, which
// proves that the secret is the pool's too, unless the secret itself says otherwise.
func (ps *Pools) checkBrokerSecret(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, exists bool) error {
	secret, err := ps.cluster.Secret(ctx, ps.settings.PoolNamespace, names.BrokerSecret(name))
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
	case p.Verdict == names.Unproven && !exists:
		return fmt.Errorf("secret %s in namespace %s is left alone: nothing proves that it is this pool's, whose resource is not there. If it is: %s",
			secret.Name, secret.Namespace, names.LabelCommand("secret "+secret.Name+" --namespace "+secret.Namespace, pool.TenantID, names.PoolLabels(pool)))
	}
	return nil
}
