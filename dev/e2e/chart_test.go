package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// operatorName is the chart's default name of its objects.
const operatorName = "communication-operator"

// installChart installs the chart into the test's namespace. The ports are values, so that tests can run in parallel. Webhooks must
// answer, so that the test notices if they do not.
func (w *world) installChart(values ...string) {
	w.Helper()
	http, https := freePort(w), freePort(w)
	all := append([]string{
		"octo-mesh-crds.enabled=false", // they belong to the suite's own release
		"operator.autoManagePools=true", "operator.communicationControllerUri=" + w.controller.URL(), "operator.poolNamespace=" + w.namespace,
		"broker.host=rabbitmq", "broker.username=octo", "broker.password=" + brokerPassword,
		"operator.clusterSecrets.mongodbUserPassword=" + plantedMongo,
		"serviceHooks.failurePolicy=Fail", "service.port=8443",
		fmt.Sprintf("pod.httpPort=%d,configMap.kestrelHttpUrl=http://127.0.0.1:%d", http, http),
		fmt.Sprintf("pod.httpsPort=%d,configMap.kestrelHttpsUrl=https://127.0.0.1:%d", https, https),
		"settings.LOGFORMAT=json",
		"operator.allowedRepositoryAddresses[0]=127.0.0.0/8", // the tests' repositories are on this machine
		"extraEnv[0].name=POD_NAMESPACE,extraEnv[0].valueFrom.fieldRef.fieldPath=metadata.namespace",
	}, values...)
	w.helm("install", w.namespace, chartDir, "--set", strings.Join(all, ","))
	w.Cleanup(func() {
		_ = osexec.Command("helm", "uninstall", w.namespace, "--namespace", w.namespace).Run() // with the cluster-wide objects
	})
}

// serveService replaces kube-proxy for a Service with one port: connections to its address reach the pod's port of that name.
func (w *world) serveService(name string, p pod) {
	w.Helper()
	var service struct {
		Spec struct {
			ClusterIP string
			Ports     []struct {
				Port       int
				TargetPort string
			}
		}
	}
	w.must(json.Unmarshal([]byte(w.kubectl("get", "service", name, "--output", "json")), &service))
	port := service.Spec.Ports[0]
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", service.Spec.ClusterIP, port.Port))
	w.must(err)
	w.Cleanup(func() { listener.Close() })
	target := fmt.Sprintf("127.0.0.1:%d", p.port(w.T, port.TargetPort))
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
		}
	}()
}

func (p pod) port(t *testing.T, name string) int {
	t.Helper()
	for _, port := range p.Spec.Containers[0].Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	t.Fatalf("the container has no port %s", name)
	return 0
}

// startPod starts the operator as the pod of the installed chart, and makes its Service lead to it.
func (w *world) startPod() pod {
	w.Helper()
	p := w.admittedPod(operatorName)
	w.serveService(operatorName, p)
	w.inPod(p)
	w.start()
	return p
}

// Each scope runs alone: with scope cluster the operator watches all namespaces, and would register the pools of others.
func TestTheInstalledChartDoesTheMainJobUnderItsOwnRole(t *testing.T) {
	for scope, generation := range map[string]devcontroller.Generation{"cluster": devcontroller.G4, "namespace": devcontroller.G3} {
		t.Run(scope, func(t *testing.T) {
			w := newWorldAlone(t, generation)
			w.installChart("rbac.scope=" + scope)
			p := w.startPod()
			w.probe200(p)
			w.wantConfined()

			w.deployPool() // through both webhooks: if they did not answer, it would be refused
			app := w.workload("Shop", appRtID)
			app.ReceivesClusterSecrets = true
			app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: plantedOverride, IsSecret: true}}
			app.ValuesYaml = "podAnnotations: {octo-dev/ready-after: 2s}"
			after := w.controller.LastSeq()
			w.must(w.controller.Deploy(w.ctx, app))
			if !w.eventually(func() bool { return strings.Contains(w.journal(), "kind: Secret") }) {
				t.Error("what is unfinished is not in the cluster")
			}
			if s := w.waitForStatus(app, after); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			if r := w.scale(app, 3); !r.Success {
				t.Error(r.StatusMessage)
			}
			if leases := w.kubectl("get", "leases", "--output", "name"); !strings.Contains(leases, "octo-operator-") {
				t.Errorf("leases: %q", leases)
			}
			w.must(w.controller.PreUpdateTenant(w.ctx, "acme"))
			w.waitForLog(1, "tenant updated: its work goes on", nil)
			w.must(w.controller.Undeploy(w.ctx, app))
			w.waitUntilGone("deployments", "acme-"+appRtID)
			w.must(w.controller.PoolUndeployed(w.ctx, w.pool))
			w.waitUntilGone("communicationpools,deploymentsites", "acme-"+w.pool.ID)
			w.waitForEmptyJournal()

			began := time.Now()
			w.signal(w.operator)
			if code := w.operator.exitCode(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if took, grace := time.Since(began), p.Spec.TerminationGracePeriodSeconds; took > time.Duration(grace)*time.Second {
				t.Errorf("it took %v to end, of %d s", took, grace)
			}
			w.wantNothingRefused()
		})
	}
}

