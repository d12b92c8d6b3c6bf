package reason

import (
	"cmp"
	"strings"

	"octo-operator/text"
)

// findingCauses are the reasons for which pods do not become ready, matched against what was seen of them. What pods and events say never
// explains an error of helm or kubectl: a pod's "connection refused" does not come from the API server.
var findingCauses = []cause{
	{words: text.NewPattern(container + `InvalidImageName\b(?:.*image (?:name|tag) "(?P<image>[^"]*)")?`),
		line: `pod {pod}: the image name "{image}" of container {container} is not valid: correct the image's repository and tag in the values`},
	{words: text.NewPattern(container + `ErrImageNeverPull\b`),
		line: "pod {pod}: the image of container {container} is not on the node, and imagePullPolicy Never forbids to pull it: change imagePullPolicy in the values"},
	{words: text.NewPattern(container + `(?:ImagePullBackOff|ErrImagePull|RegistryUnavailable|SignatureValidationFailed)\b(?P<why>.*)`), build: imageNotPulled},
	{words: text.NewPattern(container + `CreateContainerConfigError: (?P<kind>secret|configmap) "(?P<name>[^"]+)" not found`),
		line: "pod {pod}: container {container} needs the {kind} {name}, which does not exist: create it, or correct its name in the values"},
	{words: text.NewPattern(container + `CreateContainerConfigError: couldn't find key (?P<key>.+) in (?P<kind>Secret|ConfigMap) [^/\s]+/(?P<name>\S+)`),
		line: "pod {pod}: container {container} needs the key {key} of {kind} {name}, which does not have it: add it there, or correct the key in the values"},
	{words: text.NewPattern(container + `.*exec: \\?"(?P<command>[^"\\]+)\\?": (?P<why>[^:(]+)`),
		line: "pod {pod}: the command {command} of container {container} cannot be run ({why}): correct the command in the values, or the image"},
	{words: text.NewPattern(container + `(?:CreateContainerConfigError|CreateContainerError|RunContainerError): (?P<why>.+?)(?: \(pod: .*)?$`),
		line: "pod {pod}: container {container} cannot be started: {why}"},
	{words: text.NewPattern(container + `.*\b(?:OOMKilled)\b`),
		line: "pod {pod}: container {container} was killed because it uses more memory than its limit: raise resources.limits.memory in the values"},
	{words: text.NewPattern(container + `(?P<state>CrashLoopBackOff|was restarted)\b.*\(last: (?P<last>.+?)\)?$`),
		line: "pod {pod}: container {container} starts and ends again and again, last with {last}: look into its log (kubectl logs {pod} -c {container} --previous -n {namespace}, while the pod is there)"},
	{words: text.NewPattern(container + `CrashLoopBackOff\b`),
		line: "pod {pod}: container {container} starts and ends again and again: look into its log (kubectl logs {pod} -c {container} --previous -n {namespace}, while the pod is there)"},
	{words: text.NewPattern(container + `(?:terminated: |Error\b)(?P<last>.*)`),
		line: "pod {pod}: container {container} has ended with {last}: look into its log (kubectl logs {pod} -c {container} -n {namespace}, while the pod is there)"},
	{words: text.NewPattern(`persistentvolumeclaim (?P<claim>\S+): ProvisioningFailed: (?P<why>.+)`),
		line: "PersistentVolumeClaim {claim} gets no volume: {why}: correct its storage class or size in the values, or the cluster's storage"},
	{words: text.NewPattern(`pod (?P<pod>\S+): (?:Unschedulable|FailedScheduling|SchedulerError): (?P<why>.+?)(?:\.? preemption: .*)?$`),
		line: "no node of the cluster takes pod {pod} ({why}): correct nodeSelector, tolerations or resources in the values, or add a node"},
	{words: text.NewPattern(`pod (?P<pod>\S+): (?:FailedMount|FailedAttachVolume): (?P<why>.+)`),
		line: "pod {pod}: a volume cannot be mounted: {why}: correct the volumes in the values, or make what they need"},
	{words: text.NewPattern(`pod (?P<pod>\S+): (?:Evicted|Preempting|OutOf\w+): (?P<why>.+?)\.?$`),
		line: "pod {pod} was removed from its node: {why}: set resources in the values to what it needs, or add a node"},
	{words: text.NewPattern(`pod (?P<pod>\S+): (?:container (?P<container>\S+): )?(?:Unhealthy: )?(?P<probe>Readiness|Startup|Liveness) probe (?:failed|errored)[^:]*: (?P<why>.+)`), build: probeFails},
	{words: exceededQuota, line: quotaLine},
	{words: text.NewPattern(`pods "[^"]*" is forbidden: failed quota: (?P<quota>\S+): (?P<why>.+)`),
		line: "no pod can be made, because of the ResourceQuota {quota} of namespace {namespace}: {why}: set resources in the values"},
	{words: violatesPodSecurity, build: podSecurityRefuses},
	{words: text.NewPattern(maker + `.*ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']*' denied request: (?P<why>.+)`),
		line: "{owner} cannot make its pods: the cluster's ValidatingAdmissionPolicy {policy} refuses them: {why}: change the values or the chart"},
	{words: text.NewPattern(maker + `.*admission webhook "(?P<hook>[^"]+)" denied the request: (?P<why>.+)`),
		line: "{owner} cannot make its pods: the cluster's admission webhook {hook} refuses them: {why}: change the values or the chart"},
	{words: text.NewPattern(maker + `.* is forbidden: \[?(?P<why>(?:maximum|minimum) \S+ usage per .+?)\]?$`),
		line: "{owner} cannot make its pods: they are outside of the limits (LimitRange) of namespace {namespace}: {why}: change resources in the values, or the limits"},
	{words: text.NewPattern(`error looking up service account [^/]*/(?P<account>[^:\s]+): `),
		line: "no pod can be made: the service account {account} does not exist in namespace {namespace}: create it, or correct its name in the values"},
	{words: text.NewPattern(maker + `(?P<why>.+)`),
		line: "{owner} cannot make its pods: {why}"},
	{words: text.NewPattern(`(?i)job (?P<job>[^\s:]+): (?:failed: )?(?P<why>BackoffLimitExceeded|DeadlineExceeded|PodFailurePolicy)\b`),
		line: "Job {job} failed ({why}): look into the logs of its pods"},
}

