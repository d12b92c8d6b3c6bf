package release

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"octo-operator/config"
	"octo-operator/dev/fixtures"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

func TestTheValuesDocumentHasEveryLayer(t *testing.T) {
	for _, test := range []struct{ name, environ, event string }{
		{"no-settings", "OPERATOR__STATEDIR=/state", `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadName":"Shop"}`},
		{"every-setting", fixtures.EverySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadName":"Shop","workloadType":1,
			"receivesClusterSecrets":true,"ingressEnabled":true,"hostname":"shop.example","valuesYaml":"instancePrefix: mine\nreplicaCount: 3\n",
			"values":[{"path":"replicaCount","value":"5"},{"path":"a.b[0].c","value":"x"},{"path":"apiKey","value":"planted","isSecret":true}]}`},
		{"adapter-pool-gets-no-cluster-secrets", fixtures.EverySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadType":2,"receivesClusterSecrets":true}`},
		{"hibernated", fixtures.EverySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","hibernated":true,"valuesYaml":"replicaCount: 3"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := fixtures.Settings(t, test.environ)
			w, err := hub.Decode[hub.WorkloadDeployed](json.RawMessage(test.event))
			if err != nil {
				t.Fatal(err)
			}
			r, err := names.ReleaseOf(settings, w.Workload)
			if err != nil {
				t.Fatal(err)
			}
			document, err := merge.Document(Layers(settings, w, r, charts.Chart{}))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range append(Secrets(settings, w), "planted") {
				if secret != "" && strings.Contains(string(document.YAML), secret) {
					t.Errorf("the document holds the secret %s", secret)
				}
			}
			fixtures.Golden(t, test.name+".yaml", document.YAML)
		})
	}
}

// A chart makes a Secret of it, and restarts pods when that changes. The reference operator gives it as it is.
func TestTheRootCertificateIsGivenToChartsAsItIs(t *testing.T) {
	const pem = "-----BEGIN CERTIFICATE-----\nplanted\n-----END CERTIFICATE-----\n"
	for _, o := range injected(config.Config{RootCACertificate: pem}, hub.WorkloadDeployed{}) {
		if o.Path == "secrets.rootCa" && o.Value == pem && !o.Secret {
			return
		}
	}
	t.Error("it is another one, or missing")
}

func TestSomeSecretsAreForTheChartsThatReadThem(t *testing.T) {
	const ocr, token, rabbit = "secrets.ironOcrLicenseKey", "secrets.dash0WebAuthToken", "secrets.rabbitmq"
	settings := fixtures.Settings(t, fixtures.EverySetting)
	for _, test := range []struct {
		chart, values string
		want          []string
	}{
		{"octo-mesh-adapter", "", []string{ocr, rabbit}},
		{"octo-loxone-adapter", "secrets: {rabbitmq: ''}", []string{rabbit}},
		{"octo-mesh-adapter-2", "", []string{rabbit}},
		{"meshmakers-app", "", []string{token, rabbit}},
		{"energy-community-app", "", []string{token, rabbit}},
		{"a-landing-page", "secrets: {dash0WebAuthToken: ''}", []string{token, rabbit}},
	} {
		w := hub.WorkloadDeployed{ChartName: test.chart, Workload: hub.Workload{
			Pool: hub.Pool{TenantID: "acme", PoolRtID: "65d5c447b420da3fb12381bc"}, WorkloadRtID: "65d5c447b420da3fb12381bd",
		}}
		document, err := merge.Document(Layers(settings, w, names.Release{Name: "acme-x"}, charts.Chart{Values: []byte(test.values)}))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(test.want)
		if got := slices.Sorted(maps.Keys(document.Secrets)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.chart, got, test.want)
		}
	}
}
