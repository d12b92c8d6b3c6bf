package pools

import (
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/hub"
)

// The API server takes no field that its CustomResourceDefinition does not have. These are the official chart's, in the order in
// which they were published.
func TestAPoolsResourceHasWhatTheInstalledDefinitionKnows(t *testing.T) {
	byName, byID := hub.Pool{TenantID: "acme", PoolName: "Main Pool"}, hub.Pool{TenantID: "acme", PoolRtID: "65d5c447b420da3fb12381bc"}
	broker := []string{"tenantId", "poolName", "communicationControllerUri", "brokerHost", "brokerVirtualHost", "brokerPort", "brokerUserNameSecret"}
	settings := fixtures.Settings(t, fixtures.EverySetting)
	for _, test := range []struct {
		name   string
		pool   hub.Pool
		fields []string
	}{
		{"pool-of-2024-08-12", byName, broker},
		{"pool-of-2024-08-27", byName, append([]string{"ignoreCertificateValidation"}, broker...)},
		{"pool-of-2025-11-13", byName, append([]string{"ignoreCertificateValidation", "instancePrefix"}, broker...)},
		{"pool-of-2026-05-20", byName, []string{"tenantId", "poolName"}},
		{"pool-of-2026-05-23", byName, []string{"tenantId", "poolName", "poolRtId"}},
		{"pool-of-2026-05-23-by-id", byID, []string{"tenantId", "poolName", "poolRtId"}},
		{"pool-of-2026-05-26", byID, []string{"tenantId", "poolRtId"}},
		{"pool-of-an-unknown-definition", byName, nil},
		{"site", hub.Pool{TenantID: "acme", DeploymentSiteRtID: byID.PoolRtID}, nil},
	} {
		fields := map[string]bool{}
		for _, f := range test.fields {
			fields[f] = true
		}
		resource, err := resourceManifest(settings, test.pool, "acme-pool", fields)
		if err != nil {
			t.Fatal(err)
		}
		fixtures.Golden(t, test.name+".yaml", resource)
	}
}
