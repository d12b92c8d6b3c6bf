package config

import "time"

// table returns every setting, in the order of docs/settings.md (`go test ./config -update` writes that list), with a parser that
// writes into c. To add a setting: a field in Config, a row here, a line in config_test.go.
func table(c *Config) []setting {
	var all []setting
	for _, group := range [][]setting{connection(c), workloads(c), listening(c), own(c), telemetry(c), ignored()} {
		all = append(all, group...)
	}
	return all
}

func connection(c *Config) []setting {
	return []setting{
		{Name: "OPERATOR__COMMUNICATIONCONTROLLERURI", Decides: true, parse: webURL(&c.ControllerURI),
			Meaning: "the controller, `http(s)://…`; not set: there are no events, but probes and webhooks are answered"},
		{Name: "OPERATOR__AUTOMANAGEPOOLS", Aliases: []string{"OPERATOR__AUTOMANAGEDEPLOYMENTSITES"}, Default: "false", Decides: true,
			parse:   boolean(&c.AutoManagePools),
			Meaning: "`true`: central mode, the operator creates and deletes pools as the controller says; `false`: edge mode, people do"},
		{Name: "OPERATOR__POOLNAMESPACE", Aliases: []string{"OPERATOR__DEPLOYMENTSITENAMESPACE"}, Default: "octo", Decides: true,
			parse: namespace(&c.PoolNamespace), Meaning: "namespace of pools and releases"},
		{Name: "OPERATOR__PLATFORMNAMESPACE", Decides: true, parse: namespace(&c.PlatformNamespace),
			Meaning: "namespace of AdapterPool releases; not set: that of pools"},
		{Name: "OPERATOR__WATCHNAMESPACE", Decides: true, parse: namespace(&c.WatchNamespace),
			Meaning: "namespace in which pool resources are watched; not set: all namespaces"},
		{Name: "OPERATOR__POOLREGISTRATIONRETRYSECONDS", Aliases: []string{"OPERATOR__DEPLOYMENTSITEREGISTRATIONRETRYSECONDS"}, Default: "30",
			parse:   retrySeconds(&c.PoolRetrySeconds),
			Meaning: "longest wait between tries to register a pool, may have a fraction; 0 or less: it is tried again only on the next connection"},
		{Name: "OPERATOR__AUTHENTICATION__ISSUERURI", Decides: true, parse: webURL(&c.Authentication.IssuerURI),
			Meaning: "issuer of the operator's access token (OIDC client credentials); if it or the client id is not set, no token is sent"},
		{Name: "OPERATOR__AUTHENTICATION__CLIENTID", parse: text(&c.Authentication.ClientID), Meaning: "the operator's client id"},
		{Name: "OPERATOR__AUTHENTICATION__CLIENTSECRET", Secret: true, parse: text(&c.Authentication.ClientSecret),
			Meaning: "the client's secret; not set: the operator asks for a token without it, and connects without a token if the issuer refuses"},
		{Name: "OPERATOR__AUTHENTICATION__TENANTID", parse: text(&c.Authentication.TenantID),
			Meaning: "tenant in which the client is registered, normally the system tenant"},
		{Name: "OPERATOR__ROOTCACERTIFICATE", parse: text(&c.RootCACertificate),
			Meaning: "PEM, trusted in addition to the system's roots, also by helm; into every release's values, `secrets.rootCa`"},
	}
}

