package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"

	"octo-operator/dev/devcontroller"
)

// failures are the cases, grouped by the operator that they need. Those in the first group end at once; behind a wait of five minutes
// they would not end in time.
var failures = []struct {
	name     string
	operator func(*world)
	cases    []failureCase
}{
	{"at once", (*world).withAMissingNamespace, []failureCase{
		{name: "bad-chart-name", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) { app.ChartName = "no-such-chart" }},
		{name: "bad-version", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) { app.ChartVersion = "9.9.9" }},
		{name: "repository-401", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) {
			app.RepositoryURL, app.RepositoryUsername, app.RepositoryPassword = closedCharts.URL, chartUser, planted+"wrong-password"
		}},
		{name: "repository-403", left: untouched, breaks: func(w *world, app *devcontroller.Workload) { app.RepositoryURL = w.forbiddingRepository() }},
		{name: "repository-404", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) { app.RepositoryURL += "/elsewhere" }},
		{name: "invalid-yaml", left: untouched, breaks: values("replicaCount: 1\n  port: 80")},
		{name: "schema-violation", worked: true, left: untouched, breaks: values("port: 99999")},
		{name: "template-error", chart: "broken", worked: true, left: untouched, breaks: values("database: {host: null}")},
		{name: "immutable-field", chart: "broken", worked: true, left: untouched, breaks: values("component: worker")},
		{name: "field-conflict", worked: true, left: untouched, breaks: values("image: {tag: '3.0'}"),
			given: func(w *world, app devcontroller.Workload) {
				w.kubectl("set", "image", "deployment/"+releaseOf(app.Name), "app=demo/app:2.0")
			}},
		{name: "admission-policy", worked: true, left: untouched, breaks: values("image: {tag: latest}"),
			given: func(w *world, _ devcontroller.Workload) { w.forbidLatest() }},
		{name: "admission-webhook", worked: true, left: untouched, breaks: values("settings: {COLOUR: red}"),
			given: func(w *world, app devcontroller.Workload) { w.freeze(releaseOf(app.Name)) }},
		{name: "missing-namespace", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) { app.Type = devcontroller.AdapterPool }},
		{name: "name-clash", left: untouched, breaks: values(""),
			given: func(w *world, app devcontroller.Workload) {
				w.helm("install", releaseOf(app.Name), "../../testdata/charts/tiny-1.0.0", "--labels", "octo-mesh.meshmakers.io/tenant=ACME")
			}},
		{name: "invalid-image-name", left: uninstalled, breaks: values("image: {repository: Demo/App}")},
		{name: "missing-secret-key", worked: true, left: rolledBack, breaks: func(_ *world, app *devcontroller.Workload) {
			app.ValuesYaml = fmt.Sprintf("secrets: {token: {valueFrom: {secretKeyRef: {name: %s-octo-secrets, key: does-not-exist}}}}", releaseOf(app.Name))
		}},
		{name: "failing-hook", chart: "broken", worked: true, left: rolledBack, breaks: values("migration: true")},
	}},
	{"after a wait", func(w *world) { w.env = []string{"OPERATOR__HELM__TIMEOUT=20s", "OPERATOR__FAILFAST=false"} }, []failureCase{
		{name: "repository-down", left: untouched, breaks: func(_ *world, app *devcontroller.Workload) { app.RepositoryURL = "http://127.0.0.1:1" }},
		{name: "repository-slow", left: untouched, breaks: func(w *world, app *devcontroller.Workload) { app.RepositoryURL = w.silentRepository() }},
		{name: "quota", chart: "broken", left: uninstalled, breaks: values("resources: {limits: {nvidia.com/gpu: 1}}"),
			given: func(w *world, _ devcontroller.Workload) { w.forbidGPUs() }},
		{name: "image-pull", worked: true, left: rolledBack, breaks: values("image: {repository: registry.example/does-not-exist}")},
		{name: "crash-loop", worked: true, left: rolledBack, breaks: values("crash: true")},
		{name: "unschedulable", chart: "broken", left: uninstalled, breaks: values("nodeSelector: {disk: fast}")},
		{name: "failing-probe", chart: "broken", worked: true, left: rolledBack, breaks: values("readinessProbe: {httpGet: {path: /does-not-exist, port: 80}}")},
		{name: "invalid-image-name-waited-for", left: uninstalled, breaks: values("image: {repository: Demo/App}")},
		{name: "timeout", left: uninstalled, breaks: values("podAnnotations: {octo-dev/ready-after: 10m}")},
	}},
	{"in a namespace for tenants", (*world).asForTenants, refusedByKubernetes},
	{"with a role of its own", (*world).asServiceAccount, []failureCase{
		{name: "rbac", worked: true, left: untouched, breaks: values("ingress: {enabled: true}")},
	}},
}

