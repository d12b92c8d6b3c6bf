// Package config reads every setting of the operator from the environment. It is the only place that does. table.go has them all.
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

// Config is every setting; table.go says how each is called, what it does and what it is when it is not set.
type Config struct {
	AutoManagePools bool // true: central mode, false: edge mode

	ControllerURI         string // empty: there is no controller to connect to
	WorkloadControllerURI string
	PoolNamespace         string
	PlatformNamespace     string // empty: PoolNamespace
	WatchNamespace        string // empty: all namespaces
	TenantAccount         TenantAccount
	PoolRetrySeconds      float64 // 0: a rejected registration is tried again on the next connection only

	InstancePrefix         string
	IgnoreCertificates     bool // of pools in G1
	ImageRegistry          string
	ReportingServiceURI    string
	AuthURI                string
	AdditionalValidIssuers []string

	Broker              Broker
	RootCACertificate   string // as it was set; ExtraRoots is what is trusted of it
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
	MaxReplicas    int           // that a scaling may ask for
	Concurrency    int           // 0: as the machine bears, see Capacity
	MemoryLimit    Bytes         // of everything that runs; 0: the container's own
	IndexMaxAge    time.Duration // see docs/architecture.md, charts
	ScriptDeadline time.Duration // 0: see Deadline
	ScriptMemory   *Bytes        // of each process of a script; nil: see Capacity, 0: no limit
	ScriptFileSize Bytes         // of each file that a script makes; 0: no limit
	ScriptOutput   Bytes         // of all that a script writes to stdout and stderr; 0: no limit
	FailFast       bool          // a deploy's wait ends when it can never succeed
	ShutdownGrace  time.Duration // the pod's terminationGracePeriodSeconds
	ClusterJournal bool          // unfinished events are kept in the cluster too
	KeepRuns       int
	KeepFailedRuns time.Duration
	LogFormat      string
	LogLevel       string
	InsecureTLS    bool // the controller's certificate is not verified

	HTTPAddress string // host:port
	HTTPS       HTTPS

	Warnings []string // what a person should know of the settings; no secret is in them
	Ignored  []string // names that are set and have no effect here
}

// Broker is how pools reach RabbitMQ.
type Broker struct {
	Host        string
	VirtualHost string
	Port        int
	User        string
	Password    string
}

// ClusterDependencies are the cluster's own services, passed on to every workload's values.
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

// ClusterSecrets go only to workloads that ask for them (receivesClusterSecrets).
type ClusterSecrets struct {
	MongoDBUserPassword  string
	MongoDBAdminPassword string
	StreamDataPassword   string
	EncryptionKeys       []EncryptionKey // ordered by id
	ActiveKeyID          string          // empty: several keys, and none is named
	LegacyV1Key          string
}

// EncryptionKey is one key of the ring with which workloads encrypt secret attributes.
type EncryptionKey struct{ ID, Key string }

// Dash0 is where browsers send their telemetry.
type Dash0 struct{ Endpoint, Dataset, Environment, WebAuthToken string }

// Ingress is what every workload with an ingress gets.
type Ingress struct {
	ClassName     string
	ClusterIssuer string
	TLS           *bool // nil: the chart's default
	Annotations   []Annotation
}

// Annotation is OPERATOR__INGRESS__ANNOTATIONS__n__NAME and __VALUE. Neither is blank.
type Annotation struct{ Name, Value string }

// Authentication is how the operator proves to the controller who it is.
type Authentication struct {
	IssuerURI, ClientID, ClientSecret, TenantID string

	InsecureTLS bool // the issuer's certificate is not verified
}

// Enabled tells whether an access token can be asked for. ClientSecret may be missing: the issuer then says what it thinks of that.
func (a Authentication) Enabled() bool { return a.IssuerURI != "" && a.ClientID != "" }

// Repositories are where charts may come from.
type Repositories struct {
	Allowed          []string       // URLs, or what they begin with; empty: any
	Addresses        []netip.Prefix // that are contacted although they are the operator's own machine or the like
	Schemas          []string       // URLs, or what they begin with, to which a chart's schema may refer; empty: none
	PlainCredentials bool           // credentials may go over connections without TLS
}

// Helm is how helm is called.
type Helm struct {
	ForceConflicts bool
	Timeout        time.Duration
	PlainHTTP      bool // oci:// registries without TLS
}

// Load reads the settings from environ ("NAME=value" each), and from the files that it names (NAME__FILE). Names are
// case-insensitive, and a blank value is none.
//
// A value that cannot be read never changes silently what is deployed, where, or whom the operator trusts: such ones are the error,
// each named in it, and the operator must connect to nothing. Of any other the default is used, and Warnings says so. The Config can
// be used in both cases, for the log and the probes.
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

// choose returns the value of a setting as it was set, or its default, and the name that it was set by.
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

// finish looks at settings that belong together. None of this is an error: the reference operator bears it all.
func (c *Config) finish() {
	if c.PoolRetrySeconds == 0 {
		c.warn("OPERATOR__POOLREGISTRATIONRETRYSECONDS is 0 or less: a rejected pool is registered again on the next connection only")
	}
	c.finishAuthentication()
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

// finish finds the active key of the ring.
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

// Deadline is when a script that hangs is stopped. helm takes its timeout twice when it rolls back; what lasts longer hangs.
func (c *Config) Deadline() time.Duration {
	if c.ScriptDeadline != 0 {
		return c.ScriptDeadline
	}
	return 2*c.Helm.Timeout + 2*time.Minute
}

// Secrets are the settings that must never be printed.
func (c *Config) Secrets() []string {
	secrets := []string{c.Broker.Password, c.ClusterSecrets.MongoDBUserPassword, c.ClusterSecrets.MongoDBAdminPassword,
		c.ClusterSecrets.StreamDataPassword, c.ClusterSecrets.LegacyV1Key, c.IronOCRLicenseKey, c.Dash0.WebAuthToken, c.Authentication.ClientSecret}
	for _, k := range c.ClusterSecrets.EncryptionKeys {
		secrets = append(secrets, k.Key)
	}
	return secrets
}

// ExtraRoots is OPERATOR__ROOTCACERTIFICATE where it holds a certificate; empty: only the system's roots are trusted.
func (c *Config) ExtraRoots() string {
	if x509.NewCertPool().AppendCertsFromPEM([]byte(c.RootCACertificate)) {
		return c.RootCACertificate
	}
	return ""
}

// HTTPClient verifies servers by the system's root certificates and OPERATOR__ROOTCACERTIFICATE.
func (c *Config) HTTPClient() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	extra := c.ExtraRoots()
	if extra == "" {
		return &http.Client{Transport: transport}, nil // the system's are read when they are first needed, which takes 10 ms
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("cannot read the system's root certificates: %w", err)
	}
	roots.AppendCertsFromPEM([]byte(extra))
	transport.TLSClientConfig.RootCAs = roots
	return &http.Client{Transport: transport}, nil
}
