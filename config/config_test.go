package config

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// certificate is a PEM certificate. Nobody's.
func certificate(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return pemOf(server.Certificate())
}

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	want := Config{
		PoolNamespace: "octo", PoolRetrySeconds: 30, StateDir: "/var/lib/octo-operator", Concurrency: 4, KeepRuns: 100, ShutdownGrace: 10 * time.Second, ClusterJournal: true, FailFast: true,
		KeepFailedRuns: Hours(24 * time.Hour), LogFormat: "text", LogLevel: "info", HTTPAddress: ":5000",
		Helm: Helm{Timeout: 5 * time.Minute},
	}
	if diff := cmp.Diff(want, load(t)); diff != "" {
		t.Error(diff)
	}
}

var yes = true

// settings are all that there are: one value each, and where it must end up.
var settings = []struct {
	name, value string
	got         func(Config) any
	want        any
}{
	{"OPERATOR__AUTOMANAGEPOOLS", "True", func(c Config) any { return c.AutoManagePools }, true},
	{"OPERATOR__AUTOMANAGEDEPLOYMENTSITES", "true", func(c Config) any { return c.AutoManagePools }, true},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI", "https://x:1", func(c Config) any { return c.ControllerURI }, "https://x:1"},
	{"OPERATOR__WORKLOADCOMMUNICATIONCONTROLLERURI", "x", func(c Config) any { return c.WorkloadControllerURI }, "x"},
	{"OPERATOR__POOLNAMESPACE", "x", func(c Config) any { return c.PoolNamespace }, "x"},
	{"OPERATOR__DEPLOYMENTSITENAMESPACE", "x", func(c Config) any { return c.PoolNamespace }, "x"},
	{"OPERATOR__PLATFORMNAMESPACE", "x", func(c Config) any { return c.PlatformNamespace }, "x"},
	{"OPERATOR__WATCHNAMESPACE", "x", func(c Config) any { return c.WatchNamespace }, "x"},
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS", "7", func(c Config) any { return c.PoolRetrySeconds }, 7},
	{"OPERATOR__INSTANCEPREFIX", "x", func(c Config) any { return c.InstancePrefix }, "x"},
	{"OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION", "true", func(c Config) any { return c.IgnoreCertificates }, true},
	{"OPERATOR__IMAGEPULLSECRETNAME", "x", func(c Config) any { return c.ImagePullSecretName }, "x"},
	{"OPERATOR__IMAGEREGISTRY", "x", func(c Config) any { return c.ImageRegistry }, "x"},
	{"OPERATOR__REPORTINGSERVICEURI", "x", func(c Config) any { return c.ReportingServiceURI }, "x"},
	{"OPERATOR__AUTHURI", "x", func(c Config) any { return c.AuthURI }, "x"},
	{"OPERATOR__ADDITIONALVALIDISSUERS__0", "x", func(c Config) any { return c.AdditionalValidIssuers }, []string{"x"}},
	{"OPERATOR__BROKERHOST", "x", func(c Config) any { return c.Broker.Host }, "x"},
	{"OPERATOR__BROKERVIRTUALHOST", "/x", func(c Config) any { return c.Broker.VirtualHost }, "/x"},
	{"OPERATOR__BROKERPORT", "5672", func(c Config) any { return c.Broker.Port }, 5672},
	{"OPERATOR__BROKERUSER", "x", func(c Config) any { return c.Broker.User }, "x"},
	{"OPERATOR__BROKERPASSWORD", "a=b,c", func(c Config) any { return c.Broker.Password }, "a=b,c"},
	{"OPERATOR__CLUSTERDEPENDENCIES__MONGODBHOST", "x", func(c Config) any { return c.ClusterDependencies.MongoDBHost }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__MONGODBREPLICASET", "x", func(c Config) any { return c.ClusterDependencies.MongoDBReplicaSet }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__RABBITMQHOST", "x", func(c Config) any { return c.ClusterDependencies.RabbitMQHost }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__RABBITMQUSER", "x", func(c Config) any { return c.ClusterDependencies.RabbitMQUser }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAHOST", "x", func(c Config) any { return c.ClusterDependencies.StreamDataHost }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAUSER", "x", func(c Config) any { return c.ClusterDependencies.StreamDataUser }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__SYSTEMDATABASENAME", "x", func(c Config) any { return c.ClusterDependencies.SystemDatabaseName }, "x"},
	{"OPERATOR__CLUSTERDEPENDENCIES__STREAMDATASCHEMAINSTANCEPREFIX", "x",
		func(c Config) any { return c.ClusterDependencies.StreamDataSchemaInstancePrefix }, "x"},
	{"OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD", "x", func(c Config) any { return c.ClusterSecrets.MongoDBUserPassword }, "x"},
	{"OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD", "x", func(c Config) any { return c.ClusterSecrets.MongoDBAdminPassword }, "x"},
	{"OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD", "x", func(c Config) any { return c.ClusterSecrets.StreamDataPassword }, "x"},
	{"OPERATOR__INGRESS__CLASSNAME", "x", func(c Config) any { return c.Ingress.ClassName }, "x"},
	{"OPERATOR__INGRESS__CLUSTERISSUER", "x", func(c Config) any { return c.Ingress.ClusterIssuer }, "x"},
	{"OPERATOR__INGRESS__TLS", "true", func(c Config) any { return c.Ingress.TLS }, &yes},
	{"OPERATOR__INGRESS__ANNOTATIONS__0__NAME", "X/y", func(c Config) any { return c.Ingress.Annotations }, []Annotation{{Name: "X/y"}}},
	{"OPERATOR__HELM__FORCECONFLICTS", "true", func(c Config) any { return c.Helm.ForceConflicts }, true},
	{"OPERATOR__HELM__TIMEOUT", "90s", func(c Config) any { return c.Helm.Timeout }, 90 * time.Second},
	{"OPERATOR__HELM__PLAINHTTP", "1", func(c Config) any { return c.Helm.PlainHTTP }, true},
	{"OPERATOR__STATEDIR", "/x", func(c Config) any { return c.StateDir }, "/x"},
	{"OPERATOR__SCRIPTSDIR", "/x", func(c Config) any { return c.ScriptsDir }, "/x"},
	{"OPERATOR__SHUTDOWNGRACE", "30s", func(c Config) any { return c.ShutdownGrace }, 30 * time.Second},
	{"OPERATOR__CLUSTERJOURNAL", "false", func(c Config) any { return c.ClusterJournal }, false},
	{"OPERATOR__FAILFAST", "false", func(c Config) any { return c.FailFast }, false},
	{"OPERATOR__SCRIPTDEADLINE", "90s", func(c Config) any { return c.ScriptDeadline }, 90 * time.Second},
	{"OPERATOR__CONCURRENCY", "9", func(c Config) any { return c.Concurrency }, 9},
	{"OPERATOR__KEEPRUNS", "0", func(c Config) any { return c.KeepRuns }, 0},
	{"OPERATOR__KEEPFAILEDHOURS", "2", func(c Config) any { return time.Duration(c.KeepFailedRuns) }, 2 * time.Hour},
	{"OPERATOR__LOGFORMAT", "json", func(c Config) any { return c.LogFormat }, "json"},
	{"OPERATOR__LOGLEVEL", "debug", func(c Config) any { return c.LogLevel }, "debug"},
	{"OPERATOR__INSECURESKIPVERIFY", "true", func(c Config) any { return c.InsecureTLS }, true},
	{"KESTREL__ENDPOINTS__HTTP__URL", "http://+:8080", func(c Config) any { return c.HTTPAddress }, ":8080"},
	{"KESTREL__ENDPOINTS__HTTPS__URL", "https://+:8443", func(c Config) any { return c.HTTPS.Address }, ":8443"},
	{"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH", "/x", func(c Config) any { return c.HTTPS.CertificateFile }, "/x"},
	{"KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH", "/x", func(c Config) any { return c.HTTPS.KeyFile }, "/x"},
}