func values(yaml string) func(*world, *devcontroller.Workload) {
	return func(_ *world, app *devcontroller.Workload) { app.ValuesYaml = yaml }
}

// withAMissingNamespace makes the operator deploy adapter pools to a namespace that does not exist, with a role that allows that: the
// chart's role is bound in each namespace, and would itself be the cause of the failure.
func (w *world) withAMissingNamespace() {
	w.env = []string{"OPERATOR__PLATFORMNAMESPACE=" + w.namespace + "-missing", "KUBECONFIG=" + os.Getenv("KUBECONFIG")}
}

func (w *world) forbiddingRepository() (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", http.StatusForbidden) }))
	w.Cleanup(server.Close)
	return server.URL
}

// silentRepository accepts connections and never answers.
func (w *world) silentRepository() (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	w.Cleanup(func() { listener.Close() })
	return "http://" + listener.Addr().String()
}

func (w *world) forbidGPUs() {
	w.Helper()
	w.kubectl("create", "quota", "gpus", "--hard=requests.nvidia.com/gpu=0")
	known := func() bool { return w.kubectl("get", "quota", "gpus", "-o", "jsonpath={.status.used}") != "" }
	if !w.eventually(known) {
		w.Fatal("the quota is not looked after")
	}
}

// forbidLatest refuses images without a fixed tag, by a policy for the test's namespace only.
func (w *world) forbidLatest() {
	w.Helper()
	name := w.namespace + "-fixed-tags"
	w.applyJSON(fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":%q},"spec":{
		"matchConstraints":{"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["CREATE","UPDATE"],"resources":["deployments"]}]},
		"validations":[{"expression":"object.spec.template.spec.containers.all(c, !c.image.endsWith(':latest'))","message":"images need a fixed tag"}]}}`, name))
	w.applyJSON(fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding","metadata":{"name":%[1]q},"spec":{
		"policyName":%[1]q,"validationActions":["Deny"],"matchResources":{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%[2]q}}}}}`, name, w.namespace))
	w.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", name).Run()
	})
	w.waitUntilRefused("create", "deployment", "any", "--image=any:latest")
}

// freeze makes a webhook refuse every change of a release's Deployment.
func (w *world) freeze(release string) {
	w.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var review struct{ Request struct{ UID string } }
		_ = json.NewDecoder(r.Body).Decode(&review)
		fmt.Fprintf(rw, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":%q,"allowed":false,"status":{"message":"no changes before Monday"}}}`, review.Request.UID)
	}))
	w.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	w.applyJSON(fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"%[1]s-freeze"},"webhooks":[{
		"name":"freeze.%[1]s.example","clientConfig":{"url":%[2]q,"caBundle":%[3]q},"sideEffects":"None","admissionReviewVersions":["v1"],
		"rules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["CREATE","UPDATE"],"resources":["deployments"]}],
		"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%[1]q}},"objectSelector":{"matchLabels":{"app.kubernetes.io/instance":%[4]q}}}]}`,
		w.namespace, server.URL, base64.StdEncoding.EncodeToString(authority), release))
	w.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "validatingwebhookconfigurations", w.namespace+"-freeze").Run()
	})
	w.waitUntilRefused("label", "deployment", release, "any=label")
}

// waitUntilRefused waits until the API server refuses a command, after a policy or webhook was created.
func (w *world) waitUntilRefused(command ...string) {
	w.Helper()
	refused := func() bool {
		return osexec.Command("kubectl", append(command, "--dry-run=server", "--namespace", w.namespace)...).Run() != nil
	}
	if !w.eventually(refused) {
		w.Fatalf("kubectl %v is not refused", command)
	}
}

// asServiceAccount gives the operator only the rights of a role without Ingresses.
func (w *world) asServiceAccount() {
	w.Helper()
	w.kubectl("create", "serviceaccount", "operator")
	w.kubectl("create", "role", "operator", "--verb=*", "--resource=secrets,configmaps,services,serviceaccounts,pods,events,"+
		"deployments.apps,replicasets.apps,statefulsets.apps,leases.coordination.k8s.io,"+
		"communicationpools.octo-mesh.meshmakers.io,communicationpools.octo-mesh.meshmakers.io/status,"+
		"deploymentsites.octo-mesh.meshmakers.io,deploymentsites.octo-mesh.meshmakers.io/status")
	w.kubectl("create", "rolebinding", "operator", "--role=operator", "--serviceaccount="+w.namespace+":operator")
	file := filepath.Join(w.TempDir(), "kubeconfig")
	w.must(os.WriteFile(file, []byte(w.kubectl("config", "view", "--raw")), 0o600))
	w.kubectl("config", "set-credentials", "operator", "--kubeconfig", file, "--token", w.kubectl("create", "token", "operator"))
	w.kubectl("config", "set-context", "--current", "--kubeconfig", file, "--user", "operator")
	w.env = []string{"KUBECONFIG=" + file}
}
