package reason

import "octo-operator/text"

// deployCauses are the reasons for which helm and kubectl could not change the cluster. Those of the chart itself come first, because a
// chart may print any text.
var deployCauses = []cause{
	{words: text.NewPattern(`(?m)^\s*octo-operator: (?P<why>(?:the manifest is refused|cannot look at the manifest): [^\n]+)`), build: manifestRefused},

	{words: text.NewPattern(`(?m)^Error: (?:UPGRADE FAILED: )?execution error at \((?P<place>[^)]*)\):\s*(?P<why>[^\n]+)`),
		line: "chart {chart} refuses the values: {why} ({place})"},
	{words: text.NewPattern(`(?m)^Error: (?:UPGRADE FAILED: )?parse error at \((?P<place>[^)]*)\): (?P<why>[^\n]+)`),
		line: "a template of chart {chart} cannot be read: {why} ({place}): correct the chart"},
	{words: executing, build: templateFails},
	{words: text.NewPattern(`YAML parse error on (?P<place>[^\s:]+): (?:error converting YAML to JSON: )?(?:yaml: )?(?P<why>[^\n]+)`),
		line: "template {place} makes no valid YAML of these values: {why}: correct the values or the chart"},
	{words: text.NewPattern(`(?m)^(?P<why>[^\n]* is not valid against metaschema)`),
		line: "the values.schema.json of chart {chart} is itself not valid: correct the chart"},
	{words: text.NewPattern(`values don't meet the specifications of the schema`), build: schemaViolated},

	{words: text.NewPattern(`chart requires kubeVersion: (?P<want>\S[^\n]*?) which is incompatible with Kubernetes (?P<have>\S+)`),
		line: "{chartVersion} is for Kubernetes {want}, and the cluster has {have}: deploy another version of the chart"},
	{words: text.NewPattern(`library charts are not installable`),
		line: "{chartVersion} is a library for other charts and deploys nothing: check chartName"},
	{words: text.NewPattern(`found in Chart\.yaml, but missing in charts/ directory: (?P<missing>[^\n]+)`),
		line: "{chartVersion} was published without the charts that it depends on ({missing}): publish it again after helm dependency build"},
	{words: text.NewPattern(`does not appear to be a gzipped archive|chart archive|Chart\.yaml file is missing`),
		line: "what the repository has as {chartVersion} is not a Helm chart: publish it again"},
	{words: text.NewPattern(`Secret "sh\.helm\.release\.[^"]+" is invalid: data: Too long`),
		line: "{chartVersion} with its values is larger than the 1 MiB (packed) that helm can store of a release: make the chart or the values smaller"},

	{words: text.NewPattern(`another operation \(install/upgrade/rollback\) is in progress`),
		line: "release {release} is locked: another helm works on it, or was killed while it did: wait until it ends, or undeploy the workload and deploy it again"},
	{words: text.NewPattern(`has no deployed releases|no revision for release "`),
		line: "release {release} has no revision that was ever deployed: undeploy the workload and deploy it again"},
	{words: text.NewPattern(`Error: release: not found|release has no (?P<revision>\d+) version`),
		line: "release {release} cannot be rolled back: the revision is not there any more"},
	{words: text.NewPattern(`(?P<kind>\w+) "(?P<name>[^"]+)" in namespace "[^"]*" exists and cannot be imported into the current release: (?P<why>[^\n]+)`), build: existsAlready},
	{words: text.NewPattern(`no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)"`),
		line: "the cluster does not know the kind {kind} ({version}), which chart {chart} uses: install its CustomResourceDefinition, or turn this part of the chart off in the values"},
	{words: text.NewPattern(`error validating data: (?P<what>kind|apiVersion) not set|Object '(?P<what>Kind|apiVersion)' is missing in `),
		line: "chart {chart} makes an object without {what}: correct the chart"},
	{words: text.NewPattern(`conflicts? with "`), build: conflictFound},

	{words: text.NewPattern(`namespaces "(?P<missing>[^"]+)" not found`), build: noNamespace},
	{words: text.NewPattern(`the namespace from the provided object "(?P<other>[^"]+)" does not match the namespace "`),
		line: "chart {chart} puts an object into namespace {other}, and the workload belongs into {namespace}: correct the values or the chart"},
	{words: text.NewPattern(`unable to create new content in namespace (?P<ending>\S+) because it is being terminated`),
		line: "namespace {ending} is being deleted: wait until it is gone, create it again and deploy again"},

	{words: text.NewPattern(`failed calling webhook "(?P<hook>[^"]+)": (?P<why>[^\n]+)`), build: webhookUnreachable},
	{words: text.NewPattern(`admission webhook "(?P<hook>[^"]+)" denied the request(?:: (?P<why>[^\n]+))?`), build: webhookRefuses},
	{words: text.NewPattern(`(?:(?P<kind>[\w.]+) "(?P<name>[^"]+)" is (?:forbidden|invalid): (?:: )?)?ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']*' denied request: (?P<why>[^\n]+)`),
		line: "{object} is refused by the cluster's ValidatingAdmissionPolicy {policy}: {why}: change the values or the chart"},
	{words: text.NewPattern(`User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)" (?P<where>in the namespace "[^"]+"|at the cluster scope)`), build: roleLacks},
	{words: text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: user "[^"]*" [^\n]*is attempting to grant RBAC permissions not currently held`),
		line: "{object} grants permissions that the operator does not have itself: add them to the operator's role, or turn this part of the chart off in the values"},
	{words: text.NewPattern(`the server has asked for the client to provide credentials|\bUnauthorized\b`),
		line: "the API server does not accept the operator's credentials: check its service account or its KUBECONFIG"},
	{words: text.NewPattern(`cluster unreachable: (?P<why>[^\n]+)|(?P<why>The connection to the server \S+ was refused)|failed to download openapi: (?P<why>[^\n]+)`), build: apiServerAway},

	{words: exceededQuota, line: quotaLine},
	{words: text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: \[?(?P<why>(?:maximum|minimum) \S+ usage per [^\n]+?)\]?(?:\n|$)`),
		line: "{object} is outside of the limits (LimitRange) of namespace {namespace}: {why}: change resources in the values, or the limits"},
	{words: violatesPodSecurity, build: podSecurityRefuses},
	{words: text.NewPattern(`\([^/(]*/(?P<name>[^;\s]+); [^,]*, Kind=(?P<kind>\w+)\): (?:errors:\s+)?(?P<field>\.[^\n]*?): field not declared in schema`),
		line: "{object} has a field that the cluster does not know: {field}: correct its name or its place in the chart or the values"},
	{words: text.NewPattern(`(?P<kind>\w+) in version "[^"]*" cannot be handled as a \w+: strict decoding error: unknown field "(?P<field>[^"]+)"`),
		line: "{kind} has a field that the cluster does not know: {field}: correct its name or its place in the chart or the values"},
	{words: text.NewPattern(`\([^/(]*/(?P<name>[^;\s]+); [^,]*, Kind=(?P<kind>\w+)\)(?: to proper version)?: (?:errors:\s+)?(?:unable to convert [^\n]*?, Kind=\w+: )?(?P<why>[^\n]+)`), build: wrongType},
	{words: text.NewPattern(`(?P<kind>\w+) in version "[^"]*" cannot be handled as a \w+: (?:json: )?(?P<why>[^\n]+)`), build: wrongType},
	{words: text.NewPattern(`(?P<kind>[A-Z][\w.-]*) "(?P<name>[^"]*)" is invalid:\s+(?P<problem>[^\n]*(?:\n\* [^\n]+)*)`), build: invalidObject},
	{words: text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" (?P<why>already exists)`),
		line: "{object} exists already: it is twice in the chart, or something else made it: delete it, or turn it off in the values"},
	{words: text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: octo-operator: (?P<why>[^\n]+)`), line: "{object} is left alone: {why}"},
	{words: text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: (?P<why>[^\n]+)`),
		line: "the cluster refuses {object}: {why}"},

	{words: text.NewPattern(`(?P<why>(?:Get|Post|Put|Patch|Delete) "https://[^"]+": [^\n]+|etcdserver: [^\n]+|http2: client connection lost|the server is currently unable to handle the request)`), build: apiServerAway},

	{words: text.NewPattern(`failed (?P<hook>(?:pre|post)-install): |(?P<hook>(?:pre|post)-upgrade) hooks failed: `), build: hookFails},
	{words: text.NewPattern(`OPERATOR__SCRIPTDEADLINE`),
		line: "{step} hangs and was stopped: look into its output.log, or allow it more time with OPERATOR__SCRIPTDEADLINE"},
	killedFromOutside,
	{words: text.NewPattern(`resource (?P<kind>\w+)/[^/\s]*/(?P<name>\S+) not ready\. status: (?P<status>\w+), message: *(?P<why>[^\n]*)`), build: waitEnds},
	{words: text.NewPattern(`context deadline exceeded|timed out waiting for the condition`), build: waitEnds},
}

// killedFromOutside is mostly the kernel, in a container that has run out of memory.
var killedFromOutside = cause{words: text.NewPattern(`killed by SIGKILL|signal: killed|(?m)^(\S+: line \d+: +\d+ )?Killed\b`),
	line: "{step} was killed from outside (SIGKILL), often for want of memory: raise the memory limit of the operator's pod, or lower OPERATOR__CONCURRENCY or OPERATOR__SCRIPTMEMORY"}

var (
	exceededQuota       = text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: exceeded quota: (?P<quota>[^,\s]+), requested: (?P<requested>[^\n]*?), used: (?P<used>[^\n]*?), limited: (?P<limited>[^\n]+)`)
	quotaLine           = "{object} does not fit into the ResourceQuota {quota} of namespace {namespace} (requested {requested}, used {used}, limit {limited}): ask for less in the values, or raise the quota"
	violatesPodSecurity = text.NewPattern(`(?P<kind>[\w.]+) "(?P<name>[^"]+)" is forbidden: violates PodSecurity "(?P<level>[^":]+)[^"]*": (?P<why>[^\n]+)`)
)
