// Package config reads every setting of the operator from the environment. It is the only place that does.
package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is every setting. Names are the reference operator's, so that its chart's pod spec works unchanged; the table
// in README.md says what each does. A field without an env tag is derived.
type Config struct {
	AutoManagePools bool `env:"AUTOMANAGEPOOLS"` // true: central mode, false: edge mode

	ControllerURI         string `env:"COMMUNICATIONCONTROLLERURI"`
	WorkloadControllerURI string `env:"WORKLOADCOMMUNICATIONCONTROLLERURI"`
	PoolNamespace         string `env:"POOLNAMESPACE" envDefault:"octo"`
	PlatformNamespace     string `env:"PLATFORMNAMESPACE"`
	WatchNamespace        string `env:"WATCHNAMESPACE"` // empty: all namespaces
	PoolRetrySeconds      int    `env:"POOLREGISTRATIONRETRYSECONDS" envDefault:"30"`

	InstancePrefix         string   `env:"INSTANCEPREFIX"`
	IgnoreCertificates     bool     `env:"ADAPTERIGNORECERTIFICATEVALIDATION"` // of pools in G1
	ImagePullSecretName    string   `env:"IMAGEPULLSECRETNAME"`
	ImageRegistry          string   `env:"IMAGEREGISTRY"`
	ReportingServiceURI    string   `env:"REPORTINGSERVICEURI"`
	AuthURI                string   `env:"AUTHURI"`
	AdditionalValidIssuers []string // OPERATOR__ADDITIONALVALIDISSUERS__0, __1, …

	Broker              Broker
	RootCACertificate   string `env:"ROOTCACERTIFICATE"` // PEM
	ClusterDependencies ClusterDependencies
	ClusterSecrets      ClusterSecrets
	Ingress             Ingress
	Helm                Helm
	Authentication      Authentication

	StateDir       string        `env:"STATEDIR" envDefault:"/var/lib/octo-operator"`
	ScriptsDir     string        `env:"SCRIPTSDIR"`
	Concurrency    int           `env:"CONCURRENCY" envDefault:"4"`
	ScriptDeadline time.Duration `env:"SCRIPTDEADLINE"`                   // 0: see Deadline
	FailFast       bool          `env:"FAILFAST" envDefault:"true"`       // a deploy's wait ends when it can never succeed
	ShutdownGrace  time.Duration `env:"SHUTDOWNGRACE" envDefault:"10s"`   // the pod's terminationGracePeriodSeconds
	ClusterJournal bool          `env:"CLUSTERJOURNAL" envDefault:"true"` // unfinished events are kept in the cluster too
	KeepRuns       int           `env:"KEEPRUNS" envDefault:"100"`
	KeepFailedRuns Hours         `env:"KEEPFAILEDHOURS" envDefault:"24"`
	LogFormat      string        `env:"LOGFORMAT" envDefault:"text"`
	LogLevel       string        `env:"LOGLEVEL" envDefault:"info"`
	InsecureTLS    bool          `env:"INSECURESKIPVERIFY"` // the controller's certificate is not verified
	HTTPAddress    string        // KESTREL__ENDPOINTS__HTTP__URL as host:port; empty: no health endpoint
}

// Hours is a whole number of hours in the environment.
type Hours time.Duration

// UnmarshalText reads a whole number of hours.
func (h *Hours) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a whole number of hours", text)
	}
	*h = Hours(time.Duration(n) * time.Hour)
	return nil
}

// Broker is how pools reach RabbitMQ.
type Broker struct {
	Host        string `env:"BROKERHOST"`
	VirtualHost string `env:"BROKERVIRTUALHOST"`
	Port        int    `env:"BROKERPORT"`
	User        string `env:"BROKERUSER"`
	Password    string `env:"BROKERPASSWORD"`
}

// ClusterDependencies are the cluster's own services, passed on to every workload's values.
type ClusterDependencies struct {
	MongoDBHost                    string `env:"MONGODBHOST"`
	MongoDBReplicaSet              string `env:"MONGODBREPLICASET"`
	RabbitMQHost                   string `env:"RABBITMQHOST"`
	RabbitMQUser                   string `env:"RABBITMQUSER"`
	StreamDataHost                 string `env:"STREAMDATAHOST"`
	StreamDataUser                 string `env:"STREAMDATAUSER"`
	SystemDatabaseName             string `env:"SYSTEMDATABASENAME"`
	StreamDataSchemaInstancePrefix string `env:"STREAMDATASCHEMAINSTANCEPREFIX"`
}

