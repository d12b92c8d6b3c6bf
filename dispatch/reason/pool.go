package reason

import "octo-operator/text"

// poolCauses are the reasons for which a pool's resource or its broker secret could not be changed. There is no chart to correct: the
// cause is the cluster, or the operator's settings.
var poolCauses = []cause{
	{words: text.NewPattern(`failed calling webhook "(?P<hook>[^"]+)": (?P<why>[^\n]+)`), build: webhookUnreachable},
	{words: text.NewPattern(`admission webhook "(?P<hook>[^"]+)" denied the request(?:: (?P<why>[^\n]+))?`),
		line: "the pool is refused by the cluster's admission webhook {hook}: {why}"},
	{words: text.NewPattern(`ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']*' denied request: (?P<why>[^\n]+)`),
		line: "the pool is refused by the cluster's ValidatingAdmissionPolicy {policy}: {why}"},
	{words: text.NewPattern(`no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)"`),
		line: "the cluster does not know the kind {kind} ({version}): install its CustomResourceDefinition"},
	{words: text.NewPattern(`the server could not find the requested resource \(patch (?P<resource>[^\s)]+)`),
		line: "the cluster does not know {resource}: install its CustomResourceDefinition"},
	{words: text.NewPattern(`Kind=(?P<kind>\w+)\): (?:errors:\s+)?(?P<field>\.[^\n]*?): field not declared in schema`),
		line: "the cluster's CustomResourceDefinition of {kind} does not have the field {field}: install the one that belongs to the controller"},
	{words: text.NewPattern(`namespaces "(?P<missing>[^"]+)" not found`),
		line: "namespace {missing} does not exist, and the operator does not create it: create it, or correct OPERATOR__POOLNAMESPACE"},
	{words: text.NewPattern(`unable to create new content in namespace (?P<ending>\S+) because it is being terminated`),
		line: "namespace {ending} is being deleted: create it again when it is gone"},
	{words: text.NewPattern(`User "[^"]*" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "[^"]*" in the namespace "(?P<where>[^"]+)"`),
		line: "the operator's role does not allow it to {verb} {resource} in namespace {where}: add that to its role"},
	{words: text.NewPattern(`the server has asked for the client to provide credentials|\bUnauthorized\b`),
		line: "the API server does not accept the operator's credentials: check its service account or its KUBECONFIG"},
	{words: text.NewPattern(`(?P<kind>[A-Z][\w.-]*) "(?P<name>[^"]*)" is invalid:\s+(?P<problem>[^\n]*(?:\n\* [^\n]+)*)`), build: invalidPool},
	{words: text.NewPattern(`(?P<why>The connection to the server \S+ was refused)|(?P<why>(?:Get|Post|Put|Patch|Delete) "https://[^"]+": [^\n]+|etcdserver: [^\n]+|http2: client connection lost)`), build: apiServerAway},
	killedFromOutside,
	{words: text.NewPattern(`OPERATOR__SCRIPTDEADLINE`), line: "{step} hangs and was stopped: look into its output.log"},
}

func invalidPool(_ Failure, m match) string {
	problem, others := firstProblem(m.facts["problem"])
	return m.with("problem", problem+more(others)).fill("the cluster does not take {object}: {problem}")
}
