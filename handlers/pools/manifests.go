package pools

import (
	"maps"
	"reflect"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// resourceManifest is the pool's custom resource as YAML. fields are those of settings that it may have, which counts in G1 alone: later the
// resource says which pool it is, and no more.
func resourceManifest(settings config.Config, pool hub.Pool, name string, fields map[string]bool) ([]byte, error) {
	kind, spec := Kind(pool), map[string]any{"tenantId": pool.TenantID}
	switch {
	case pool.DeploymentSiteRtID != "":
		spec["deploymentSiteRtId"] = pool.DeploymentSiteRtID
	case pool.PoolRtID != "":
		spec["poolRtId"] = pool.PoolRtID
	default:
		spec = map[string]any{
			"communicationControllerUri":  settings.ControllerURI,
			"ignoreCertificateValidation": settings.IgnoreCertificates,
			"brokerHost":                  settings.Broker.Host,
			"brokerVirtualHost":           settings.Broker.VirtualHost,
			"brokerPort":                  settings.Broker.Port,
			"instancePrefix":              settings.InstancePrefix,
		}
		maps.DeleteFunc(spec, func(field string, value any) bool { return !fields[field] || reflect.ValueOf(value).IsZero() })
		spec["tenantId"], spec["poolName"] = pool.TenantID, pool.PoolName
	}
	return kube.Manifest(kind.APIVersion, kind.Kind, name, settings.PoolNamespace, names.PoolLabels(pool), nil, map[string]any{"spec": spec})
}

// brokerSecretManifest is the Secret, as YAML, by which the pool's workloads log in to the broker. name is the resource's.
func brokerSecretManifest(settings config.Config, pool hub.Pool, name string) ([]byte, error) {
	annotations := map[string]string{names.TenantIDAnnotation: pool.TenantID}
	return kube.SecretManifest(names.BrokerSecret(name), settings.PoolNamespace, names.PoolLabels(pool), annotations, map[string]string{
		"brokerusername": settings.Broker.User, "brokerpassword": settings.Broker.Password,
	})
}
