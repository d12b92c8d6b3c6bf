package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Settings that decide what is deployed, where, or whom the operator trusts: a wrong value is an error.
var wrongDecisions = []struct{ setting, want string }{
	{"OPERATOR__AUTOMANAGEPOOLS=maybe", "is neither true nor false"},
	{"OPERATOR__AUTOMANAGEDEPLOYMENTSITES=maybe", "is neither true nor false"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=controller:5015", "is not an http or https URL"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=ftp://controller", `"ftp://controller" is not an http or https URL`},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=https://", "is not an http or https URL"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=http://a b", "is not an http or https URL"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=http://a:b@c", "holds credentials"},
	{"OPERATOR__POOLNAMESPACE=Octo", `"Octo" cannot be the name of a namespace`},
	{"OPERATOR__DEPLOYMENTSITENAMESPACE=octo/mesh", "cannot be the name of a namespace"},
	{"OPERATOR__PLATFORMNAMESPACE=platform_1", "cannot be the name of a namespace"},
	{"OPERATOR__WATCHNAMESPACE=*", "cannot be the name of a namespace"},
	{"OPERATOR__AUTHENTICATION__ISSUERURI=identity.example", `"identity.example" is not an http or https URL`},
	{"OPERATOR__BROKERPORT=amqp", `"amqp" is not a whole number`},
	{"OPERATOR__BROKERPORT=-1", "-1 is less than 0"},
	{"OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION=no", "is neither true nor false"},
	{"OPERATOR__INGRESS__TLS=perhaps", "is neither true nor false"},
	{"OPERATOR__HELM__FORCECONFLICTS=2", "is neither true nor false"},
	{"OPERATOR__HELM__PLAINHTTP=http", "is neither true nor false"},
	{"OPERATOR__INSECURESKIPVERIFY=y", "is neither true nor false"},
	{"OPERATOR__AUTHENTICATION__INSECURESKIPVERIFY=y", "is neither true nor false"},
	{"OPERATOR__ALLOWPLAINCREDENTIALS=y", "is neither true nor false"},
	{"OPERATOR__ALLOWEDREPOSITORIES=charts.example", `"charts.example" is not an http://, https:// or oci:// URL`},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=ftp://charts.example", "is not an http://, https:// or oci:// URL"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://", "is not an http://, https:// or oci:// URL"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://*.example", "holds a wildcard"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://charts.example/*", "holds a wildcard"},
	{"OPERATOR__ALLOWEDREPOSITORIES__1=https://user:word@charts.example", "an entry for charts.example holds credentials"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://charts.example?a=b", "holds credentials, a query"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://charts.example/a/../b", "could be read in two ways"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://charts.example/a//b", "could be read in two ways"},
	{"OPERATOR__ALLOWEDREPOSITORIES__0=https://charts.example/a%2fb", "could be read in two ways"},
	{"OPERATOR__ALLOWEDSCHEMAS__0=oci://schemas.example", `"oci://schemas.example" is not an http:// or https:// URL`},
	{"OPERATOR__ALLOWEDREPOSITORYADDRESSES__0=localhost", `"localhost" is neither an address nor a network`},
	{"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1,10.0.0.0/33", `"10.0.0.0/33" is neither`},
	{"OPERATOR__TENANTSERVICEACCOUNT=octo-tenant", `"octo-tenant" is no template of service accounts`},
	{"OPERATOR__TENANTSERVICEACCOUNT=Octo/{tenant}", "cannot be the name of a namespace"},
	{"OPERATOR__STATEDIR=var/lib", `"var/lib" is not an absolute path`},
	{"OPERATOR__STATEDIR=/a,b", "holds a comma"},
	{"OPERATOR__SCRIPTSDIR=scripts", "is not an absolute path"},
}

// Other settings: for a wrong value the default is used.
var wrongHabits = []struct{ setting, want string }{
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS=soon", `"soon" is not a number of seconds: the default 30 is used`},
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS=NaN", "is not a number of seconds"},
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS=1e300", "is not a number of seconds"},
	{"OPERATOR__HELM__TIMEOUT=5", "is not a duration such as 90s or 5m: the default 5m is used"},
	{"OPERATOR__HELM__TIMEOUT=1ms", "1ms is less than 1s"},
	{"OPERATOR__SCRIPTDEADLINE=0", "0s is less than 1s: it is taken as not set"},
	{"OPERATOR__SHUTDOWNGRACE=soon", "is not a duration"},
	{"OPERATOR__FAILFAST=sometimes", "is neither true nor false: the default true is used"},
	{"OPERATOR__CLUSTERJOURNAL=x", "is neither true nor false"},
	{"OPERATOR__MAXREPLICAS=many", `"many" is not a whole number: the default 100 is used`},
	{"OPERATOR__CONCURRENCY=-1", "-1 is less than 0: it is taken as not set"},
	{"OPERATOR__CONCURRENCY=banana", `"banana" is not a whole number: it is taken as not set`},
	{"OPERATOR__SCRIPTMEMORY=16Mi", "16Mi is less than 48 MiB, and more than 0, which is no limit: it is taken as not set"},
	{"OPERATOR__SCRIPTFILESIZE=1Ki", "1Ki is less than 1 MiB"},
	{"OPERATOR__SCRIPTOUTPUT=much", `"much" is no amount of memory, such as 512Mi: the default 16Mi is used`},
	{"OPERATOR__MEMORYLIMIT=512MB", `"512MB" is no amount of memory, such as 512Mi`},
	{"OPERATOR__MEMORYLIMIT=-1", "is no amount of memory"},
	{"OPERATOR__MEMORYLIMIT=9999999999Gi", "is no amount of memory"},
	{"OPERATOR__INDEXMAXAGE=-1s", "-1s is less than 0s: the default 10m is used"},
	{"OPERATOR__KEEPRUNS=-1", "-1 is less than 0"},
	{"OPERATOR__KEEPFAILEDHOURS=1.5", "is not a whole number of hours"},
	{"OPERATOR__KEEPFAILEDHOURS=-1", "is not a whole number of hours"},
	{"OPERATOR__LOGFORMAT=xml", `"xml" is none of text, json`},
	{"OPERATOR__LOGLEVEL=loud", `"loud" is none of debug, info, warn, error`},
	{"OPERATOR__STATUSPAGE=http://+:5002", "the page has no login, so it is served on loopback addresses alone"},
	{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", `"collector:4318" is not a URL such as http://collector:4318: it is taken as not set`},
	{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:b@c", "holds credentials: they belong in OTEL_EXPORTER_OTLP_TRACES_HEADERS"},
	{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=soap", `"soap" is none of http/protobuf, http/json, grpc: the default http/protobuf is used`},
	{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=zip", `"zip" is none of none, gzip`},
	{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=0", "0 is less than 1: the default 10000 is used"},
	{"OTEL_TRACES_EXPORTER=jaeger", `"jaeger" is none of otlp, none`},
	{"OTEL_SDK_DISABLED=2", "is neither true nor false"},
	{"KESTREL__ENDPOINTS__HTTP__URL=5000", "is not a URL such as http://+:5000: the default http://+:5000 is used"},
	{"KESTREL__ENDPOINTS__HTTPS__URL=+:5001", "is not a URL such as https://+:5000: it is taken as not set"},
}

func TestAWrongValueThatDecidesIsAnErrorThatNamesTheSetting(t *testing.T) {
	for _, test := range wrongDecisions {
		name, _, _ := strings.Cut(test.setting, "=")
		for _, setting := range []string{test.setting, strings.ToLower(name) + strings.TrimPrefix(test.setting, name)} {
			c, err := Load([]string{setting})
			if err == nil || !strings.Contains(err.Error(), name+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want %s: …%s…", setting, err, name, test.want)
				continue
			}
			if n := strings.Count(err.Error(), name); n != 1 {
				t.Errorf("%s: named %d times in %v", setting, n, err)
			}
			if c.HTTPAddress != ":5000" || c.LogFormat != "text" {
				t.Errorf("%s: the log and the probes have no settings: %+v", setting, c)
			}
		}
	}
}

func TestOfAnyOtherWrongValueTheDefaultIsUsedWithAWarning(t *testing.T) {
	want := load(t)
	for _, test := range wrongHabits {
		name, _, _ := strings.Cut(test.setting, "=")
		c := load(t, test.setting)
		wantWarning(t, c, name+": ", test.want)
		if c.Warnings = want.Warnings; cmp.Diff(want, c) != "" {
			t.Errorf("%s: not the defaults: %s", test.setting, cmp.Diff(want, c))
		}
	}
}

func TestEverySettingThatCanBeWrongHasAnExample(t *testing.T) {
	for _, s := range table(&Config{}) {
		if s.parse == nil || s.parse("\x00:,\n") == nil {
			continue
		}
		wrong := wrongHabits
		if s.Decides {
			wrong = wrongDecisions
		}
		if !slices.ContainsFunc(wrong, func(w struct{ setting, want string }) bool { return strings.HasPrefix(w.setting, s.Name+"=") }) {
			t.Errorf("%s has none", s.Name)
		}
	}
}

func TestAllWrongValuesAreNamedAtOnce(t *testing.T) {
	environ, names := []string{}, map[string]bool{}
	for _, test := range wrongDecisions {
		environ = append(environ, test.setting)
		name, _, _ := strings.Cut(test.setting, "=")
		s, _ := find(name)
		names[s.Name] = true
	}
	_, err := Load(environ)
	if err == nil {
		t.Fatal("no error")
	}
	for name := range names {
		if !strings.Contains(err.Error(), strings.TrimSuffix(name, "__n")) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

func TestNumbersAndBooleansAreReadAsDotNetReadsThem(t *testing.T) {
	for text, want := range map[string]bool{"tRue": true, " true ": true, "TRUE\n": true, "False": false, " fALSE": false, "1": true, "0": false} {
		if got := load(t, "OPERATOR__AUTOMANAGEPOOLS="+text, "OPERATOR__FAILFAST="+text); got.AutoManagePools != want || got.FailFast != want {
			t.Errorf("%q: got %v", text, got.AutoManagePools)
		}
	}
	for text, want := range map[string]int{" 5672 ": 5672, "+1": 1, "0x10": 16, "#10": 16, "&H10": 16, "007": 7} {
		if got := load(t, "OPERATOR__BROKERPORT="+text).Broker.Port; got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]float64{"2.5": 2.5, " 1e1 ": 10, ".5": 0.5, "+3": 3, "0.00001": leastRetry, "0": 0, "-1": 0, "-0.5": 0} {
		if got := load(t, "OPERATOR__POOLREGISTRATIONRETRYSECONDS="+text).PoolRetrySeconds; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestARetryThatIsOffIsSaid(t *testing.T) {
	wantWarning(t, load(t, "OPERATOR__POOLREGISTRATIONRETRYSECONDS=0"), "POOLREGISTRATIONRETRYSECONDS is 0 or less", "next connection only")
}

func TestAuthenticationInPartIsBorne(t *testing.T) {
	const issuer, id, secret, tenant = "OPERATOR__AUTHENTICATION__ISSUERURI=https://x", "OPERATOR__AUTHENTICATION__CLIENTID=x",
		"OPERATOR__AUTHENTICATION__CLIENTSECRET=m4rk3r", "OPERATOR__AUTHENTICATION__TENANTID=x"
	for _, test := range []struct {
		environ []string
		enabled bool
		warning string
	}{
		{[]string{id, secret, tenant}, false, "ISSUERURI is not set"},
		{[]string{issuer, secret, tenant}, false, "CLIENTID is not set"},
		{[]string{tenant}, false, "ISSUERURI is not set"},
		{[]string{issuer, id, tenant}, true, "CLIENTSECRET is not set"},
		{[]string{issuer, id, secret}, true, "TENANTID is not set"},
	} {
		c := load(t, test.environ...)
		wantWarning(t, c, test.warning)
		if c.Authentication.Enabled() != test.enabled {
			t.Errorf("%q: enabled: %v", test.environ, c.Authentication.Enabled())
		}
		if strings.Contains(strings.Join(c.Warnings, " "), "m4rk3r") {
			t.Errorf("the secret is in %q", c.Warnings)
		}
	}
	c := load(t, issuer, id, secret, tenant)
	if !c.Authentication.Enabled() || len(c.Warnings) > 0 {
		t.Errorf("all is set: %q", c.Warnings)
	}
}

func TestNoSecretIsTold(t *testing.T) {
	const secret = "m4rk3r"
	environ := []string{
		"OPERATOR__ROOTCACERTIFICATE=" + secret, // a private key pasted by mistake, say
		"OPERATOR__COMMUNICATIONCONTROLLERURI=ftp://operator:" + secret + "@controller",
		"OPERATOR__CONCURRENCY=-1", "OPERATOR__BROKERPASSWROD=" + secret,
	}
	for _, s := range table(&Config{}) {
		if s.Secret {
			environ = append(environ, strings.Replace(s.Name, "KEYID", "k1", 1)+"="+secret)
		}
	}
	c, err := Load(environ)
	if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(strings.Join(c.Warnings, " "), secret) {
		t.Errorf("got %v and %q", err, c.Warnings)
	}
}

func TestSecretsAreAllThatIsSecret(t *testing.T) {
	for _, s := range table(&Config{}) {
		c, _ := Load([]string{strings.Replace(s.Name, "KEYID", "k1", 1) + "=http://planted"})
		if got := slices.Contains(c.Secrets(), "http://planted"); got != s.Secret {
			t.Errorf("%s is among the secrets: %v, in the table: %v", s.Name, got, s.Secret)
		}
	}
}
