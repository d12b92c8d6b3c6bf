package handlers

// pullCauses are why a chart cannot be had: from a chart repository (http) or a registry (oci). helm 3.22 and 4.3 say the same.
var pullCauses = []cause{
	{words: newPattern(`no chart version found for |chart "[^"]*" version "[^"]*" not found in |[Cc]ould not locate a version matching provided version string`),
		line: noVersion},
	{words: newPattern(`no chart name found|chart "[^"]*" not found in \S+ repository|/tags/list": response status code 404`), made: noChart},
	{words: newPattern(`"FetchReference" on source: [^\s"]+: not found`),
		line: "the registry {repository} has no {chartVersion}: check chartName and chartVersion, or publish it"},
	{words: newPattern(`basic credential not found`),
		line: "the registry {repository} asks for credentials, and the event brought none: set repositoryUsername and repositoryPassword"},
	{words: newPattern(`: 401 Unauthorized|status code 401`),
		line: "the repository {repository} asks for valid credentials (401 Unauthorized): check repositoryUsername and repositoryPassword"},
	{words: newPattern(`: 403 Forbidden|status code 403`),
		line: "the repository {repository} does not let this user read chart {chart} (403 Forbidden): check repositoryUsername, and what this user may read"},
	{words: newPattern(`failed to fetch \S*/index\.yaml : 404`),
		line: "there is no chart repository at {repository} (404 Not Found for its index.yaml): check repositoryUrl"},
	{words: newPattern(`failed to fetch (?P<url>\S+) : 404`),
		line: "the repository {repository} lists {chartVersion}, but does not have its archive {url} (404 Not Found): publish the chart again"},
	{words: newPattern(`: (?P<status>429 Too Many Requests|5\d\d [A-Z][A-Za-z ]+)|status code (?P<status>429|5\d\d)`),
		line: "the repository {repository} fails ({status}): repair it, or deploy again later"},
	{words: newPattern(`lookup (?P<host>[^\s:]+)[^\n]*: (?:no such host|server misbehaving|Temporary failure in name resolution)`),
		line: "the host {host} of repository {repository} is not known to DNS: check repositoryUrl"},
	{words: newPattern(`server gave HTTP response to HTTPS client`),
		line: "the repository {repository} speaks plain HTTP, not HTTPS: write http:// in repositoryUrl, or set OPERATOR__HELM__PLAINHTTP=true for oci:// registries"},
	{words: newPattern(`(?:tls: failed to verify certificate: )?(?P<why>(?:tls|x509): [^\n]+)`),
		line: "the certificate of repository {repository} cannot be verified ({why}): correct it, or name its authority in OPERATOR__ROOTCACERTIFICATE"},
	{words: newPattern(`(?P<why>connection refused|connection reset by peer|no route to host|network is unreachable|broken pipe|EOF)\b`),
		line: "the repository {repository} cannot be reached ({why}): check repositoryUrl, and whether the repository runs"},
	killedFromOutside,
	{words: newPattern(`Client\.Timeout|context deadline exceeded|i/o timeout|TLS handshake timeout|timeout awaiting|has not sent the chart|OPERATOR__SCRIPTDEADLINE`),
		line: "the repository {repository} does not answer in time: check repositoryUrl, and whether the repository is overloaded"},
	{words: newPattern(`cannot unmarshal|error converting YAML|failed to decode response|invalid character '<'`),
		line: "what {repository} answers is not the index of a chart repository: check repositoryUrl"},
	{words: newPattern(`manifest does not contain minimum number of descriptors|could not load config with mediatype|does not contain a layer with mediatype`),
		line: "what the registry {repository} has as {chartVersion} is not a Helm chart: check chartName"},
	{words: newPattern(`no space left on device`),
		line: "the disk of the operator is full: {chartVersion} cannot be stored"},
	{words: newPattern(`the index cannot be read: (?P<why>[^\n]+)`),
		line: "what {repository} answers is not the index of a chart repository ({why}): check repositoryUrl"},
}

const noVersion = "the repository {repository} has no version {version} of chart {chart}: check chartName and chartVersion, or publish that version"

// noChart explains an index without a chart. Without a version helm also says that of a chart with pre-releases alone.
func noChart(f failure, m match) string {
	if f.version == "" {
		return m.fill("the repository {repository} has no chart {chart}, or only pre-releases of it: check chartName, or name a chartVersion")
	}
	return m.fill("the repository {repository} has no chart {chart}: check chartName, or publish the chart")
}