// ClusterSecrets go only to workloads that ask for them (receivesClusterSecrets).
type ClusterSecrets struct {
	MongoDBUserPassword  string `env:"MONGODBUSERPASSWORD"`
	MongoDBAdminPassword string `env:"MONGODBADMINPASSWORD"`
	StreamDataPassword   string `env:"STREAMDATAPASSWORD"`
}

// Ingress is what every workload with an ingress gets.
type Ingress struct {
	ClassName     string       `env:"CLASSNAME"`
	ClusterIssuer string       `env:"CLUSTERISSUER"`
	TLS           *bool        `env:"TLS"`
	Annotations   []Annotation `envPrefix:"ANNOTATIONS__"`
}

// Annotation is OPERATOR__INGRESS__ANNOTATIONS__n__NAME and __VALUE. The library joins the index with one underscore,
// .NET with two: hence the leading one.
type Annotation struct {
	Name  string `env:"_NAME"`
	Value string `env:"_VALUE"`
}

// Authentication is how the operator proves to the controller who it is; empty: it does not.
type Authentication struct {
	IssuerURI    string `env:"ISSUERURI"`
	ClientID     string `env:"CLIENTID"`
	ClientSecret string `env:"CLIENTSECRET"`
	TenantID     string `env:"TENANTID"`
}

// Helm is how helm is called.
type Helm struct {
	ForceConflicts bool          `env:"FORCECONFLICTS"`
	Timeout        time.Duration `env:"TIMEOUT" envDefault:"5m"`
	PlainHTTP      bool          `env:"PLAINHTTP"` // oci:// registries without TLS
}

// Load reads the settings from environ ("NAME=value" each). Names are case-insensitive, as in .NET. The error names
// every setting that is wrong, not only the first.
func Load(environ []string) (Config, error) {
	vars := upperCaseNames(environ)
	for alias, name := range map[string]string{
		"OPERATOR__AUTOMANAGEDEPLOYMENTSITES": "OPERATOR__AUTOMANAGEPOOLS",
		"OPERATOR__DEPLOYMENTSITENAMESPACE":   "OPERATOR__POOLNAMESPACE",
	} {
		if value := vars[alias]; value != "" && vars[name] == "" {
			vars[name] = value
		}
	}
	wrong := &problems{}
	c := parse(vars, wrong)
	address, err := listenAddress(vars["KESTREL__ENDPOINTS__HTTP__URL"], ":5000")
	if err != nil {
		wrong.errs = append(wrong.errs, err)
	}
	c.HTTPAddress = address
	c.check(wrong)
	if len(wrong.errs) > 0 {
		return Config{}, fmt.Errorf("cannot use the settings: %w", errors.Join(wrong.errs...))
	}
	return c, nil
}

// problems are the settings that are wrong, each named once.
type problems struct {
	errs  []error
	named map[string]bool
}

func (p *problems) add(name, format string, args ...any) {
	if p.named[name] {
		return
	}
	if p.named == nil {
		p.named = map[string]bool{}
	}
	p.named[name] = true
	p.errs = append(p.errs, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
}

// addParsed names the settings behind the library's errors, which name the fields of section.
func (p *problems) addParsed(section any, prefix string, err error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}
	for _, err := range all.Errors {
		wrong := env.ParseError{}
		if !errors.As(err, &wrong) {
			p.errs = append(p.errs, err)
			continue
		}
		// A field that is not there belongs to a section within, which names it itself.
		if field, ok := reflect.TypeOf(section).Elem().FieldByName(wrong.Name); ok {
			p.add(prefix+field.Tag.Get("env"), "%w", wrong.Err)
		}
	}
}

func parse(vars map[string]string, wrong *problems) Config {
	var c Config
	sections := []struct {
		into   any
		prefix string
	}{
		{&c, "OPERATOR__"},
		{&c.Broker, "OPERATOR__"},
		{&c.ClusterDependencies, "OPERATOR__CLUSTERDEPENDENCIES__"},
		{&c.ClusterSecrets, "OPERATOR__CLUSTERSECRETS__"},
		{&c.Ingress, "OPERATOR__INGRESS__"},
		{&c.Helm, "OPERATOR__HELM__"},
		{&c.Authentication, "OPERATOR__AUTHENTICATION__"},
	}
	for _, s := range sections {
		err := env.ParseWithOptions(s.into, env.Options{Environment: vars, Prefix: s.prefix})
		wrong.addParsed(s.into, s.prefix, err)
	}
	for i := 0; ; i++ {
		issuer, ok := vars["OPERATOR__ADDITIONALVALIDISSUERS__"+strconv.Itoa(i)]
		if !ok {
			break
		}
		c.AdditionalValidIssuers = append(c.AdditionalValidIssuers, issuer)
	}
	return c
}

