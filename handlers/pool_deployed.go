package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

func poolPlace(_ config.Config, event hub.Event) (place, error) {
	pool, name, err := decodePool(event)
	// Two pools may have one name: the events of one must not take the place of the other's.
	lane := "pool/" + name + "/" + shortHash(pool.TenantID, pool.ID())
	return place{lane: lane, owner: ownerOf(pool.TenantID, pool.ID()), tenant: pool.TenantID, attrs: []any{"tenant", shown(pool.TenantID), "pool", shown(pool.ID())}}, err
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

// poolDeployed applies the pool's custom resource and broker secret. The watch registers what has a resource.
func (ps *pools) poolDeployed(ctx context.Context, t *task) error {
	pool, name, err := decodePool(t.event)
	if err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	t.redact = exec.NewRedactor(ps.settings.Secrets()...)
	if name, err = ps.locatePool(ctx, pool, name); err != nil {
		return fmt.Errorf("cannot deploy the pool: %w", err)
	}
	done, err := ps.alone(ctx, t, name)
	if err != nil {
		return err
	}
	defer done()
	there, err := ps.awaitOldPool(ctx, t, pool, name)
	if err != nil {
		return err
	}
	if err := ps.writePool(ctx, t, pool, name, there); err != nil {
		return err
	}
	err = t.script(ctx, scripts.PoolDeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "NAMESPACE": ps.settings.PoolNamespace,
	})
	if err == nil {
		_, err = ps.awaitOldPool(ctx, t, pool, name) // somebody may have deleted it in between
	}
	if err == nil {
		ps.tries.wake()
	}
	return err
}

// awaitOldPool is an error if the resource of that name is another pool's, and while the pool's own is being deleted: the API server
// would take a change of it, and it would go all the same. One that is there and stays registers the pool again.
func (ps *pools) awaitOldPool(ctx context.Context, t *task, pool hub.Pool, name string) (there bool, err error) {
	if err := t.work(ctx); err != nil {
		return false, err
	}
	old, err := ps.kubectl.Pool(ctx, poolKind(pool), ps.settings.PoolNamespace, name)
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.log.Debug("not known whether the pool has an old resource", "reason", err)
	case err != nil:
		return false, err
	case poolProof(old, pool).verdict == ofAnother:
		return false, anotherPoolError(*old, pool)
	case old != nil && old.Deleting:
		return false, &stillDeletingError{*old}
	case old != nil:
		ps.redeployed(old.UID)
	}
	return poolProof(old, pool).verdict == ofThis, nil
}

// writePool writes what is to be applied. there: the pool has a resource of that name.
func (ps *pools) writePool(ctx context.Context, t *task, pool hub.Pool, name string, there bool) error {
	fields, err := ps.poolFields(ctx, pool)
	if err != nil {
		return err
	}
	resource, err := ps.poolResource(pool, name, fields)
	if err != nil {
		return err
	}
	if err := t.Write("pool.yaml", resource); err != nil {
		return err
	}
	if ps.settings.Broker.User == "" && ps.settings.Broker.Password == "" {
		t.log.Warn("no broker secret for the pool: OPERATOR__BROKERUSER and OPERATOR__BROKERPASSWORD are not set")
		return nil
	}
	if err := ps.checkBrokerSecret(ctx, t, pool, name, there); err != nil {
		return err
	}
	secret, err := secretManifest(brokerSecret(name), ps.settings.PoolNamespace, poolLabels(pool), map[string]string{tenantID: pool.TenantID}, map[string]string{
		"brokerusername": ps.settings.Broker.User, "brokerpassword": ps.settings.Broker.Password,
	})
	if err != nil {
		return err
	}
	return t.Write("secret.yaml", secret)
}

// poolFields are the settings that a pool's resource can carry: nothing else is taken by the API server. In G1 each version of the
// official CustomResourceDefinition has others, later none has any. Who the pool is, all have.
func (ps *pools) poolFields(ctx context.Context, pool hub.Pool) (map[string]bool, error) {
	if !pool.Named() {
		return nil, nil
	}
	return ps.kubectl.PoolFields(ctx, poolKind(pool))
}

// poolResource is the pool's custom resource. Only in G1 it carries settings, those of fields: later the operator's own do.
func (ps *pools) poolResource(pool hub.Pool, name string, fields map[string]bool) ([]byte, error) {
	kind, spec := poolKind(pool), map[string]any{"tenantId": pool.TenantID}
	switch {
	case pool.DeploymentSiteRtID != "":
		spec["deploymentSiteRtId"] = pool.DeploymentSiteRtID
	case pool.PoolRtID != "":
		spec["poolRtId"] = pool.PoolRtID
	default:
		setIf(spec, "communicationControllerUri", ps.settings.ControllerURI)
		setIf(spec, "ignoreCertificateValidation", ps.settings.IgnoreCertificates)
		setIf(spec, "brokerHost", ps.settings.Broker.Host)
		setIf(spec, "brokerVirtualHost", ps.settings.Broker.VirtualHost)
		setIf(spec, "brokerPort", ps.settings.Broker.Port)
		setIf(spec, "instancePrefix", ps.settings.InstancePrefix)
		maps.DeleteFunc(spec, func(field string, _ any) bool { return !fields[field] })
		spec["tenantId"], spec["poolName"] = pool.TenantID, pool.PoolName
	}
	return manifest(kind.APIVersion, kind.Kind, name, ps.settings.PoolNamespace, poolLabels(pool), nil, map[string]any{"spec": spec})
}

// setIf sets what is set: a zero value is none.
func setIf[T comparable](m map[string]any, key string, value T) {
	var zero T
	if value != zero {
		m[key] = value
	}
}
