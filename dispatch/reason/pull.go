package reason

import "octo-operator/text"

// pullCauses are the reasons for which a chart cannot be pulled from a chart repository (http) or a registry (oci). helm 3.22 and 4.3
// have the same texts.
var pullCauses = []cause{
	{words: text.NewPattern(`no chart version found for |chart "[^"]*" version "[^"]*" not found in |[Cc]ould not locate a version matching provided version string`),
		line: noVersion},
	{words: text.NewPattern(`no chart name found|chart "[^"]*" not found in \S+ repository|/tags/list": response status code 404`), build: noChart},
	{words: text.NewPattern(`"FetchReference" on source: [^\s"]+: not found`),
		line: "the registry {repository} has no {chartVersion}: check chartName and chartVersion, or publish it"},
	{words: text.NewPattern(`basic credential not found`),
		line: "the registry {repository} asks for credentials, and the event brought none: set repositoryUsername and repositoryPassword"},
	{words: text.NewPattern(`: 401 Unauthorized|status code 401`),
		line: "the repository {repository} asks for valid credentials (401 Unauthorized): check repositoryUsername and repositoryPassword"},
	{words: text.NewPattern(`: 403 Forbidden|status code 403`),
		line: "the repository {repository} does not let this user read chart {chart} (403 Forbidden): check repositoryUsername, and what this user may read"},
	{words: text.NewPattern(`failed to fetch \S*/index\.yaml : 404`),
		line: "there is no chart repository at {repository} (404 Not Found for its index.yaml): check repositoryUrl"},
	{words: text.NewPattern(`failed to fetch (?P<url>\S+) : 404`),
		line: "the repository {repository} lists {chartVersion}, but does not have its archive {url} (404 Not Found): publish the chart again"},
	{words: text.NewPattern(`: (?P<status>429 Too Many Requests|5\d\d [A-Z][A-Za-z ]+)|status code (?P<status>429|5\d\d)`),
		line: "the repository {repository} fails ({status}): repair it, or deploy again later"},
	{words: text.NewPattern(`lookup (?P<host>[^\s:]+)[^\n]*: (?:no such host|server misbehaving|Temporary failure in name resolution)`),
		line: "the host {host} of repository {repository} is not known to DNS: check repositoryUrl"},
	{words: text.NewPattern(`server gave HTTP response to HTTPS client`),
		line: "the repository {repository} speaks plain HTTP, not HTTPS: write http:// in repositoryUrl, or set OPERATOR__HELM__PLAINHTTP=true for oci:// registries"},
	{words: text.NewPattern(`(?:tls: failed to verify certificate: )?(?P<why>(?:tls|x509): [^\n]+)`),
		line: "the certificate of repository {repository} cannot be verified ({why}): correct it, or name its authority in OPERATOR__ROOTCACERTIFICATE"},
	{words: text.NewPattern(`(?P<why>connection refused|connection reset by peer|no route to host|network is unreachable|broken pipe|EOF)\b`),
		line: "the repository {repository} cannot be reached ({why}): check repositoryUrl, and whether the repository runs"},
	killedFromOutside,
	{words: text.NewPattern(`Client\.Timeout|context deadline exceeded|i/o timeout|TLS handshake timeout|timeout awaiting|has not sent the chart|OPERATOR__SCRIPTDEADLINE`),
		line: "the repository {repository} does not answer in time: check repositoryUrl, and whether the repository is overloaded"},
	{words: text.NewPattern(`cannot unmarshal|error converting YAML|failed to decode response|invalid character '<'`),
		line: "what {repository} answers is not the index of a chart repository: check repositoryUrl"},
	{words: text.NewPattern(`manifest does not contain minimum number of descriptors|could not load config with mediatype|does not contain a layer with mediatype`),
		line: "what the registry {repository} has as {chartVersion} is not a Helm chart: check chartName"},
	{words: text.NewPattern(`no space left on device`),
		line: "the disk of the operator is full: {chartVersion} cannot be stored"},
	{words: text.NewPattern(`the index cannot be read: (?P<why>[^\n]+)`),
		line: "what {repository} answers is not the index of a chart repository ({why}): check repositoryUrl"},
}

const noVersion = "the repository {repository} has no version {version} of chart {chart}: check chartName and chartVersion, or publish that version"

// NoVersion says that the repository has the chart, but not the version.
func (f Failure) NoVersion() string { return match{facts: f.facts()}.fill(noVersion) }

// NoChart says that the repository does not have the chart.
func (f Failure) NoChart() string { return noChart(f, match{facts: f.facts()}) }

// noChart explains an index that does not contain the chart. If no version is asked for, helm says the same of a chart that has only
// pre-releases.
func noChart(f Failure, m match) string {
	if f.Version == "" {
		return m.fill("the repository {repository} has no chart {chart}, or only pre-releases of it: check chartName, or name a chartVersion")
	}
	return m.fill("the repository {repository} has no chart {chart}: check chartName, or publish the chart")
}
