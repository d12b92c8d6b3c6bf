package reason

import (
	"strings"

	"octo-operator/text"
)

// existsAlready explains an object that helm does not adopt, because it does not belong to the release.
func existsAlready(_ Failure, m match) string {
	if owner := ownerRelease.FindStringSubmatch(m.facts["why"]); owner != nil {
		return m.with("owner", owner[1]).
			fill("{object} in namespace {namespace} belongs to release {owner}, not to {release}: give it another name in the values, or undeploy {owner}")
	}
	return m.fill("{object} exists already in namespace {namespace} and belongs to no helm release: delete it, or give the chart's another name in the values")
}

var ownerRelease = text.NewPattern(`"meta\.helm\.sh/release-name" must equal "[^"]*": current value is "([^"]+)"`)

func noNamespace(f Failure, m match) string {
	if missing := m.facts["missing"]; missing != f.Namespace {
		return m.fill("chart {chart} puts an object into namespace {missing}, which does not exist: correct the values, or create the namespace")
	}
	return m.fill("namespace {namespace} does not exist, and the operator does not create it: create it, or correct OPERATOR__POOLNAMESPACE or OPERATOR__PLATFORMNAMESPACE")
}

// webhookUnreachable explains an admission webhook that does not answer the API server.
func webhookUnreachable(f Failure, m match) string {
	hook := m.facts["hook"]
	if f.Webhook != "" {
		hook += " (of " + f.Webhook + ")"
	}
	return m.with("hook", hook, "why", strings.TrimPrefix(m.facts["why"], "failed to call webhook: ")).withoutURL().
		fill("the webhook {hook} that the API server asks cannot be reached: {why}: whoever runs the cluster must repair it or remove it")
}

// withoutURL removes the failed request from the beginning of the fact "why": nobody can act on its URL.
func (m match) withoutURL() match {
	return m.with("why", requestBefore.ReplaceAllString(m.facts["why"], ""))
}

var requestBefore = text.NewPattern(`^(?:Get|Post|Put|Patch|Delete) "[^"]*": `)

// apiServerAway explains an API server that could not be reached, or to which the connection was lost.
func apiServerAway(_ Failure, m match) string {
	return m.withoutURL().fill("the API server of the cluster cannot be reached: {why}")
}

func webhookRefuses(_ Failure, m match) string {
	if m.facts["why"] == "" {
		m = m.with("why", "it gives no reason")
	}
	return m.fill("{object} is refused by the cluster's admission webhook {hook}: {why}: change the values or the chart")
}

// podSecurityRefuses names what a pod lacks; the tool's own words say for each container how to correct it.
func podSecurityRefuses(_ Failure, m match) string {
	why, todo := inBrackets.ReplaceAllString(m.facts["why"], ""), "set the securityContext in the values"
	if ofTheNode.MatchString(why) {
		why, todo = m.facts["why"], "take that out of the values or the chart"
	}
	return m.with("why", why, "todo", todo).
		fill("{object} is refused by the Pod Security level {level} of namespace {namespace}: {why}: {todo}, or change the level")
}

// ofTheNode matches what no securityContext can allow: hostPath volumes, the node's network, its ports.
var ofTheNode = text.NewPattern(`(?i)volume|\bhost`)

var inBrackets = text.NewPattern(` \([^)]*\)?`)

// roleLacks explains a missing permission of the operator, or of the tenant's account.
func roleLacks(f Failure, m match) string {
	if group := m.facts["group"]; group != "" {
		m = m.with("resource", m.facts["resource"]+"."+group)
	}
	if f.Account != "" && m.facts["user"] == f.Account {
		where := strings.NewReplacer("in the namespace", "in namespace", "at the cluster scope", "in the whole cluster", `"`, "").Replace(m.facts["where"])
		return m.with("where", where).
			fill("the tenant's service account {user} may not {verb} {resource} {where}: add that to its role, or turn this part of the chart off in the values")
	}
	if m.facts["where"] == "at the cluster scope" {
		return m.fill("the operator may not {verb} {resource} in the whole cluster: allow it in a ClusterRole, or turn this part of the chart off in the values")
	}
	where := strings.ReplaceAll(strings.TrimPrefix(m.facts["where"], "in the "), `"`, "")
	return m.with("where", where).
		fill("the operator's role does not allow it to {verb} {resource} in {where}: add that to its Role, or turn this part of the chart off in the values")
}

