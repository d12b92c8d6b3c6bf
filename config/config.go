// Package config reads the operator's settings from the environment, and the memory and processor limits of its container. No other
// package reads either. table.go lists every setting.
//
//	c, err := config.Load(os.Environ()) // c can be used even if err is not nil: for the log and the probes
//	capacity := c.Capacity(config.ThisMachine())
package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Config holds every setting. table.go says how each is called, what it does, and its default.
type Config struct {
	AutoManagePools bool // true: central mode, false: edge mode

	ControllerURI         string // empty: no connection is made
	WorkloadControllerURI string // empty: ControllerURI
	PoolNamespace         string
	PlatformNamespace     string // empty: PoolNamespace
	WatchNamespace        string // empty: all namespaces
	TenantAccount         TenantAccount
	PoolRetrySeconds      float64 // 0: a rejected registration is tried again only on the next connection

	InstancePrefix         string
	IgnoreCertificates     bool // written into pool resources of G1
	ImageRegistry          string
	ReportingServiceURI    string
	AuthURI                string
	AdditionalValidIssuers []string

	Broker              Broker
	RootCACertificate   string // PEM, as it was set; ExtraRoots says whether it is trusted
	ClusterDependencies ClusterDependencies
	ClusterSecrets      ClusterSecrets
	IronOCRLicenseKey   string
	Dash0               Dash0
	Ingress             Ingress
	Helm                Helm
	Authentication      Authentication
	Repositories        Repositories

	StateDir       string // empty: not set; runs.Dir finds one
	ScriptsDir     string
	MaxReplicas    int           // the most that a ScaleWorkload event may ask for
	Concurrency    int           // 0: see Capacity
	MemoryLimit    Bytes         // of the operator and its commands together; 0: the container's limit
	IndexMaxAge    time.Duration // see docs/architecture.md, charts
	ScriptDeadline time.Duration // 0: see Deadline
	ScriptMemory   *Bytes        // of each process of a script; nil: see Capacity, 0: no limit
	ScriptFileSize Bytes         // of each file that a script makes; 0: no limit
	ScriptOutput   Bytes         // of stdout and stderr of a script together; 0: no limit
	FailFast       bool          // stop waiting for pods that can never become ready
	ShutdownGrace  time.Duration // the same as the pod's terminationGracePeriodSeconds
	ClusterJournal bool          // one leader, and copies of unfinished events in the cluster
	KeepRuns       int           // run directories that are kept
	KeepFailedRuns time.Duration // how long directories of failed runs are kept in addition
	LogFormat      string        // "text" or "json"
	LogLevel       string        // as slog.Level reads it
	InsecureTLS    bool          // the controller's certificate is not verified

	Traces Traces

	HTTPAddress string // host:port
	HTTPS       HTTPS
	StatusPage  string // host:port on loopback; empty: there is no status page

	Warnings []string // sentences for the log about doubtful settings; they hold no secret
	Ignored  []string // variables that are set but have no effect in this operator
}

// Broker says how pools reach RabbitMQ.
type Broker struct {
	Host        string
	VirtualHost string
	Port        int
	User        string
	Password    string
}

// ClusterDependencies are services of the cluster; they go into the values of every release.
type ClusterDependencies struct {
	MongoDBHost                    string
	MongoDBReplicaSet              string
	RabbitMQHost                   string
	RabbitMQUser                   string
	StreamDataHost                 string
	StreamDataUser                 string
	SystemDatabaseName             string
	StreamDataSchemaInstancePrefix string
}

// ClusterSecrets go only into releases whose event asks for them (receivesClusterSecrets).
type ClusterSecrets struct {
	MongoDBUserPassword  string
	MongoDBAdminPassword string
	StreamDataPassword   string
	EncryptionKeys       []EncryptionKey // ordered by id
	ActiveKeyID          string          // empty: there is no key, or several and none is named
	LegacyV1Key          string
}

// EncryptionKey is one of the keys with which workloads encrypt secret attributes.
type EncryptionKey struct{ ID, Key string }