// maker matches the beginning of a finding about an object that cannot create its pods.
const maker = `(?P<owner>\w+ \S+): FailedCreate: (?:Error creating: )?`

// container matches the beginning of a finding about a container.
const container = `pod (?P<pod>\S+): container (?P<container>\S+): `

// notReady returns the cause if only the wait has failed: what the cluster says is wrong, or else what is not ready.
func (f Failure) notReady() string {
	for _, c := range findingCauses {
		for _, line := range append([]string{f.Hopeless}, f.Seen...) {
			if explained := c.explain(f, line); explained != "" {
				return explained
			}
		}
	}
	m := match{facts: f.facts()}
	switch {
	case f.Hopeless != "":
		return m.with("why", f.Hopeless).fill("waiting does not help: {why}")
	case len(f.Seen) > 0:
		return m.with("why", f.Seen[0]).fill("not everything is ready: {why}")
	case len(f.Waiting) > 0:
		return m.with("what", f.Waiting[0]+more(len(f.Waiting)-1)).
			fill("not ready within {timeout}: {what}: look at its pods while it waits, or raise OPERATOR__HELM__TIMEOUT if it needs longer")
	}
	return ""
}

// waitEnds explains that helm has waited in vain.
func waitEnds(f Failure, m match) string {
	if line := f.notReady(); line != "" {
		return line
	}
	if m.facts["why"] == "" {
		return m.fill("release {release} was not ready within {timeout}: look at its pods while it waits, or raise OPERATOR__HELM__TIMEOUT if it needs longer")
	}
	return m.fill("{kind} {name} was not ready within {timeout} ({why}): look at its pods while it waits, or raise OPERATOR__HELM__TIMEOUT if it needs longer")
}

// hookFails explains a hook of the chart that failed or did not end: which Job it is, and what its pods say.
func hookFails(f Failure, m match) string {
	words := m.words[m.from:]
	if job := hookJob.FindStringSubmatch(words); job != nil {
		m = m.with("job", ", Job "+job[1]+job[2]+",")
	}
	end := "failed"
	if hookUnfinished.MatchString(words) {
		end = "did not end within {timeout}"
	}
	why := cmp.Or(f.notReady(), "look into the logs of its pods")
	return m.fill("the {hook} hook of chart {chart}{job} "+end) + ": " + why
}

var (
	hookJob        = text.NewPattern(`resource Job/[^/\s]*/(\S+) not ready|(?m:^\s*\* job (\S+) failed)`)
	hookUnfinished = text.NewPattern(`status: InProgress|timed out waiting for the condition`)
)

// imageNotPulled distinguishes a missing image, missing permissions and an unreachable registry, as far as the container runtime does.
func imageNotPulled(_ Failure, m match) string {
	why := m.facts["why"]
	if image := quotedImage.FindStringSubmatch(why); image != nil {
		m = m.with("image", " "+image[1])
	}
	todo := "check its name and tag in the values, and the pull secret"
	for _, known := range pullProblems {
		if known.words.MatchString(why) {
			todo = known.todo
			break
		}
	}
	return m.with("todo", todo).fill("pod {pod}: the image {image} of container {container} cannot be pulled: {todo}")
}

var quotedImage = text.NewPattern(`image "([^"]+)"`)

var pullProblems = []struct {
	words *text.Pattern
	todo  string
}{
	{text.NewPattern(`(?i)unauthorized|authentication required|authorization failed|\bdenied\b|no basic auth credentials|\b40[13]\b`),
		"its registry does not allow it: check the name, the pull secret and OPERATOR__IMAGEPULLSECRETNAME"},
	{text.NewPattern(`(?i)no such host|connection refused|i/o timeout|context deadline exceeded|no route to host|TLS handshake|x509: `),
		"its registry cannot be reached: check the name, and whether the registry runs"},
	{text.NewPattern(`(?i)not found|manifest unknown|name unknown`),
		"it does not exist: check its name and tag in the values"},
}

// probeFails explains a container that runs and is not ready.
func probeFails(_ Failure, m match) string {
	if m.facts["container"] == "" {
		m = m.with("container", "its container")
	} else {
		m = m.with("container", "container "+m.facts["container"])
	}
	m = m.with("probe", strings.ToLower(m.facts["probe"]))
	return m.fill("pod {pod}: {container} runs but is not ready, its {probe} probe fails: {why}: look into its log, or correct the probe in the values")
}
