package e2e

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// officialValues has every key of the official chart 0.9.0.
const officialValues = `
octo-mesh-crds: {enabled: false}
configMap: {kestrelHttpUrl: "http://0.0.0.0:5000", kestrelHttpsUrl: "https://0.0.0.0:5001", certKeyPath: /certs/svc-key.pem, certPath: /certs/svc.pem}
replicaCount: 1
serviceHooks: {caKey: "", caCrt: "", svcKey: "", svcCrt: ""}
pod: {httpPort: 5000, httpsPort: 5001}
image: {repository: meshmakers/octo-communication-operator, pullPolicy: IfNotPresent, privateRegistry: "", tag: ""}
secrets: {rootCa: a certificate}
imagePullSecrets: []
nameOverride: ""
fullnameOverride: communication-operator
adapterImagePullSecretName: pull
rbac: {scope: cluster}
operator:
  autoManagePools: true
  watchNamespace: octo
  communicationControllerUri: https://controller
  poolNamespace: octo
  defaultPoolName: default
  instancePrefix: prefix
  adapterIgnoreCertificateValidation: true
  reportingServiceUri: https://reporting
  imageRegistry: registry
  clusterDependencies: {mongodbHost: mongo, mongodbReplicaSet: rs0, rabbitMqHost: rabbit, rabbitMqUser: user, streamDataHost: crate, streamDataUser: reader}
  ingress: {className: nginx, clusterIssuer: issuer, tls: true, annotations: {a.example/b: "1", c: d}}
  clusterSecrets: {mongodbUserPassword: one, mongodbAdminPassword: two, streamDataPassword: three}
broker: {host: rabbitmq, virtualHost: /, port: 5672, username: octo, password: four}
podAnnotations: {}
podLabels: {}
podSecurityContext: {}
securityContext: {}
service: {type: ClusterIP, port: 443}
resources: {limits: {cpu: 500m, memory: 512Mi}, requests: {cpu: 100m, memory: 256Mi}}
livenessProbe: {httpGet: {path: /health/live, port: http}, initialDelaySeconds: 30, timeoutSeconds: 1}
readinessProbe: {httpGet: {path: /health/ready, port: http}, initialDelaySeconds: 15, timeoutSeconds: 1}
autoscaling: {enabled: false, minReplicas: 1, maxReplicas: 100, targetCPUUtilizationPercentage: 80}
volumes: []
volumeMounts: []
nodeSelector: {}
tolerations: []
affinity: {}
`

// officialEnvironment is what the official chart gives its operator for these values, apart from what is listed below.
var officialEnvironment = []string{
	"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH=/certs/svc-key.pem",
	"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH=/certs/svc.pem",
	"KESTREL__ENDPOINTS__HTTPS__URL=https://0.0.0.0:5001",
	"KESTREL__ENDPOINTS__HTTP__URL=http://0.0.0.0:5000",
	"OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION=true",
	"OPERATOR__AUTOMANAGEPOOLS=true",
	"OPERATOR__BROKERHOST=rabbitmq",
	"OPERATOR__BROKERPASSWORD=four",
	"OPERATOR__BROKERPORT=5672",
	"OPERATOR__BROKERUSER=octo",
	"OPERATOR__BROKERVIRTUALHOST=/",
	"OPERATOR__CLUSTERDEPENDENCIES__MONGODBHOST=mongo",
	"OPERATOR__CLUSTERDEPENDENCIES__MONGODBREPLICASET=rs0",
	"OPERATOR__CLUSTERDEPENDENCIES__RABBITMQHOST=rabbit",
	"OPERATOR__CLUSTERDEPENDENCIES__RABBITMQUSER=user",
	"OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAHOST=crate",
	"OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAUSER=reader",
	"OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD=two",
	"OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD=one",
	"OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD=three",
	"OPERATOR__COMMUNICATIONCONTROLLERURI=https://controller",
	"OPERATOR__IMAGEPULLSECRETNAME=pull",
	"OPERATOR__IMAGEREGISTRY=registry",
	"OPERATOR__INGRESS__ANNOTATIONS__0__NAME=a.example/b",
	"OPERATOR__INGRESS__ANNOTATIONS__0__VALUE=1",
	"OPERATOR__INGRESS__ANNOTATIONS__1__NAME=c",
	"OPERATOR__INGRESS__ANNOTATIONS__1__VALUE=d",
	"OPERATOR__INGRESS__CLASSNAME=nginx",
	"OPERATOR__INGRESS__CLUSTERISSUER=issuer",
	"OPERATOR__INGRESS__TLS=true",
	"OPERATOR__INSTANCEPREFIX=prefix",
	"OPERATOR__POOLNAMESPACE=octo",
	"OPERATOR__REPORTINGSERVICEURI=https://reporting",
	"OPERATOR__ROOTCACERTIFICATE=a certificate",
	"OPERATOR__WATCHNAMESPACE=octo",
	// It also has POD_NAMESPACE, for the reference operator's leader election, and OPERATOR__DEFAULTPOOLNAME, which no generation uses
	// any more. This chart has
	"OPERATOR__SHUTDOWNGRACE=30s",
}

func TestAValuesFileOfTheOfficialChartGivesTheOperatorTheSameSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(officialValues), 0o600); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(officialEnvironment))
	if diff := gocmp.Diff(want, renderedEnvironment(t, file)); diff != "" {
		t.Errorf("(-official +this):\n%s", diff)
	}
}

// The operator accepts a setting from a file or from the environment, not from both.
func TestWhatIsSetByHandTakesThePlaceOfASecretsFile(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"OPERATOR__BROKERPASSWORD", "OPERATOR__BROKERPASSWORD__FILE"} {
		out := render(t, "helm", "--set", "broker.password=four,extraEnv[0].name="+by+",extraEnv[0].value=/by/hand")
		if strings.Count(out, "name: OPERATOR__BROKERPASSWORD") != 1 || strings.Contains(out, "mountPath: /secrets") || !strings.Contains(out, "value: /by/hand") {
			t.Errorf("%s:\n%s", by, out)
		}
	}
}

func TestValuesThatCannotWorkAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, want string }{
		{"operator.autoManagePool=true", "additional properties 'autoManagePool' not allowed"},
		{"operator.allowedRepositories[0]=charts.example.com", "'charts.example.com' does not match pattern"},
		{"brokr.host=x", "additional properties 'brokr' not allowed"},
		{"rbac.scope=Namespace", "value must be one of 'cluster', 'namespace'"},
		{"settings.OPERATOR__LOGLEVEL=debug", "invalid propertyName 'OPERATOR__LOGLEVEL'"},
		{"serviceHooks.failurePolicy=ignore", "value must be one of 'Ignore', 'Fail'"},
		{"operator.autoManagePools=true", "operator.autoManagePools needs operator.communicationControllerUri"},
		{"serviceHooks.svcCrt=x", "serviceHooks.caCrt, svcCrt and svcKey go together: one of them is not set"},
	} {
		out, err := osexec.Command("helm", append(slices.Clone(renderedRelease), "--set", test.values)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, want %q in\n%s", test.values, err, test.want, out)
		}
	}
}
