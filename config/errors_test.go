package config

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
)

var wrongSettings = []struct{ setting, want string }{
	{"OPERATOR__AUTOMANAGEPOOLS=maybe", "invalid syntax"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=controller:5015", "is not an http or https URL"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=ftp://controller", `"ftp://controller" is not an http or https URL`},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=https://", "is not an http or https URL"},
	{"OPERATOR__COMMUNICATIONCONTROLLERURI=http://a b", "is not an http or https URL"},
	{"OPERATOR__AUTHENTICATION__ISSUERURI=identity.example", `"identity.example" is not an http or https URL`},
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS=soon", `"soon": invalid syntax`},
	{"OPERATOR__POOLREGISTRATIONRETRYSECONDS=0", "0 is less than 1"},
	{"OPERATOR__BROKERPORT=amqp", `"amqp": invalid syntax`},
	{"OPERATOR__ROOTCACERTIFICATE=/etc/ca.pem", "holds no PEM certificate"},
	{"OPERATOR__INGRESS__TLS=perhaps", "invalid syntax"},
	{"OPERATOR__HELM__FORCECONFLICTS=2", "invalid syntax"},
	{"OPERATOR__HELM__TIMEOUT=5", "missing unit"},
	{"OPERATOR__HELM__TIMEOUT=1ms", "1ms is less than 1s"},
	{"OPERATOR__HELM__PLAINHTTP=http", "invalid syntax"},
	{"OPERATOR__STATEDIR=var/lib", `"var/lib" is not an absolute path`},
	{"OPERATOR__STATEDIR=/a,b", "without a comma"},
	{"OPERATOR__SCRIPTSDIR=scripts", "is not an absolute path"},
	{"OPERATOR__FAILFAST=sometimes", "invalid syntax"},
	{"OPERATOR__CONCURRENCY=0", "0 is less than 1"},
	{"OPERATOR__CONCURRENCY=many", "invalid syntax"},
	{"OPERATOR__KEEPRUNS=-1", "-1 is less than 0"},
	{"OPERATOR__KEEPFAILEDHOURS=1.5", "is not a whole number of hours"},
	{"OPERATOR__KEEPFAILEDHOURS=-1", "is not a whole number of hours"},
	{"OPERATOR__LOGFORMAT=xml", `"xml" is neither text nor json`},
	{"OPERATOR__INSECURESKIPVERIFY=y", "invalid syntax"},
	{"KESTREL__ENDPOINTS__HTTP__URL=http://+", "is not a URL with a port, such as http://+:5000"},
	{"KESTREL__ENDPOINTS__HTTP__URL=5000", "is not a URL with a port"},
	{"KESTREL__ENDPOINTS__HTTP__URL=+:5000", "is not a URL with a port"},
}

func TestAWrongValueIsAnErrorThatNamesTheSetting(t *testing.T) {
	for _, test := range wrongSettings {
		name, _, _ := strings.Cut(test.setting, "=")
		for _, setting := range []string{test.setting, strings.ToLower(name) + strings.TrimPrefix(test.setting, name)} {
			_, err := Load([]string{setting})
			if err == nil || !strings.Contains(err.Error(), name+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want %s: …%s…", setting, err, name, test.want)
				continue
			}
			if n := strings.Count(err.Error(), name); n != 1 {
				t.Errorf("%s: named %d times in %v", setting, n, err)
			}
		}
	}
}

func TestTheSettingsOfAuthenticationGoTogether(t *testing.T) {
	all := []string{
		"OPERATOR__AUTHENTICATION__ISSUERURI=https://x", "OPERATOR__AUTHENTICATION__CLIENTID=x", "OPERATOR__AUTHENTICATION__CLIENTSECRET=m4rk3r",
	}
	for i := range all {
		two := append(append([]string{}, all[:i]...), all[i+1:]...)
		_, err := Load(two)
		if err == nil || !strings.Contains(err.Error(), "OPERATOR__AUTHENTICATION__ISSUERURI: ") || strings.Contains(err.Error(), "m4rk3r") {
			t.Errorf("%q: got %v", two, err)
		}
	}
	c := load(t, append(all, "OPERATOR__AUTHENTICATION__TENANTID=acme")...)
	if c.Authentication != (Authentication{"https://x", "x", "m4rk3r", "acme"}) || !slices.Contains(c.Secrets(), "m4rk3r") {
		t.Errorf("got %+v", c.Authentication)
	}
}

func TestAllWrongValuesAreNamedAtOnce(t *testing.T) {
	var environ []string
	for _, test := range wrongSettings {
		environ = append(environ, test.setting)
	}
	_, err := Load(environ)
	if err == nil {
		t.Fatal("no error")
	}
	for _, test := range wrongSettings {
		name, _, _ := strings.Cut(test.setting, "=")
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

func TestErrorsHoldNoSecretValues(t *testing.T) {
	const secret = "m4rk3r"
	_, err := Load([]string{
		"OPERATOR__BROKERPASSWORD=" + secret, "OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD=" + secret,
		"OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD=" + secret, "OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD=" + secret,
		"OPERATOR__ROOTCACERTIFICATE=" + secret, // a private key pasted by mistake, say
		"OPERATOR__COMMUNICATIONCONTROLLERURI=ftp://operator:" + secret + "@controller",
		"OPERATOR__CONCURRENCY=0",
	})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

func TestHTTPClientTrustsTheSystemAndTheExtraRoot(t *testing.T) {
	root := certificate(t)
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want.AppendCertsFromPEM([]byte(root))
	if !roots(t, load(t, "OPERATOR__ROOTCACERTIFICATE="+root)).Equal(want) {
		t.Error("the roots are not the system's and the extra one")
	}
	if roots(t, load(t)) != nil { // Go's way to say: the system's, read when they are needed
		t.Error("the roots are not the system's")
	}
}

func roots(t *testing.T, c Config) *x509.CertPool {
	t.Helper()
	client, err := c.HTTPClient()
	if err != nil {
		t.Fatal(err)
	}
	return client.Transport.(*http.Transport).TLSClientConfig.RootCAs
}

func pemOf(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
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
	return strings.NewReplacer("AUTOMANAGEDEPLOYMENTSITES", "AUTOMANAGEPOOLS", "DEPLOYMENTSITENAMESPACE", "POOLNAMESPACE").Replace(name)
}
