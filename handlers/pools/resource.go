package pools

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// AwaitOld is an error if the resource of that name is another pool's, and while the pool's own is being deleted: the API server
// would take a change of it, and it would go all the same. One that is there and stays registers the pool again.
func (ps *Pools) AwaitOld(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string) (there bool, err error) {
	if err := t.TakeSlot(ctx); err != nil {
		return false, err
	}
	old, err := ps.Kubectl.Pool(ctx, Kind(pool), ps.Settings.PoolNamespace, name)
	switch {
	case kube.Denied(err): // a script of the environment's own may have other rights
		t.Log.Debug("not known whether the pool has an old resource", "reason", err)
	case err != nil:
		return false, err
	case names.PoolProof(old, pool).Verdict == names.OfAnother:
		return false, anotherPoolError(*old, pool)
	case old != nil && old.Deleting:
		return false, &stillDeletingError{*old}
	case old != nil:
		ps.redeployed(old.UID)
	}
	return names.PoolProof(old, pool).Verdict == names.OfThis, nil
}

// Write writes what is to be applied. there: the pool has a resource of that name.
func (ps *Pools) Write(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, there bool) error {
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
	if ps.Settings.Broker.User == "" && ps.Settings.Broker.Password == "" {
		t.Log.Warn("no broker secret for the pool: OPERATOR__BROKERUSER and OPERATOR__BROKERPASSWORD are not set")
		return nil
	}
	if err := ps.checkBrokerSecret(ctx, t, pool, name, there); err != nil {
		return err
	}
	secret, err := kube.SecretManifest(names.BrokerSecret(name), ps.Settings.PoolNamespace, names.PoolLabels(pool), map[string]string{names.TenantIDAnnotation: pool.TenantID}, map[string]string{
		"brokerusername": ps.Settings.Broker.User, "brokerpassword": ps.Settings.Broker.Password,
	})
	if err != nil {
		return err
	}
	return t.Write("secret.yaml", secret)
}

// poolFields are the settings that a pool's resource can carry: nothing else is taken by the API server. In G1 each version of the
// official CustomResourceDefinition has others, later none has any. Who the pool is, all have.
func (ps *Pools) poolFields(ctx context.Context, pool hub.Pool) (map[string]bool, error) {
	if !pool.Named() {
		return nil, nil
	}
	return ps.Kubectl.PoolFields(ctx, Kind(pool))
}

// poolResource is the pool's custom resource. Only in G1 it carries settings, those of fields: later the operator's own do.
func (ps *Pools) poolResource(pool hub.Pool, name string, fields map[string]bool) ([]byte, error) {
	kind, spec := Kind(pool), map[string]any{"tenantId": pool.TenantID}
	switch {
	case pool.DeploymentSiteRtID != "":
		spec["deploymentSiteRtId"] = pool.DeploymentSiteRtID
	case pool.PoolRtID != "":
		spec["poolRtId"] = pool.PoolRtID
	default:
		spec = map[string]any{
			"communicationControllerUri":  ps.Settings.ControllerURI,
			"ignoreCertificateValidation": ps.Settings.IgnoreCertificates,
			"brokerHost":                  ps.Settings.Broker.Host,
			"brokerVirtualHost":           ps.Settings.Broker.VirtualHost,
			"brokerPort":                  ps.Settings.Broker.Port,
			"instancePrefix":              ps.Settings.InstancePrefix,
		}
		maps.DeleteFunc(spec, func(field string, value any) bool { return !fields[field] || reflect.ValueOf(value).IsZero() })
		spec["tenantId"], spec["poolName"] = pool.TenantID, pool.PoolName
	}
	return kube.Manifest(kind.APIVersion, kind.Kind, name, ps.Settings.PoolNamespace, names.PoolLabels(pool), nil, map[string]any{"spec": spec})
}

// Remove lets the script remove what is there under a name and is the pool's.
func (ps *Pools) Remove(ctx context.Context, t *dispatch.Task, pool hub.Pool, name string, kinds []kube.PoolKind) error {
	done, err := ps.Alone(ctx, t, name)
	if err != nil {
		return err
	}
	defer done()
	resources, secret, err := ps.undeployable(ctx, t, pool, name, kinds)
	if err != nil {
		return fmt.Errorf("cannot undeploy the pool: %w", err)
	}
	return t.Script(ctx, scripts.PoolUndeploy, map[string]string{
		"TENANT": pool.TenantID, "POOL": name, "POOL_RESOURCE": strings.Join(resources, ","),
		"NAMESPACE": ps.Settings.PoolNamespace, "SECRET": secret,
	})
}