func upperCaseNames(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		vars[strings.ToUpper(name)] = value
	}
	return vars
}

func (c *Config) check(p *problems) {
	wrong := func(name, format string, args ...any) { p.add("OPERATOR__"+name, format, args...) }
	wantWebURL := func(name, uri string) {
		if u, err := url.Parse(uri); uri != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			withoutPassword := uri[strings.LastIndex(uri, "@")+1:]
			wrong(name, "%q is not an http or https URL", withoutPassword)
		} else if err == nil && u.User != nil {
			wrong(name, "holds credentials: they belong in OPERATOR__AUTHENTICATION__CLIENTID and __CLIENTSECRET")
		}
	}
	wantWebURL("COMMUNICATIONCONTROLLERURI", c.ControllerURI)
	wantWebURL("AUTHENTICATION__ISSUERURI", c.Authentication.IssuerURI)
	if c.RootCACertificate != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.RootCACertificate)) {
		wrong("ROOTCACERTIFICATE", "holds no PEM certificate")
	}
	a := c.Authentication
	if set := a.IssuerURI + a.ClientID + a.ClientSecret; set != "" && (a.IssuerURI == "" || a.ClientID == "" || a.ClientSecret == "") {
		wrong("AUTHENTICATION__ISSUERURI", "ISSUERURI, CLIENTID and CLIENTSECRET go together: one of them is not set")
	}
	if c.Concurrency < 1 {
		wrong("CONCURRENCY", "%d is less than 1", c.Concurrency)
	}
	if c.KeepRuns < 0 {
		wrong("KEEPRUNS", "%d is less than 0", c.KeepRuns)
	}
	if c.PoolRetrySeconds < 1 {
		wrong("POOLREGISTRATIONRETRYSECONDS", "%d is less than 1", c.PoolRetrySeconds)
	}
	if c.Helm.Timeout < time.Second {
		wrong("HELM__TIMEOUT", "%s is less than 1s", c.Helm.Timeout)
	}
	if c.ScriptDeadline != 0 && c.ScriptDeadline < time.Second {
		wrong("SCRIPTDEADLINE", "%s is less than 1s", c.ScriptDeadline)
	}
	if c.ShutdownGrace < time.Second {
		wrong("SHUTDOWNGRACE", "%s is less than 1s", c.ShutdownGrace)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		wrong("LOGFORMAT", "%q is neither text nor json", c.LogFormat)
	}
	// helm splits the argument of -f at commas, and every values file lies below the state directory.
	if strings.ContainsAny(c.StateDir, ",\n") || !filepath.IsAbs(c.StateDir) {
		wrong("STATEDIR", "%q is not an absolute path without a comma", c.StateDir)
	}
	if c.ScriptsDir != "" && !filepath.IsAbs(c.ScriptsDir) {
		wrong("SCRIPTSDIR", "%q is not an absolute path", c.ScriptsDir)
	}
}

// listenAddress turns an ASP.NET Core URL (http://+:5000, http://*:5000, http://0.0.0.0:5000) into host:port.
func listenAddress(kestrel, fallback string) (string, error) {
	if kestrel == "" {
		return fallback, nil
	}
	u, err := url.Parse(strings.NewReplacer("//+", "//", "//*", "//").Replace(kestrel))
	if err != nil || u.Port() == "" {
		return "", fmt.Errorf("KESTREL__ENDPOINTS__HTTP__URL: %q is not a URL with a port, such as http://+:5000", kestrel)
	}
	return u.Host, nil
}

// Deadline is when a script that hangs is stopped. helm takes its timeout twice when it rolls back; what lasts longer hangs.
func (c *Config) Deadline() time.Duration {
	if c.ScriptDeadline != 0 {
		return c.ScriptDeadline
	}
	return 2*c.Helm.Timeout + 2*time.Minute
}

// Secrets are the settings that must never be printed.
func (c *Config) Secrets() []string {
	return []string{c.Broker.Password, c.ClusterSecrets.MongoDBUserPassword, c.ClusterSecrets.MongoDBAdminPassword,
		c.ClusterSecrets.StreamDataPassword, c.Authentication.ClientSecret}
}

// HTTPClient verifies servers by the system's root certificates and OPERATOR__ROOTCACERTIFICATE.
func (c *Config) HTTPClient() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.RootCACertificate == "" {
		return &http.Client{Transport: transport}, nil // the system's are read when they are first needed, which takes 10 ms
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("cannot read the system's root certificates: %w", err)
	}
	roots.AppendCertsFromPEM([]byte(c.RootCACertificate))
	transport.TLSClientConfig.RootCAs = roots
	return &http.Client{Transport: transport}, nil
}