func (w *world) waitUntilGone(kinds, name string) {
	w.Helper()
	gone := func() bool { return w.kubectl("get", kinds, name, "--ignore-not-found", "--output", "name") == "" }
	if !w.eventually(gone) {
		w.Fatalf("%s is still there; the operator's log:\n%s", name, w.operator.text())
	}
}

// wantNothingRefused makes sure that no request of the service accounts in the test's namespace was refused.
func (w *world) wantNothingRefused() {
	w.Helper()
	all, refused, err := audit(w.namespace)
	w.must(err)
	if len(all) == 0 {
		w.Error("the operator has asked nothing of the API server: it did not work under its role")
	}
	for _, request := range refused {
		w.Errorf("the chart's role does not allow: %s", request)
	}
	if strings.Contains(w.operator.text(), "is forbidden") {
		w.Errorf("something was forbidden; the operator's log:\n%s", w.operator.text())
	}
}

// probe200 sends the kubelet's probes, and connects to each of the container's ports.
func (w *world) probe200(p pod) {
	w.Helper()
	c := p.Spec.Containers[0]
	for _, probe := range []struct{ Path, Port string }{c.LivenessProbe.HTTPGet, c.ReadinessProbe.HTTPGet} {
		url := fmt.Sprintf("http://127.0.0.1:%d%s", p.port(w.T, probe.Port), probe.Path)
		said := ""
		answers200 := func() bool {
			response, err := http.Get(url)
			if err != nil {
				said = err.Error()
				return false
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			said = string(text)
			return response.StatusCode == http.StatusOK
		}
		if !w.eventually(answers200) {
			w.Fatalf("%s: %s\nthe operator's log:\n%s", url, said, w.operator.text())
		}
	}
	if len(c.Ports) != 2 {
		w.Errorf("the container has the ports %v, want http and https", c.Ports)
	}
	for _, port := range c.Ports {
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port.ContainerPort))
		if err != nil {
			w.Errorf("port %s: %v", port.Name, err)
			continue
		}
		connection.Close()
	}
}