func workloads(c *Config) []setting {
	d, s, i := &c.ClusterDependencies, &c.ClusterSecrets, &c.Ingress
	return []setting{
		{Name: "OPERATOR__BROKERUSER", parse: text(&c.Broker.User), Meaning: "into the pools' broker Secret, which is made in central mode"},
		{Name: "OPERATOR__BROKERPASSWORD", Secret: true, parse: text(&c.Broker.Password),
			Meaning: "into the pools' broker Secret, and into every release's Secret, `secrets.rabbitmq`"},
		{Name: "OPERATOR__BROKERHOST", parse: text(&c.Broker.Host), Meaning: "into the pool resources of G1"},
		{Name: "OPERATOR__BROKERVIRTUALHOST", parse: text(&c.Broker.VirtualHost), Meaning: "into the pool resources of G1"},
		{Name: "OPERATOR__BROKERPORT", Decides: true, parse: whole(&c.Broker.Port, 0), Meaning: "into the pool resources of G1"},
		{Name: "OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION", Default: "false", Decides: true, parse: boolean(&c.IgnoreCertificates),
			Meaning: "into the pool resources of G1"},
		{Name: "OPERATOR__INSTANCEPREFIX", parse: text(&c.InstancePrefix),
			Meaning: "into every release's values, `instancePrefix`, and the pool resources of G1"},
		{Name: "OPERATOR__WORKLOADCOMMUNICATIONCONTROLLERURI", parse: text(&c.WorkloadControllerURI),
			Meaning: "into every release's values, `communicationControllerServiceUri`; not set: the operator's own"},
		{Name: "OPERATOR__REPORTINGSERVICEURI", parse: text(&c.ReportingServiceURI), Meaning: "into every release's values, `reportingServiceUri`"},
		{Name: "OPERATOR__AUTHURI", parse: text(&c.AuthURI), Meaning: "into every release's values, `authUri`"},
		{Name: "OPERATOR__ADDITIONALVALIDISSUERS__n", each: issuers(&c.AdditionalValidIssuers),
			Meaning: "into every release's values, `additionalValidIssuers`; blank ones are dropped"},
		{Name: "OPERATOR__IMAGEREGISTRY", parse: text(&c.ImageRegistry), Meaning: "into every release's values, `image.privateRegistry`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__MONGODBHOST", parse: text(&d.MongoDBHost), Meaning: "into every release's values, `clusterDependencies.mongodbHost`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__MONGODBREPLICASET", parse: text(&d.MongoDBReplicaSet), Meaning: "`clusterDependencies.mongodbReplicaSet`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__RABBITMQHOST", parse: text(&d.RabbitMQHost), Meaning: "`clusterDependencies.rabbitMqHost`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__RABBITMQUSER", parse: text(&d.RabbitMQUser), Meaning: "`clusterDependencies.rabbitMqUser`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAHOST", parse: text(&d.StreamDataHost), Meaning: "`clusterDependencies.streamDataHost`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__STREAMDATAUSER", parse: text(&d.StreamDataUser), Meaning: "`clusterDependencies.streamDataUser`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__SYSTEMDATABASENAME", parse: text(&d.SystemDatabaseName), Meaning: "`clusterDependencies.systemDatabaseName`"},
		{Name: "OPERATOR__CLUSTERDEPENDENCIES__STREAMDATASCHEMAINSTANCEPREFIX", parse: text(&d.StreamDataSchemaInstancePrefix),
			Meaning: "`clusterDependencies.streamDataSchemaInstancePrefix`"},
		{Name: "OPERATOR__CLUSTERSECRETS__MONGODBUSERPASSWORD", Secret: true, parse: text(&s.MongoDBUserPassword),
			Meaning: "into the Secrets of releases that may have them, `secrets.databaseUser`"},
		{Name: "OPERATOR__CLUSTERSECRETS__MONGODBADMINPASSWORD", Secret: true, parse: text(&s.MongoDBAdminPassword), Meaning: "the same, `secrets.databaseAdmin`"},
		{Name: "OPERATOR__CLUSTERSECRETS__STREAMDATAPASSWORD", Secret: true, parse: text(&s.StreamDataPassword), Meaning: "the same, `secrets.streamDataPassword`"},
		{Name: "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__KEYID", Secret: true, each: encryptionKeys(&s.EncryptionKeys),
			Meaning: "the same, `secrets.secretEncryption.keys.{KEYID}`; the id keeps its case"},
		{Name: "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONACTIVEKEYID", parse: text(&s.ActiveKeyID),
			Meaning: "`secrets.secretEncryption.activeKeyId` of those releases; not set: the only key's id"},
		{Name: "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONLEGACYV1KEY", Secret: true, parse: text(&s.LegacyV1Key),
			Meaning: "into the Secrets of releases that may have them, `secrets.secretEncryption.legacyV1Key`"},
		{Name: "OPERATOR__IRONOCRLICENSEKEY", Secret: true, parse: text(&c.IronOCRLicenseKey),
			Meaning: "into the Secrets of releases of the chart `octo-mesh-adapter`, `secrets.ironOcrLicenseKey`"},
		{Name: "OPERATOR__DASH0__ENDPOINT", parse: text(&c.Dash0.Endpoint), Meaning: "into every release's values, `dash0.endpoint`"},
		{Name: "OPERATOR__DASH0__DATASET", parse: text(&c.Dash0.Dataset), Meaning: "into every release's values, `dash0.dataset`"},
		{Name: "OPERATOR__DASH0__ENVIRONMENT", parse: text(&c.Dash0.Environment), Meaning: "into every release's values, `dash0.environment`"},
		{Name: "OPERATOR__DASH0WEBAUTHTOKEN", Secret: true, parse: text(&c.Dash0.WebAuthToken),
			Meaning: "into the Secrets of releases of the charts `meshmakers-app` and `energy-community-app`, and of any that has the value among its defaults, " +
				"`secrets.dash0WebAuthToken`"},
		{Name: "OPERATOR__INGRESS__CLASSNAME", parse: text(&i.ClassName), Meaning: "into every release's values, `ingress.className`"},
		{Name: "OPERATOR__INGRESS__CLUSTERISSUER", parse: text(&i.ClusterIssuer),
			Meaning: "into every release's values, `ingress.annotations`, as `cert-manager.io/cluster-issuer`"},
		{Name: "OPERATOR__INGRESS__TLS", Decides: true, parse: optional(&i.TLS, boolean), Meaning: "into every release's values, `ingress.tls`"},
		{Name: "OPERATOR__INGRESS__ANNOTATIONS__n__NAME", each: annotations(&i.Annotations),
			Meaning: "into every release's values, `ingress.annotations`, where it overrides the cluster issuer's; one with a blank name or value is dropped"},
		{Name: "OPERATOR__INGRESS__ANNOTATIONS__n__VALUE", each: readWith, Meaning: "the annotation's value"},
		{Name: "OPERATOR__HELM__FORCECONFLICTS", Default: "false", Decides: true, parse: boolean(&c.Helm.ForceConflicts),
			Meaning: "helm takes over fields that somebody else has changed"},
	}
}

