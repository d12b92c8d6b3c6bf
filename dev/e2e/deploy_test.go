package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

const (
	appRtID    = "65d5c447b420da3fb12381c1"
	brokenRtID = "65d5c447b420da3fb12381c2"
)

func TestAWorkloadGoesAllTheWayThroughInEveryGeneration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		generation devcontroller.Generation
		kind       string
		release    string
		poolLabel  string
	}{
		{devcontroller.G1, "communicationpool", "acme-shop", "octo-mesh.meshmakers.io/pool=main-pool"},
		{devcontroller.G3, "communicationpool", "acme-" + appRtID, "octo-mesh.meshmakers.io/pool-rt-id=65d5c447b420da3fb12381bc"},
		{devcontroller.G4, "deploymentsite", "acme-" + appRtID, "octo-mesh.meshmakers.io/deployment-site-rt-id=65d5c447b420da3fb12381bc"},
	} {
		t.Run(string(test.generation), func(t *testing.T) {
			w := newWorld(t, test.generation)
			w.start()
			w.deployPool()
			cr := "acme-" + w.pool.ID
			if got := w.kubectl("get", test.kind, cr, "-o", "jsonpath={.spec}"); !strings.Contains(got, w.pool.ID) {
				t.Errorf("the pool's custom resource has spec %s, without %s", got, w.pool.ID)
			}
			if got := w.kubectl("get", "secret", cr+"-octo-mesh-connection", "-o", "go-template={{.data.brokerusername|base64decode}}:{{.data.brokerpassword|base64decode}}"); got != "octo:"+brokerPassword {
				t.Errorf("the broker secret holds %q", got)
			}

			app := w.workload("Shop", appRtID)
			app.ValuesYaml = "settings:\n  COLOUR: green\nreplicaCount: 2\n"
			app.Values = []devcontroller.Override{
				{Path: "secrets.apiKey", Value: "planted-api-key-77", IsSecret: true},
				{Path: "image.tag", Value: "1.10"},
				{Path: "ingress.enabled", Value: "false"},
				{Path: "port", Value: "9090"},
			}
			if s := w.deploy(app); !s.Success || s.TenantID != "acme" || s.WorkloadRtID != appRtID {
				t.Fatalf("reported %+v", s)
			}
			checkDeployed(w, test.release, test.poolLabel)

			w.must(w.controller.Undeploy(w.ctx, app))
			w.waitForLog(1, "event done", map[string]string{"release": test.release})
			w.waitForLog(2, "event done", map[string]string{"release": test.release})
			if left := w.kubectl("get", "deployments,secrets,configmaps", "-o", "name", "-l", "app.kubernetes.io/instance="+test.release); left != "" {
				t.Errorf("after the undeploy there is still: %s", left)
			}
			if left := w.kubectl("get", "secret", "-o", "name", "--ignore-not-found", test.release+"-octo-secrets"); left != "" {
				t.Errorf("after the undeploy there is still: %s", left)
			}

			w.waitForPoolStatus(test.kind, cr, "Registered")

			w.must(w.controller.PoolUndeployed(w.ctx, w.pool))
			w.waitForLog(2, "event done", map[string]string{"pool": w.pool.ID})
			if left := w.kubectl("get", "communicationpools,deploymentsites,secrets", "-o", "name"); left != "" {
				t.Errorf("after the pool's undeploy there is still: %s", left)
			}
		})
	}
}

func checkDeployed(w *world, release, poolLabel string) {
	w.Helper()
	if got := w.kubectl("get", "deployment", release, "-o", "jsonpath={.spec.replicas} {.status.readyReplicas} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].ports[0].containerPort}"); got != "2 2 demo/app:1.10 9090" {
		w.Errorf("the deployment has %q", got)
	}
	if got := w.kubectl("get", "configmap", release, "-o", "jsonpath={.data.COLOUR} {.data.TENANT_ID} {.data.ADAPTER_RT_ID}"); got != "green acme "+appRtID {
		w.Errorf("the config map has %q", got)
	}
	if got := w.kubectl("get", "secret", release+"-octo-secrets", "-o", `go-template={{index .data "secrets.apiKey"|base64decode}} {{index .data "secrets.rabbitmq"|base64decode}}`); got != "planted-api-key-77 "+brokerPassword {
		w.Errorf("the release's secret holds %q", got)
	}
	if got := w.kubectl("get", "deployment", release, "-o", `jsonpath={.spec.template.spec.containers[0].env[?(@.name=="API_KEY")].valueFrom.secretKeyRef}`); !strings.Contains(got, release+"-octo-secrets") || !strings.Contains(got, "secrets.apiKey") {
		w.Errorf("the container's API_KEY comes from %s", got)
	}
	labels := w.kubectl("get", "secret", "sh.helm.release.v1."+release+".v1", "--show-labels", "--no-headers")
	for _, label := range []string{poolLabel, "octo-mesh.meshmakers.io/tenant=acme", "octo-mesh.meshmakers.io/workload-rt-id=" + appRtID, "octo-mesh.meshmakers.io/managed-by=communication-operator"} {
		if !strings.Contains(labels, label) {
			w.Errorf("the release lacks the label %s: %s", label, labels)
		}
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(w.helm("get", "values", release, "-o", "json")), &values); err != nil {
		w.Fatal(err)
	}
	if values["tenantId"] != "acme" {
		w.Errorf("helm get values has %v", values)
	}
}