// Dash0 says where browsers send their telemetry.
type Dash0 struct{ Endpoint, Dataset, Environment, WebAuthToken string }

// Ingress holds what every workload with an ingress gets.
type Ingress struct {
	ClassName     string
	ClusterIssuer string
	TLS           *bool // nil: the chart's default
	Annotations   []Annotation
}

// Annotation is one pair of OPERATOR__INGRESS__ANNOTATIONS__n__NAME and __VALUE. Neither is blank.
type Annotation struct{ Name, Value string }

// Authentication says how the operator gets its access token (OIDC client credentials).
type Authentication struct {
	IssuerURI, ClientID, ClientSecret, TenantID string

	InsecureTLS bool // the issuer's certificate is not verified
}

// Enabled tells whether to ask for an access token. ClientSecret may be empty: the issuer decides whether it accepts that.
func (a Authentication) Enabled() bool { return a.IssuerURI != "" && a.ClientID != "" }

// Repositories says which chart repositories may be used. An address prefix such as "https://charts.example.com/team" also covers what
// lies below it.
type Repositories struct {
	Allowed          []string       // prefixes of a repository's URL; empty: any URL
	Addresses        []netip.Prefix // allowed although they are the operator's own machine, link-local or cloud metadata
	Schemas          []string       // prefixes of URLs to which a chart's values.schema.json may refer; empty: none
	PlainCredentials bool           // credentials may go over connections without TLS
}

// Helm says how helm is called.
type Helm struct {
	ForceConflicts bool          // take over fields that somebody else has changed
	Timeout        time.Duration // of helm, and how long pods may take to become ready
	PlainHTTP      bool          // oci:// registries without TLS
}

// Load reads the settings from environ (each "NAME=value") and from the files that NAME__FILE names. Names are case-insensitive; a blank
// value counts as not set.
//
// The Config can be used even if the error is not nil, for the log and the probes. The error names every unreadable value of a setting
// that decides what is deployed, where, or whom the operator trusts; the operator must not connect then. For any other unreadable value
// the default is used, and Warnings says so.
func Load(environ []string) (Config, error) {
	c, e := Config{}, newEnvironment(environ)
	wrong := e.readFiles()
	for _, s := range table(&c) {
		if s.ignored() {
			c.Ignored = append(c.Ignored, e.matching(s)...)
			continue
		}
		if s.each != nil {
			if err := s.each(e); err != nil {
				wrong = append(wrong, err)
			}
			continue
		}
		name, value := c.choose(e, s)
		if value == "" {
			continue
		}
		if err := s.parse(value); err != nil && s.Decides {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		} else if err != nil {
			c.warn("%s: %w: %s", name, err, s.useDefault())
		}
	}
	c.finish()
	for _, unknown := range e.unknown() {
		c.warn("%s", unknown)
	}
	if len(wrong) > 0 {
		return c, fmt.Errorf("cannot use the settings: %w", errors.Join(wrong...))
	}
	return c, nil
}

// choose returns the value of a setting, or its default, and the name of the variable that set it: the setting's name or an alias.
func (c *Config) choose(e environment, s setting) (name, value string) {
	for _, n := range append([]string{s.Name}, s.Aliases...) {
		v := e.value(n)
		switch {
		case v == "" || v == value:
		case value == "":
			name, value = n, v
		default:
			c.warn("%s and %s are both set, and differ: %s counts", name, n, name)
		}
	}
	if value == "" {
		return s.Name, s.Default
	}
	return name, value
}

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Errorf(format, args...).Error())
}

// finish checks settings that depend on each other. It only warns, because the reference operator starts with all of these.
func (c *Config) finish() {
	if c.PoolRetrySeconds == 0 {
		c.warn("OPERATOR__POOLREGISTRATIONRETRYSECONDS is 0 or less: a rejected pool is registered again on the next connection only")
	}
	c.finishAuthentication()
	c.finishStatusPage()
	if c.RootCACertificate != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.RootCACertificate)) {
		c.warn("OPERATOR__ROOTCACERTIFICATE holds no PEM certificate: the operator trusts the system's roots alone; workloads get the text as it is, in secrets.rootCa")
	}
	c.ClusterSecrets.finish(c.warn)
}