// wantConfined makes sure that the process is confined as the pod's security contexts say: otherwise the test would prove nothing.
func (w *world) wantConfined() {
	w.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.operator.cmd.Process.Pid))
	w.must(err)
	want := []string{"NoNewPrivs:\t1\n", "CapBnd:\t0000000000000000\n", "CapEff:\t0000000000000000\n"}
	if os.Geteuid() == 0 {
		want = append(want, "Uid:\t10001\t10001\t10001\t10001\n", "Gid:\t10001\t10001\t10001\t10001\n", "Groups:\t10001 \n")
	}
	for _, line := range want {
		if !strings.Contains(string(status), line) {
			w.Errorf("the operator's process lacks %q:\n%s", line, status)
		}
	}
	for _, path := range []string{"/", "/etc", "/usr/local/bin", "/var"} {
		if err := os.WriteFile(filepath.Join(w.inside(path), "written"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
			w.Errorf("%s is not read-only: %v", path, err)
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", w.operator.cmd.Process.Pid))
	w.must(err)
	if bytes.Contains(environ, []byte("OCTO_CLUSTER_DIR")) || !bytes.Contains(environ, []byte("POD_NAMESPACE="+w.namespace+"\x00")) {
		w.Errorf("the environment is not the pod's: %s", bytes.ReplaceAll(environ, []byte{0}, []byte{'\n'}))
	}
	for _, secret := range []string{brokerPassword, plantedMongo} {
		if bytes.Contains(environ, []byte(secret)) {
			w.Errorf("%s is in the environment, not in a file", secret)
		}
	}
}

func TestWebhooksOfTheChartReachTheOperatorAndOnlyForItsOwnNamespace(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.installChart("operator.autoManagePools=false", "operator.watchNamespace="+w.namespace)
	create := func(namespace string, args ...string) (string, error) {
		cmd := osexec.Command("kubectl", append([]string{"create", "--namespace", namespace, "-f", "-"}, args...)...)
		cmd.Stdin = strings.NewReader(`{"apiVersion":"octo-mesh.meshmakers.io/v1alpha1","kind":"CommunicationPool",
			"metadata":{"name":"main"},"spec":{"tenantId":"acme","poolRtId":"65d5c447b420da3fb12381bc"}}`)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	said := ""
	refused := func() bool { // the API server takes a moment to notice the webhooks
		out, err := create(w.namespace, "--dry-run=server")
		said = out
		return err != nil
	}
	if !w.eventually(refused) || !strings.Contains(said, `failed calling webhook "mutate.communicationpool.octo-mesh.meshmakers.io"`) {
		t.Errorf("while no operator answers: %s", said)
	}
	w.kubectl("delete", "mutatingwebhookconfigurations", w.namespace+"-"+operatorName)
	validated := func() bool {
		said, _ = create(w.namespace, "--dry-run=server")
		return strings.Contains(said, `failed calling webhook "validate.communicationpool.octo-mesh.meshmakers.io"`)
	}
	if !w.eventually(validated) {
		t.Errorf("while no operator answers the validating webhook: %s", said)
	}
	if out, err := create("default", "--dry-run=server"); err != nil {
		t.Errorf("in another namespace: %s", out)
	}

	w.helm("upgrade", w.namespace, chartDir, "--reuse-values") // creates the deleted objects again
	w.startPod()
	if out, err := create(w.namespace); err != nil {
		t.Errorf("with the operator: %s", out)
	}
	w.waitForPoolStatus("communicationpool", "main", "Registered")
}

func TestAnUpgradeOfTheChartKeepsTheCertificateAndRollsThePodsOfAChangedSetting(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.installChart()
	certificate := func() string {
		return w.kubectl("get", "secret", operatorName+"-webhook-cert", "--output", "jsonpath={.data}")
	}
	template := func() string {
		return w.kubectl("get", "deployment", operatorName, "--output", "jsonpath={.spec.template.metadata.annotations}")
	}
	first, before := certificate(), template()
	w.helm("upgrade", w.namespace, chartDir, "--reuse-values")
	if certificate() != first {
		t.Error("the certificate is another one: pods that run are cut off")
	}
	if template() != before {
		t.Error("pods are replaced although nothing has changed")
	}
	w.helm("upgrade", w.namespace, chartDir, "--reuse-values", "--set", "broker.password=another")
	if template() == before {
		t.Error("pods go on with the old password")
	}
}

func TestCRDsOfAnotherReleaseAreRefusedWithTheWayOutThatTheReadmeTells(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	out, err := osexec.Command("helm", "install", w.namespace, chartDir, "--namespace", w.namespace, "--set", "operator.poolNamespace="+w.namespace).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "invalid ownership metadata") {
		t.Errorf("%v\n%s", err, out)
	}
	w.helm("install", w.namespace, chartDir, "--set", "octo-mesh-crds.enabled=false,operator.poolNamespace="+w.namespace)
	w.helm("uninstall", w.namespace)
	if crds := w.kubectl("get", "crds", "--output", "name"); !strings.Contains(crds, "communicationpools.octo-mesh") || !strings.Contains(crds, "deploymentsites.octo-mesh") {
		t.Errorf("the CRDs are gone, and all pools with them: %s", crds)
	}
}
