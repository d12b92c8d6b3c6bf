package config

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// certificate is a PEM certificate that nobody uses.
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

func wantWarning(t *testing.T, c Config, parts ...string) {
	t.Helper()
	for _, warning := range c.Warnings {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(warning, part)
		}
		if found {
			return
		}
	}
	t.Errorf("none of the warnings %q says %q", c.Warnings, parts)
}

func TestDefaults(t *testing.T) {
	want := Config{
		PoolNamespace: "octo", PoolRetrySeconds: 30, IndexMaxAge: 10 * time.Minute, KeepRuns: 100, MaxReplicas: 100, ShutdownGrace: 10 * time.Second, ClusterJournal: true, FailFast: true,
		KeepFailedRuns: 24 * time.Hour, LogFormat: "text", LogLevel: "info", HTTPAddress: ":5000", StatusPage: "127.0.0.1:5002",
		Traces:         Traces{Exporter: "otlp", Protocol: "http/protobuf", Compression: "none", Timeout: 10000},
		ScriptFileSize: 128 << 20, ScriptOutput: 16 << 20, Helm: Helm{Timeout: 5 * time.Minute},
	}
	if diff := cmp.Diff(want, load(t)); diff != "" {
		t.Error(diff)
	}
}

var yes = true

// settings are all settings that have an effect, each with a value and the field in which it must end up.
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
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS", "2.5", func(c Config) any { return c.PoolRetrySeconds }, 2.5},
	{"OPERATOR__DEPLOYMENTSITEREGISTRATIONRETRYSECONDS", "7", func(c Config) any { return c.PoolRetrySeconds }, 7.0},
	{"OPERATOR__AUTHENTICATION__ISSUERURI", "https://x", func(c Config) any { return c.Authentication.IssuerURI }, "https://x"},
	{"OPERATOR__AUTHENTICATION__CLIENTID", "x", func(c Config) any { return c.Authentication.ClientID }, "x"},
	{"OPERATOR__AUTHENTICATION__CLIENTSECRET", "x", func(c Config) any { return c.Authentication.ClientSecret }, "x"},
	{"OPERATOR__AUTHENTICATION__TENANTID", "x", func(c Config) any { return c.Authentication.TenantID }, "x"},
	{"OPERATOR__ROOTCACERTIFICATE", "x", func(c Config) any { return c.RootCACertificate }, "x"},
	{"OPERATOR__INSTANCEPREFIX", "x", func(c Config) any { return c.InstancePrefix }, "x"},
	{"OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION", "true", func(c Config) any { return c.IgnoreCertificates }, true},
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
	{"OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONACTIVEKEYID", "x", func(c Config) any { return c.ClusterSecrets.ActiveKeyID }, "x"},
	{"OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONLEGACYV1KEY", "x", func(c Config) any { return c.ClusterSecrets.LegacyV1Key }, "x"},
	{"OPERATOR__IRONOCRLICENSEKEY", "x", func(c Config) any { return c.IronOCRLicenseKey }, "x"},
	{"OPERATOR__DASH0__ENDPOINT", "x", func(c Config) any { return c.Dash0.Endpoint }, "x"},
	{"OPERATOR__DASH0__DATASET", "x", func(c Config) any { return c.Dash0.Dataset }, "x"},
	{"OPERATOR__DASH0__ENVIRONMENT", "x", func(c Config) any { return c.Dash0.Environment }, "x"},
	{"OPERATOR__DASH0WEBAUTHTOKEN", "x", func(c Config) any { return c.Dash0.WebAuthToken }, "x"},
	{"OPERATOR__INGRESS__CLASSNAME", "x", func(c Config) any { return c.Ingress.ClassName }, "x"},
	{"OPERATOR__INGRESS__CLUSTERISSUER", "x", func(c Config) any { return c.Ingress.ClusterIssuer }, "x"},
	{"OPERATOR__INGRESS__TLS", "true", func(c Config) any { return c.Ingress.TLS }, &yes},
	{"OPERATOR__HELM__FORCECONFLICTS", "true", func(c Config) any { return c.Helm.ForceConflicts }, true},
	{"OPERATOR__HELM__TIMEOUT", "90s", func(c Config) any { return c.Helm.Timeout }, 90 * time.Second},
	{"OPERATOR__HELM__PLAINHTTP", "1", func(c Config) any { return c.Helm.PlainHTTP }, true},
	{"OPERATOR__STATEDIR", "/x", func(c Config) any { return c.StateDir }, "/x"},
	{"OPERATOR__SCRIPTSDIR", "/x", func(c Config) any { return c.ScriptsDir }, "/x"},
	{"OPERATOR__SHUTDOWNGRACE", "30s", func(c Config) any { return c.ShutdownGrace }, 30 * time.Second},
	{"OPERATOR__CLUSTERJOURNAL", "false", func(c Config) any { return c.ClusterJournal }, false},
	{"OPERATOR__FAILFAST", "false", func(c Config) any { return c.FailFast }, false},
	{"OPERATOR__SCRIPTDEADLINE", "90s", func(c Config) any { return c.ScriptDeadline }, 90 * time.Second},
	{"OPERATOR__TENANTSERVICEACCOUNT", "x-{tenant}", func(c Config) any { return c.TenantAccount }, TenantAccount{Name: "x-{tenant}"}},
	{"OPERATOR__MAXREPLICAS", "7", func(c Config) any { return c.MaxReplicas }, 7},
	{"OPERATOR__CONCURRENCY", "9", func(c Config) any { return c.Concurrency }, 9},
	{"OPERATOR__SCRIPTMEMORY", "256Mi", func(c Config) any { return c.ScriptMemory }, new(Bytes(256 << 20))},
	{"OPERATOR__SCRIPTFILESIZE", "64Mi", func(c Config) any { return c.ScriptFileSize }, Bytes(64 << 20)},
	{"OPERATOR__SCRIPTOUTPUT", "0", func(c Config) any { return c.ScriptOutput }, Bytes(0)},
	{"OPERATOR__MEMORYLIMIT", " 512Mi ", func(c Config) any { return c.MemoryLimit }, Bytes(512 << 20)},
	{"OPERATOR__INDEXMAXAGE", "1m", func(c Config) any { return c.IndexMaxAge }, time.Minute},
	{"OPERATOR__KEEPRUNS", "0", func(c Config) any { return c.KeepRuns }, 0},
	{"OPERATOR__KEEPFAILEDHOURS", "2", func(c Config) any { return c.KeepFailedRuns }, 2 * time.Hour},
	{"OPERATOR__LOGFORMAT", "json", func(c Config) any { return c.LogFormat }, "json"},
	{"OPERATOR__LOGLEVEL", "debug", func(c Config) any { return c.LogLevel }, "debug"},
	{"OPERATOR__ALLOWPLAINCREDENTIALS", "true", func(c Config) any { return c.Repositories.PlainCredentials }, true},
	{"OPERATOR__AUTHENTICATION__INSECURESKIPVERIFY", "true", func(c Config) any { return c.Authentication.InsecureTLS }, true},
	{"OPERATOR__INSECURESKIPVERIFY", "true", func(c Config) any { return c.InsecureTLS }, true},
	{"OPERATOR__STATUSPAGE", "http://localhost:5003", func(c Config) any { return c.StatusPage }, "localhost:5003"},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:4318", func(c Config) any { return c.Traces.Endpoint }, "http://x:4318"},
	{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/y", func(c Config) any { return c.Traces.TracesURL }, "http://x/y"},
	{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b", func(c Config) any { return c.Traces.Headers }, "a=b"},
	{"OTEL_EXPORTER_OTLP_HEADERS", "a=b", func(c Config) any { return c.Traces.Headers }, "a=b"},
	{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", func(c Config) any { return c.Traces.Protocol }, "grpc"},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", func(c Config) any { return c.Traces.Protocol }, "grpc"},
	{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", func(c Config) any { return c.Traces.Compression }, "gzip"},
	{"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", func(c Config) any { return c.Traces.Compression }, "gzip"},
	{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/x", func(c Config) any { return c.Traces.Certificate }, "/x"},
	{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/x", func(c Config) any { return c.Traces.Certificate }, "/x"},
	{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "500", func(c Config) any { return c.Traces.Timeout }, 500},
	{"OTEL_EXPORTER_OTLP_TIMEOUT", "500", func(c Config) any { return c.Traces.Timeout }, 500},
	{"OTEL_TRACES_EXPORTER", "none", func(c Config) any { return c.Traces.Exporter }, "none"},
	{"OTEL_SDK_DISABLED", "true", func(c Config) any { return c.Traces.Disabled }, true},
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

func TestEveryRowOfTheTableIsReadOrIgnored(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range settings {
		tested[s.name] = true
	}
	all := table(&Config{})
	for i, s := range all {
		if called := i >= len(all)-len(ignored()); s.ignored() != called {
			t.Errorf("%s: it is called ignored (%v), and is (%v)", s.Name, called, s.ignored())
		}
		if strings.Contains(s.Name, "__n__") || strings.HasSuffix(s.Name, "__KEYID") || strings.HasSuffix(s.Name, "__n") || s.ignored() {
			continue // lists have tests of their own
		}
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			if !tested[name] {
				t.Errorf("%s has no line in settings", name)
			}
		}
		if s.Default != "" {
			if err := s.parse(s.Default); err != nil {
				t.Errorf("%s: its default: %v", s.Name, err)
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

func TestABlankVariableIsNone(t *testing.T) {
	for _, blank := range []string{"", " ", "\t\n"} {
		var environ []string
		for _, s := range settings {
			environ = append(environ, s.name+"="+blank)
		}
		if diff := cmp.Diff(load(t), load(t, environ...)); diff != "" {
			t.Errorf("%q: %s", blank, diff)
		}
	}
}

func TestTheOwnNameWinsOverItsAlias(t *testing.T) {
	c := load(t, "OPERATOR__DEPLOYMENTSITENAMESPACE=alias", "OPERATOR__POOLNAMESPACE=own",
		"OPERATOR__AUTOMANAGEDEPLOYMENTSITES=true", "OPERATOR__AUTOMANAGEPOOLS=false")
	if c.PoolNamespace != "own" || c.AutoManagePools {
		t.Errorf("got %q, %v", c.PoolNamespace, c.AutoManagePools)
	}
	wantWarning(t, c, "OPERATOR__POOLNAMESPACE and OPERATOR__DEPLOYMENTSITENAMESPACE are both set, and differ: OPERATOR__POOLNAMESPACE counts")
}

// mixedCase writes a name as the documentation of .NET would: Operator__PoolNamespace, say.
func mixedCase(name string) string {
	parts := strings.Split(name, "__")
	for i, part := range parts {
		parts[i] = part[:1] + strings.ToLower(part[1:])
	}
	return strings.Join(parts, "__")
}

func aliasOf(name string) string {
	return strings.NewReplacer("AUTOMANAGEDEPLOYMENTSITES", "AUTOMANAGEPOOLS", "DEPLOYMENTSITENAMESPACE", "POOLNAMESPACE",
		"DEPLOYMENTSITEREGISTRATION", "POOLREGISTRATION", "OTLP_TRACES_", "OTLP_").Replace(name)
}