func listening(c *Config) []setting {
	return []setting{
		{Name: "KESTREL__ENDPOINTS__HTTP__URL", Default: "http://+:5000", parse: listenURL(&c.HTTPAddress, "http"),
			Meaning: "where `/health/live`, `/health/ready` and `/metrics` are served; without a port: 80"},
		{Name: "KESTREL__ENDPOINTS__HTTPS__URL", parse: listenURL(&c.HTTPS.Address, "https"),
			Meaning: "where the admission webhooks are served, `https://+:5001`; without a port: 443; not set: no HTTPS"},
		{Name: "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH", parse: text(&c.HTTPS.CertificateFile), Meaning: "PEM file of the webhooks' certificate, including the chain; read again when it changes"},
		{Name: "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH", parse: text(&c.HTTPS.KeyFile),
			Meaning: "PEM file of the certificate's key, not encrypted; not set: the key is in the certificate's file"},
		{Name: "OPERATOR__STATUSPAGE", Default: "http://127.0.0.1:5002", parse: statusPage(&c.StatusPage),
			Meaning: "where the status page is served, for `kubectl port-forward`; it has no login, so loopback addresses alone are taken, and another port than the " +
				"probes' and the webhooks'; `off`: there is none"},
	}
}

func own(c *Config) []setting {
	return []setting{
		{Name: "OPERATOR__STATEDIR", Decides: true, parse: stateDirectory(&c.StateDir),
			Meaning: "directory for run directories, charts and caches; absolute, without a comma; not set: `/var/lib/octo-operator`, or if that cannot be written " +
				"`/tmp/octo-operator` or `/dev/shm/octo-operator`"},
		{Name: "OPERATOR__SCRIPTSDIR", Decides: true, parse: directory(&c.ScriptsDir), Meaning: "directory with scripts of your own, see [scripts.md](scripts.md)"},
		{Name: "OPERATOR__TENANTSERVICEACCOUNT", Decides: true, parse: tenantAccount(&c.TenantAccount),
			Meaning: "service account that helm and kubectl impersonate for a tenant's workloads: `NAMESPACE/NAME`, such as `octo-tenants/octo-{tenant}`, or `NAME` " +
				"in the namespace of pools; see [tenants.md](tenants.md); not set: they have the operator's own rights"},
		{Name: "OPERATOR__MAXREPLICAS", Default: "100", parse: whole(&c.MaxReplicas, 1),
			Meaning: "the most replicas that a scaling may ask for"},
		{Name: "OPERATOR__CONCURRENCY", parse: whole(&c.Concurrency, 0),
			Meaning: "events that are worked on at the same time; any number more may wait for pods, or for their next try. Not set, or 0: two per core, at least two, " +
				"at most eight, and no more than the container's memory allows; the log record `helm at a time` says how many"},
		{Name: "OPERATOR__MEMORYLIMIT", parse: memory(&c.MemoryLimit),
			Meaning: "memory for the operator and its commands together, such as `512Mi`, if the limit cannot be read from the control group"},
		{Name: "OPERATOR__INDEXMAXAGE", Default: "10m", parse: duration(&c.IndexMaxAge, 0),
			Meaning: "if a deploy asks for an exact chart version that is in the cache: how old the repository's index may be; `0s`: the repository " +
				"is asked at each deploy"},
		{Name: "OPERATOR__HELM__TIMEOUT", Default: "5m", parse: duration(&c.Helm.Timeout, time.Second),
			Meaning: "how long a release may take to become ready, and how long a chart repository that cannot be reached is tried again"},
		{Name: "OPERATOR__FAILFAST", Default: "true", parse: boolean(&c.FailFast),
			Meaning: "stop waiting for a release within seconds if it can never become ready (an invalid image name, a Secret key that does not exist); `false`: wait all the same"},
		{Name: "OPERATOR__SCRIPTDEADLINE", parse: duration(&c.ScriptDeadline, time.Second),
			Meaning: "how long a script may run; then it is stopped, and its event has failed; not set: twice helm's timeout and 2 minutes"},
		{Name: "OPERATOR__SCRIPTMEMORY", parse: optional(&c.ScriptMemory, func(into *Bytes) func(string) error { return limit(into, leastHelm) }),
			Meaning: "memory that each process of a script (helm, kubectl) may allocate; beyond that its event fails; `0`: no limit. Not set: what the operator and other events " +
				"usually leave of the container's memory, at least 256 MiB if there is so much; `1Gi` if the container has no limit"},
		{Name: "OPERATOR__SCRIPTFILESIZE", Default: "128Mi", parse: limit(&c.ScriptFileSize, mebi),
			Meaning: "largest file that a script may write, a chart's archive too; beyond that its event fails; `0`: no limit"},
		{Name: "OPERATOR__SCRIPTOUTPUT", Default: "16Mi", parse: limit(&c.ScriptOutput, mebi),
			Meaning: "how much a script may write to stdout and stderr; beyond that it is stopped, and its event has failed. The first MiB goes to the log, " +
				"64 MiB of all tries together to `output.log`; `0`: no limit"},
		{Name: "OPERATOR__SHUTDOWNGRACE", Default: "10s", parse: duration(&c.ShutdownGrace, time.Second),
			Meaning: "how long the operator may take to end; set it to the pod's `terminationGracePeriodSeconds`"},
		{Name: "OPERATOR__CLUSTERJOURNAL", Default: "true", parse: boolean(&c.ClusterJournal),
			Meaning: "unfinished events are copied to the cluster, and one of several operators leads; `false`: for a single operator whose state directory is a persistent volume"},
		{Name: "OPERATOR__ALLOWEDREPOSITORIES__n", Aliases: []string{"OPERATOR__ALLOWEDREPOSITORIES"}, Decides: true,
			each: beginnings("OPERATOR__ALLOWEDREPOSITORIES", "http://, https:// or oci://", &c.Repositories.Allowed),
			Meaning: "prefix of the URLs of chart repositories that may be used, such as `https://charts.example.com/team` (includes `…/team/x`, but not `…/teams`) or " +
				"`oci://registry.example.com`; without the number: several, separated by commas; not set: any repository"},
		{Name: "OPERATOR__ALLOWEDREPOSITORYADDRESSES__n", Aliases: []string{"OPERATOR__ALLOWEDREPOSITORYADDRESSES"}, Decides: true,
			each: addresses(&c.Repositories.Addresses),
			Meaning: "address or network, such as `127.0.0.1` or `127.0.0.0/8`, at which a chart repository may be although it is the operator's own machine, " +
				"link-local, or a cloud's metadata; without the number: several, separated by commas"},
		{Name: "OPERATOR__ALLOWEDSCHEMAS__n", Aliases: []string{"OPERATOR__ALLOWEDSCHEMAS"}, Decides: true,
			each: beginnings("OPERATOR__ALLOWEDSCHEMAS", "http:// or https://", &c.Repositories.Schemas),
			Meaning: "prefix of the URLs to which a chart's `values.schema.json` may refer. helm downloads such documents itself, follows redirects and references, and " +
				"ignores the rules for repositories, so name only places to which nobody else can write; without the number: several, separated by commas; not set: none"},
		{Name: "OPERATOR__ALLOWPLAINCREDENTIALS", Default: "false", Decides: true, parse: boolean(&c.Repositories.PlainCredentials),
			Meaning: "a chart repository's credentials may be sent without TLS; to the operator's own machine they always may"},
		{Name: "OPERATOR__HELM__PLAINHTTP", Default: "false", Decides: true, parse: boolean(&c.Helm.PlainHTTP), Meaning: "`oci://` registries are contacted without TLS; credentials for them also need `OPERATOR__ALLOWPLAINCREDENTIALS`"},
		{Name: "OPERATOR__KEEPRUNS", Default: "100", parse: whole(&c.KeepRuns, 0), Meaning: "how many of the newest run directories are kept"},
		{Name: "OPERATOR__KEEPFAILEDHOURS", Default: "24", parse: hours(&c.KeepFailedRuns), Meaning: "how many hours those of failed runs are kept besides"},
		{Name: "OPERATOR__LOGFORMAT", Default: "text", parse: oneOf(&c.LogFormat, "text", "json"), Meaning: "`text`, or `json` for machines"},
		{Name: "OPERATOR__LOGLEVEL", Default: "info", parse: logLevel(&c.LogLevel), Meaning: "`debug`, `info`, `warn`, `error`"},
		{Name: "OPERATOR__INSECURESKIPVERIFY", Default: "false", Decides: true, parse: boolean(&c.InsecureTLS),
			Meaning: "the controller's TLS certificate is not verified; warned about at every start"},
		{Name: "OPERATOR__AUTHENTICATION__INSECURESKIPVERIFY", Default: "false", Decides: true, parse: boolean(&c.Authentication.InsecureTLS),
			Meaning: "the TLS certificate of the token's issuer is not verified, so that anybody in between can get the client's secret; warned about at every start"},
	}
}

// ignored returns names of the reference operator or its chart that may be set but change nothing here, each with the reason.
func ignored() []setting {
	return []setting{
		{Name: "OPERATOR__DEFAULTPOOLNAME", Meaning: "the chart sets it; early versions made a pool of that name themselves, today the controller names the pools"},
		{Name: "OPERATOR__IMAGEPULLSECRETNAME", Meaning: "the reference operator no longer uses it either, since workloads are Helm charts: set the pull secret in the workload's values"},
		{Name: "OPERATOR__OPERATORNAMESPACE", Meaning: "an early name of `OPERATOR__POOLNAMESPACE`"},
		{Name: "OPERATOR__DEVWEBHOOKHOST", Meaning: "only debug builds of the reference operator read it"},
		{Name: "OPERATOR__DEVWEBHOOKPORT", Meaning: "only debug builds of the reference operator read it"},
		{Name: "POD_NAMESPACE", Meaning: "the chart sets it; this operator uses `OPERATOR__POOLNAMESPACE` and `OPERATOR__WATCHNAMESPACE` instead"},
	}
}
