package handlers

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/merge"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with testdata/NAME, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs (run with -update to accept):\n%s", name, got)
	}
}

// everySetting is what a fully configured operator has.
const everySetting = `OPERATOR__COMMUNICATIONCONTROLLERURI=https://controller.example
OPERATOR__WORKLOADCOMMUNICATIONCONTROLLERURI=http://controller.octo
OPERATOR__INSTANCEPREFIX=octo
OPERATOR__IMAGEREGISTRY=registry.example/octo
OPERATOR__REPORTINGSERVICEURI=https://reporting.example
OPERATOR__AUTHURI=https://auth.example
OPERATOR__ADDITIONALVALIDISSUERS__0=https://issuer-0.example
OPERATOR__ADDITIONALVALIDISSUERS__1=https://issuer-1.example
OPERATOR__BROKERHOST=rabbitmq
OPERATOR__BROKERVIRTUALHOST=/
OPERATOR__BROKERPORT=5672
OPERATOR__BROKERUSER=octo
OPERATOR__BROKERPASSWORD=broker-secret
OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION=true
OPERATOR__CLUSTERDEPENDENCIES__MONGODBHOST=mongo
OPERATOR__CLUSTERDEPENDENCIES__MONGODBREPLICASET=rs0
OPERATOR__CLUSTERDEPENDENCIES__RABBITMQHOST=rabbitmq
OPERATOR__CLUSTERDEPENDENCIES__RABBITMQUSER=octo
OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAHOST=crate
OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAUSER=crate-user
OPERATOR__CLUSTERDEPENDENCIES__SYSTEMDATABASENAME=OctoSystem
OPERATOR__CLUSTERDEPENDENCIES__STREAMDATASCHEMAINSTANCEPREFIX=octo_
OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD=mongo-user-secret
OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD=mongo-admin-secret
OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD=stream-secret
OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__k2=ring-key-two
OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__K1=ring-key-one
OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONACTIVEKEYID=k2
OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONLEGACYV1KEY=ring-key-legacy
OPERATOR__IRONOCRLICENSEKEY=ocr-license-key
OPERATOR__DASH0__ENDPOINT=https://ingress.dash0.example
OPERATOR__DASH0__DATASET=prod-1
OPERATOR__DASH0__ENVIRONMENT=prod
OPERATOR__DASH0WEBAUTHTOKEN=web-auth-token
OPERATOR__INGRESS__CLASSNAME=nginx
OPERATOR__INGRESS__CLUSTERISSUER=letsencrypt
OPERATOR__INGRESS__TLS=true
OPERATOR__INGRESS__ANNOTATIONS__0__NAME=example/size
OPERATOR__INGRESS__ANNOTATIONS__0__VALUE=8m
OPERATOR__STATEDIR=/state`

func settings(t testing.TB, environ string) config.Config {
	t.Helper()
	s, err := config.Load(strings.Split(environ, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheValuesDocumentHasEveryLayer(t *testing.T) {
	for _, test := range []struct{ name, environ, event string }{
		{"no-settings", "OPERATOR__STATEDIR=/state", `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadName":"Shop"}`},
		{"every-setting", everySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadName":"Shop","workloadType":1,
			"receivesClusterSecrets":true,"ingressEnabled":true,"hostname":"shop.example","valuesYaml":"instancePrefix: mine\nreplicaCount: 3\n",
			"values":[{"path":"replicaCount","value":"5"},{"path":"a.b[0].c","value":"x"},{"path":"apiKey","value":"planted","isSecret":true}]}`},
		{"adapter-pool-gets-no-cluster-secrets", everySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","workloadType":2,"receivesClusterSecrets":true}`},
		{"hibernated", everySetting, `{"tenantId":"acme","poolRtId":"p","workloadRtId":"65d5c447b420da3fb12381bc","hibernated":true,"valuesYaml":"replicaCount: 3"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &releases{settings: settings(t, test.environ)}
			w, err := hub.Decode[hub.WorkloadDeployed](json.RawMessage(test.event))
			if err != nil {
				t.Fatal(err)
			}
			r, err := releaseOf(h.settings, w.Workload)
			if err != nil {
				t.Fatal(err)
			}
			document, err := merge.Document(h.layers(w, r, chart{}, chooseReplicas(w, chart{}, installed{}).value))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range append(h.secretsOf(w), "planted") {
				if secret != "" && strings.Contains(string(document.YAML), secret) {
					t.Errorf("the document holds the secret %s", secret)
				}
			}
			golden(t, test.name+".yaml", document.YAML)
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
	h := &releases{settings: settings(t, everySetting)}
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
		document, err := merge.Document(h.layers(w, release{name: "acme-x"}, chart{values: []byte(test.values)}, ""))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(test.want)
		if got := slices.Sorted(maps.Keys(document.Secrets)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.chart, got, test.want)
		}
	}
}
