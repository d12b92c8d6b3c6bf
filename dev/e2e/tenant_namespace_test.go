package e2e

import (
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// tenantNamespace is the namespace of docs/security.md: Pod Security, a quota and a policy. The API server accepts the objects that
// create pods, and refuses their pods: only the events of a ReplicaSet or a Job say so.
const tenantNamespace = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: tenants}
spec:
  hard: {requests.cpu: "2", requests.memory: 4Gi, limits.memory: 8Gi, pods: "20", services.loadbalancers: "0", services.nodeports: "0"}
---
apiVersion: v1
kind: LimitRange
metadata: {name: tenants}
spec:
  limits: [{type: Container, defaultRequest: {cpu: 10m, memory: 64Mi}, default: {memory: 128Mi}, max: {memory: 2Gi}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE-images}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations:
  - expression: object.spec.containers.all(c, c.image.startsWith('registry.example/'))
    message: images come from registry.example alone
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE-images}
spec:
  policyName: NAMESPACE-images
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
`

// asForTenants makes the test's namespace one for tenants.
func (w *world) asForTenants() {
	w.Helper()
	w.env = []string{"OPERATOR__HELM__TIMEOUT=20s", "KUBECONFIG=" + os.Getenv("KUBECONFIG")} // the chart's role does not allow Jobs and pods
	w.kubectl("label", "namespace", w.namespace, "pod-security.kubernetes.io/enforce=restricted")
	w.apply(strings.ReplaceAll(tenantNamespace, "NAMESPACE", w.namespace))
	w.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", w.namespace+"-images").Run()
	})
	w.waitUntilRefused("run", "probe", "--image=busybox", `--overrides={"spec":`+confined+`}`)
}

const confined = `{"securityContext":{"runAsNonRoot":true,"runAsUser":1000,"seccompProfile":{"type":"RuntimeDefault"}},` +
	`"containers":[{"name":"probe","image":"busybox","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}`

// hostPath is refused by Pod Security; the rest of the pod is as required.
const hostPath = ", volumes: [{name: host, hostPath: {path: /}}]"

// withPods is a template of a Deployment, a Job or a pod, with additions to its container and its pod.
func withPods(kind, image, container, pod string) string {
	const labels = "abels: {app.kubernetes.io/instance: '{{ .Release.Name }}'}"
	restart := "Always"
	if kind == "Job" {
		restart = "Never"
	}
	spec := "spec: {restartPolicy: " + restart + ", containers: [{name: app, image: " + image + container + ", securityContext: " +
		"{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}}]" + pod + "}"
	template := "template: {metadata: {l" + labels + "}, " + spec + "}"
	metadata := "metadata: {name: '{{ .Release.Name }}', l" + labels + "}\n"
	switch kind {
	case "Pod":
		return "apiVersion: v1\nkind: Pod\n" + metadata + spec
	case "Job":
		return "apiVersion: batch/v1\nkind: Job\n" + metadata + "spec: {" + template + "}"
	}
	return "apiVersion: apps/v1\nkind: Deployment\n" + metadata + "spec: {selector: {matchL" + labels + "}, " + template + "}"
}

// tenantImage is an image that the policy allows.
const tenantImage = "registry.example/app:1"

var refusedByKubernetes = []failureCase{
	{name: "pod-security-deployment", left: uninstalled, breaks: renders(withPods("Deployment", tenantImage, "", hostPath))},
	{name: "pod-security-job", left: uninstalled, breaks: renders(withPods("Job", tenantImage, "", hostPath))},
	{name: "pod-security-pod", left: untouched, breaks: renders(withPods("Pod", tenantImage, "", hostPath))},
	{name: "tenant-quota-deployment", left: uninstalled, breaks: renders(withPods("Deployment", tenantImage, greedy, ""))},
	{name: "tenant-quota-job", left: uninstalled, breaks: renders(withPods("Job", tenantImage, greedy, ""))},
	{name: "tenant-quota-pod", left: untouched, breaks: renders(withPods("Pod", tenantImage, greedy, ""))},
	{name: "tenant-limits-deployment", left: uninstalled, breaks: renders(withPods("Deployment", tenantImage, ", resources: {limits: {memory: 3Gi}}", ""))},
	{name: "tenant-policy-deployment", left: uninstalled, breaks: renders(withPods("Deployment", "elsewhere.example/app:1", "", ""))},
	{name: "tenant-policy-job", left: uninstalled, breaks: renders(withPods("Job", "elsewhere.example/app:1", "", ""))},
	{name: "tenant-policy-pod", left: untouched, breaks: renders(withPods("Pod", "elsewhere.example/app:1", "", ""))},
}

const greedy = ", resources: {requests: {cpu: 3}}"

func renders(template string) func(*world, *devcontroller.Workload) {
	return func(w *world, app *devcontroller.Workload) {
		anything := w.rendering(template)
		app.ChartName, app.ChartVersion, app.ValuesYaml = anything.ChartName, anything.ChartVersion, anything.ValuesYaml
	}
}

func TestWhatKeepsToTheRulesOfANamespaceForTenantsIsDeployed(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.asForTenants()
	w.start()
	w.deployPool()
	for _, kind := range []string{"Deployment", "Job"} {
		if s := w.deploy(w.rendering(withPods(kind, tenantImage, "", ""))); !s.Success {
			t.Errorf("%s: %s", kind, s.StatusMessage)
		}
	}
}
