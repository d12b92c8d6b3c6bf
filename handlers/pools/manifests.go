package pools

import (
	"maps"
	"reflect"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// resourceManifest is the pool's custom resource as YAML. Only in G1 it has settings, of those that fields allows: later the operator's own
// settings count.
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