// wrongType explains a value of the wrong type for its field.
func wrongType(_ Failure, m match) string {
	why := m.facts["why"]
	for _, plain := range plainTypes {
		why = plain.words.ReplaceAllString(why, plain.text)
	}
	return m.with("why", why).fill("{object} is not valid: {why}: correct the values or the chart")
}

// plainTypes translate the type names of Go's and Kubernetes' libraries.
var plainTypes = []struct {
	words *text.Pattern
	text  string
}{
	{text.NewPattern(`cannot unmarshal (\w+) into Go struct field (\S+) of type (\S+)`), "$2: expected $3, got a $1"},
	{text.NewPattern(`&value\.valueUnstructured\{Value:(.*)\}`), "$1"},
	{text.NewPattern(`, got &\{(.*)\}`), ", got $1"},
	{text.NewPattern(`quantities must match the regular expression .*`), "a quantity must be a number such as 0.5, 100m or 1Gi"},
	{text.NewPattern(`numeric \(int or float\)`), "a number"},
}

// invalidObject explains the first error that the API server finds in an object.
func invalidObject(_ Failure, m match) string {
	problem, others := firstProblem(m.facts["problem"])
	m = m.with("problem", problem+more(others))
	switch {
	case !immutable.MatchString(problem):
		return m.fill("{object} is not valid: {problem}: correct the values or the chart")
	case strings.HasPrefix(m.fact("object"), "PersistentVolumeClaim "):
		return m.fill("{object} exists, and cannot be changed in this way: {problem}: keep the old value")
	}
	return m.fill("{object} exists, and cannot be changed in this way: {problem}: keep the old value, or delete the object and deploy again")
}

var immutable = text.NewPattern(`field is immutable|(?:cannot|may not|can not) be (?:changed|updated|modified)|may not change once set|updates to statefulset spec for fields other than`)

// problemKinds matches how Kubernetes' validation begins to describe a problem, after the field.
const problemKinds = `(?:Invalid value|Required value|Unsupported value|Duplicate value|Forbidden|Too long|Too many|Too few|Not found|Internal error)`

var (
	problemStart = text.NewPattern(`(?:^\[?|, |(?:^|\n)\* )([^\s,]*): ` + problemKinds + `\b`)
	invalidValue = text.NewPattern(`^Invalid value: ("(?:[^"\\]|\\.)*"|\{.*?\}|\[.*?\]|[^:\s]+): (.*)$`)
	exampleRegex = text.NewPattern(` \(e\.g\. .*`)
)

// firstProblem returns the first of the problems that the API server has with an object, and how many others there are. They come as "a:
// b", as "[a: b, c: d]" or, from kubectl, as lines "* a: b".
func firstProblem(problems string) (problem string, others int) {
	starts := problemStart.FindAllStringSubmatchIndex(problems, -1)
	if len(starts) == 0 {
		first, _, _ := strings.Cut(problems, "\n")
		return first, 0
	}
	end := len(problems)
	if len(starts) > 1 {
		end = starts[1][0]
	}
	first, _, _ := strings.Cut(problems[starts[0][2]:end], "\n")
	if strings.HasPrefix(problems, "[") {
		first = strings.TrimSuffix(first, "]")
	}
	field, why, _ := strings.Cut(first, ": ")
	if value := invalidValue.FindStringSubmatch(why); value != nil {
		why = exampleRegex.ReplaceAllString(value[2], "")
		if !strings.ContainsAny(value[1][:1], "{[") {
			why += " (got " + value[1] + ")"
		}
	}
	why = strings.TrimPrefix(why, "Forbidden: ")
	if !strings.ContainsAny(field, "abcdefghijklmnopqrstuvwxyz") || field == "<nil>" { // it is about the object as a whole
		return why, len(starts) - 1
	}
	return field + ": " + why, len(starts) - 1
}