func TestEverySettingIsRead(t *testing.T) {
	for _, s := range settings {
		for _, name := range []string{s.name, strings.ToLower(s.name), mixedCase(s.name)} {
			if diff := cmp.Diff(s.want, s.got(load(t, name+"="+s.value))); diff != "" {
				t.Errorf("%s=%s: %s", name, s.value, diff)
			}
		}
	}
}

func TestASettingChangesNoOther(t *testing.T) {
	for _, s := range settings {
		for _, other := range settings {
			if cmp.Diff(other.got(load(t)), other.got(load(t, s.name+"="+s.value))) != "" && aliasOf(s.name) != aliasOf(other.name) {
				t.Errorf("%s changes %s", s.name, other.name)
			}
		}
	}
}

func TestTheRootCertificateIsRead(t *testing.T) {
	root := certificate(t)
	c := load(t, "OPERATOR__ROOTCACERTIFICATE="+root)
	if c.RootCACertificate != root {
		t.Errorf("got %q", c.RootCACertificate)
	}
}

func TestAnEmptyVariableIsNone(t *testing.T) {
	var environ []string
	for _, s := range settings {
		if !strings.Contains(s.name, "__0") {
			environ = append(environ, s.name+"=")
		}
	}
	if diff := cmp.Diff(load(t), load(t, environ...)); diff != "" {
		t.Error(diff)
	}
}

func TestTheOwnNameWinsOverItsAlias(t *testing.T) {
	c := load(t, "OPERATOR__DEPLOYMENTSITENAMESPACE=alias", "OPERATOR__POOLNAMESPACE=own",
		"OPERATOR__AUTOMANAGEDEPLOYMENTSITES=true", "OPERATOR__AUTOMANAGEPOOLS=false")
	if c.PoolNamespace != "own" || c.AutoManagePools {
		t.Errorf("got %q, %v", c.PoolNamespace, c.AutoManagePools)
	}
}

func TestListsAreReadInTheOrderOfTheirNumbers(t *testing.T) {
	var environ, issuers []string
	var annotations []Annotation
	for _, i := range []string{"10", "2", "0", "11", "1", "9", "3", "4", "8", "5", "7", "6"} {
		environ = append(environ, "OPERATOR__ADDITIONALVALIDISSUERS__"+i+"=https://issuer/"+i,
			"OPERATOR__INGRESS__ANNOTATIONS__"+i+"__NAME=example.com/"+i, "operator__ingress__annotations__"+i+"__value=v"+i)
	}
	for _, i := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		issuers = append(issuers, "https://issuer/"+i)
		annotations = append(annotations, Annotation{"example.com/" + i, "v" + i})
	}
	c := load(t, environ...)
	if diff := cmp.Diff(issuers, c.AdditionalValidIssuers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(annotations, c.Ingress.Annotations); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreAllThatIsSecret(t *testing.T) {
	c := load(t, "OPERATOR__BROKERPASSWORD=1", "OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD=2",
		"OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD=3", "OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD=4")
	for _, secret := range []string{"1", "2", "3", "4"} {
		if !slices.Contains(c.Secrets(), secret) {
			t.Errorf("%q lacks %s", c.Secrets(), secret)
		}
	}
}