func (c *Config) finishAuthentication() {
	a := c.Authentication
	const without = "the operator connects to the controller without an access token"
	switch {
	case a == Authentication{}:
	case a.IssuerURI == "":
		c.warn("OPERATOR__AUTHENTICATION__ISSUERURI is not set, other settings of authentication are: %s", without)
	case a.ClientID == "":
		c.warn("OPERATOR__AUTHENTICATION__CLIENTID is not set, other settings of authentication are: %s", without)
	case a.ClientSecret == "":
		c.warn("OPERATOR__AUTHENTICATION__CLIENTSECRET is not set: where the issuer gives no token without one, %s", without)
	}
	if a.ClientID != "" && a.TenantID == "" {
		c.warn("OPERATOR__AUTHENTICATION__TENANTID is not set: the issuer refuses a client id that several tenants have; set it to the tenant in which the client is registered, normally the system tenant")
	}
}

// finish sets ActiveKeyID if there is only one key, and warns if workloads could not encrypt.
func (s *ClusterSecrets) finish(warn func(string, ...any)) {
	const active = "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONACTIVEKEYID"
	if s.ActiveKeyID == "" && len(s.EncryptionKeys) == 1 {
		s.ActiveKeyID = s.EncryptionKeys[0].ID
	}
	var ids []string
	for _, k := range s.EncryptionKeys {
		if ids = append(ids, k.ID); k.ID == s.ActiveKeyID {
			return
		}
	}
	switch {
	case s.ActiveKeyID != "":
		warn("%s: %q is none of the key ids (%s): workloads cannot encrypt", active, s.ActiveKeyID, strings.Join(ids, ", "))
	case len(ids) > 0:
		warn("%s is not set, and there are several keys (%s): workloads cannot encrypt", active, strings.Join(ids, ", "))
	}
}

// Deadline is how long a script may run before it is stopped as hanging. The default allows two helm timeouts, because helm needs its
// timeout twice if it rolls back.
func (c *Config) Deadline() time.Duration {
	if c.ScriptDeadline != 0 {
		return c.ScriptDeadline
	}
	return 2*c.Helm.Timeout + 2*time.Minute
}

// Secrets returns the values that must never be printed. Some may be empty.
func (c *Config) Secrets() []string {
	secrets := []string{c.Broker.Password, c.ClusterSecrets.MongoDBUserPassword, c.ClusterSecrets.MongoDBAdminPassword,
		c.ClusterSecrets.StreamDataPassword, c.ClusterSecrets.LegacyV1Key, c.IronOCRLicenseKey, c.Dash0.WebAuthToken, c.Authentication.ClientSecret, c.Traces.Headers}
	for _, k := range c.ClusterSecrets.EncryptionKeys {
		secrets = append(secrets, k.Key)
	}
	return secrets
}

// ExtraRoots returns OPERATOR__ROOTCACERTIFICATE (PEM) if it holds a certificate. Empty: only the system's roots are trusted.
func (c *Config) ExtraRoots() string {
	if x509.NewCertPool().AppendCertsFromPEM([]byte(c.RootCACertificate)) {
		return c.RootCACertificate
	}
	return ""
}

// HTTPClient returns a client that trusts the system's root certificates and ExtraRoots. The error says that the system's roots cannot be
// read.
func (c *Config) HTTPClient() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	extra := c.ExtraRoots()
	if extra == "" {
		return &http.Client{Transport: transport}, nil // nil RootCAs: Go reads the system's roots at the first use, which saves 10 ms here
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("cannot read the system's root certificates: %w", err)
	}
	roots.AppendCertsFromPEM([]byte(extra))
	transport.TLSClientConfig.RootCAs = roots
	return &http.Client{Transport: transport}, nil
}