func TestABrokenWorkloadIsReportedWithHelmsReason(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__HELM__TIMEOUT=15s"} // for so long the image is pulled in vain
	w.start()
	w.deployPool()
	for _, test := range []struct {
		name   string
		change func(*devcontroller.Workload)
		want   []string // parts of the message
	}{
		{"the chart's schema", func(b *devcontroller.Workload) { b.ValuesYaml = "replicaCount: many" }, []string{"replicaCount", "integer", "schema"}},
		{"an image that cannot be pulled", func(b *devcontroller.Workload) { b.ValuesYaml = "image: {repository: registry.example/does-not-exist}" }, []string{"cannot be pulled", "registry.example/does-not-exist", "uninstalled"}},
		{"values that are not YAML", func(b *devcontroller.Workload) { b.ValuesYaml = "a: 1\n  b: 2" }, []string{"valuesYaml", "line 2"}},
		{"values that are a list", func(b *devcontroller.Workload) { b.ValuesYaml = "- a" }, []string{"valuesYaml", "map"}},
		{"a malformed path", func(b *devcontroller.Workload) { b.Values = []devcontroller.Override{{Path: "a[x]", Value: "1"}} }, []string{"a[x]", "index"}},
		{"a chart that does not exist", func(b *devcontroller.Workload) { b.ChartName = "no-such-chart" }, []string{"no-such-chart", openCharts.URL}},
		{"a version that does not exist", func(b *devcontroller.Workload) { b.ChartVersion = "9.9.9" }, []string{"demo-app", "9.9.9"}},
		{"a repository that is not there", func(b *devcontroller.Workload) { b.RepositoryURL = "http://127.0.0.1:1" }, []string{"http://127.0.0.1:1", "refused"}},
		{"a URL of another kind", func(b *devcontroller.Workload) { b.RepositoryURL = "file:///etc" }, []string{"repositoryUrl"}},
		{"a flag for a chart", func(b *devcontroller.Workload) { b.ChartName = "--post-renderer=x" }, []string{"chartName"}},
	} {
		broken := w.workload("Broken: "+test.name, brokenRtID)
		test.change(&broken)
		s := w.deploy(broken)
		t.Logf("%s: %s", test.name, s.StatusMessage)
		if s.Success {
			t.Errorf("%s: reported as success", test.name)
		}
		for _, part := range test.want {
			if !strings.Contains(s.StatusMessage, part) {
				t.Errorf("%s: the message lacks %q: %s", test.name, part, s.StatusMessage)
			}
		}
	}
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Errorf("after ten failures a good deploy fails: %s", s.StatusMessage)
	}
}

func TestChartsComeFromEveryKindOfRepository(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	for i, test := range []struct {
		name, url, user, password, version string
		success                            bool
	}{
		{"http", openCharts.URL, "", "", "1.2.0", true},
		{"http, newest version", openCharts.URL, "", "", "", true},
		{"http with credentials", closedCharts.URL, chartUser, chartPassword, "1.2.0", true},
		{"http with wrong credentials", closedCharts.URL, chartUser, "planted-wrong-password-99", "1.2.0", false},
		{"oci", openCharts.OCI, "", "", "1.2.0", true},
		{"oci, newest version", openCharts.OCI, "", "", "", true},
		{"oci with credentials", closedCharts.OCI, chartUser, chartPassword, "1.2.0", true},
		{"oci with wrong credentials", closedCharts.OCI, chartUser, "planted-wrong-password-99", "1.2.0", false},
	} {
		app := w.workload(test.name, "65d5c447b420da3fb12390"+string(rune('a'+i%6))+string(rune('0'+i)))
		app.RepositoryURL, app.RepositoryUsername, app.RepositoryPassword, app.ChartVersion = test.url, test.user, test.password, test.version
		s := w.deploy(app)
		t.Logf("%s: %s", test.name, s.StatusMessage)
		if s.Success != test.success {
			t.Errorf("%s: success is %v: %s", test.name, s.Success, s.StatusMessage)
		}
		if !test.success && !strings.Contains(s.StatusMessage, "401") && !strings.Contains(strings.ToLower(s.StatusMessage), "unauthorized") {
			t.Errorf("%s: the message does not speak of credentials: %s", test.name, s.StatusMessage)
		}
	}
}
