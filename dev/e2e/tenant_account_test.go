package e2e

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// With OPERATOR__TENANTSERVICEACCOUNT the API server decides what a tenant's helm and kubectl may do, by the roles and the policy of
// deploy/tenants. The tests here bypass the operator's own checks by swapped scripts, so that nothing else can refuse a request.

// accounts makes the operator impersonate the tenants' accounts, with the role that the chart creates for that.
func (w *world) accounts() (namespace string) {
	w.Helper()
	namespace = w.namespace + "-tenants"
	template := namespace + "/octo-{tenant}"
	w.env = append(w.env, "OPERATOR__TENANTSERVICEACCOUNT="+template)
	for _, file := range []string{"role.yaml", "policy.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/tenants", file))
		w.must(err)
		w.applyAll(strings.NewReplacer("octo-tenants", namespace, "namespace: octo\n", "namespace: "+w.namespace+"\n").Replace(string(text)))
	}
	w.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "namespace", namespace, "--wait=false").Run()
		_ = osexec.Command("kubectl", "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", namespace).Run()
	})
	rendered, err := output("helm", append([]string{"template", "octo-suite", chartDir, "--show-only", "templates/role.yaml", "--set", "operator.tenantServiceAccount=" + template}, suiteValues...)...)
	w.must(err)
	role := ""
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if strings.Contains(document, "\n  namespace: "+namespace+"\n") {
			role += "---\n" + document + "\n"
		}
	}
	if strings.Count(role, "impersonate") != 1 {
		w.Fatalf("the chart has no role for tenants' accounts:\n%s", rendered)
	}
	w.applyAll(role)
	inForce := func() bool { // the API server takes a moment to notice the policy
		said, err := w.try("", "create", "secret", "generic", "octo-journal-x", "--dry-run=server", "--as=system:serviceaccount:"+namespace+":octo-x")
		return err != nil && strings.Contains(said, "is not of tenant x")
	}
	if !w.eventually(inForce) {
		w.Fatal("the policy is not in force")
	}
	return namespace
}

func (w *world) applyAll(text string) {
	w.Helper()
	cmd := osexec.Command("kubectl", "apply", "--server-side", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("kubectl apply: %v\n%s\n%s", err, out, text)
	}
}

// ofTenant returns a workload of another tenant, and deploys its pool.
func (w *world) ofTenant(tenant, name, rtID string) devcontroller.Workload {
	w.Helper()
	w.pool = devcontroller.Pool{TenantID: tenant, ID: w.pool.ID}
	w.deployPool()
	return w.workload(name, rtID)
}

func TestATenantsWorkloadsAreDeployedScaledAndUndeployedAsItsAccount(t *testing.T) {
	t.Parallel()
	for name, tenant := range map[string]string{"a plain id": "acme", "a dot": "acme.corp", "long": longTenant} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			accounts := w.accounts()
			w.env = append(w.env, "OPERATOR__HELM__TIMEOUT=30s")
			w.start()
			app := w.ofTenant(tenant, "Shop", appRtID)
			app.Values = secret("old")
			for range 2 { // the second one is a reconciliation
				if s := w.deploy(app); !s.Success {
					t.Fatal(s.StatusMessage)
				}
				app.IsReconciliation = true
				w.waitUntilSettled()
			}
			app.IsReconciliation, app.Values = false, secret("new") // its users are restarted
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			if r := w.scale(app, 2); !r.Success {
				t.Error(r.StatusMessage)
			}
			bad := app
			bad.ValuesYaml = "crash: true"
			if s := w.deploy(bad); s.Success || !strings.Contains(s.StatusMessage, "the release was rolled back to revision") {
				t.Errorf("what crashes: %+v", s)
			}
			w.undeploy(app)
			w.must(w.controller.PoolUndeployed(w.ctx, app.Pool))
			w.wantNothingLeft()
			as, commands := 0, 0
			for _, r := range matching(w.operator.records(t), "command", nil) {
				cmd := fmt.Sprint(r["cmd"])
				if strings.Contains(cmd, " pull ") || strings.Contains(cmd, "octo-mesh-connection") || strings.Contains(cmd, "communicationpools") || strings.Contains(cmd, "pool.yaml") {
					if strings.Contains(cmd, accounts) {
						t.Errorf("it acts as a tenant: %s", cmd)
					}
					continue
				}
				if commands++; strings.Contains(cmd, "system:serviceaccount:"+accounts+":octo-acme") || strings.Contains(cmd, "system:serviceaccount:"+accounts+":octo-a-tenant-with") {
					as++
				} else {
					t.Errorf("it acts as the operator: %s", cmd)
				}
			}
			if as < 8 {
				t.Errorf("%d of %d commands act as the tenant's account", as, commands)
			}
		})
	}
}

// ownChart serves a chart with only this template.
func (w *world) ownChart(template string) (repository string) {
	w.Helper()
	dir := w.TempDir()
	w.must(os.MkdirAll(filepath.Join(dir, "mine", "templates"), 0o700))
	w.must(os.WriteFile(filepath.Join(dir, "mine", "Chart.yaml"), []byte("apiVersion: v2\nname: mine\nversion: 1.0.0\n"), 0o600))
	w.must(os.WriteFile(filepath.Join(dir, "mine", "templates", "all.yaml"), []byte(template), 0o600))
	var server chartServer
	stop, err := serveCharts(&server, "--charts", dir)
	w.must(err)
	w.Cleanup(stop)
	return server.URL
}

// contents are the objects of all releases in the namespace, with the fields that may be changed in them.
func (w *world) contents() string {
	w.Helper()
	return w.kubectl("get", "secrets,deployments,configmaps,services", "--selector", "!octo-mesh.meshmakers.io/journal", "--output", // without copies of events
		`jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation} {.data} {.metadata.labels}{"\n"}{end}`)
}

func TestWhatATenantsAccountMayNotDoIsForbiddenWhateverTheOperatorChecks(t *testing.T) {
	t.Parallel()
	const other = "77777777b420da3fb1238177"
	victims := `acme-` + appRtID
	as := `as="${OCTO_AS:?}"; `
	for _, test := range []struct {
		name, chart string
		deploy      string // replaces workload-deploy
		scale       string
		undeploy    string
		words       []string
	}{
		{name: "a template that looks up a Secret of another namespace and fails with it",
			chart: `{{ fail (printf "found: %s" (lookup "v1" "Secret" "NAMESPACE-vault" "database").data.password) }}`,
			words: []string{`secrets "database" is forbidden: User "system:serviceaccount:`, `cannot get resource "secrets"`}},
		{name: "an object in another namespace",
			chart: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: NAMESPACE-vault}\n",
			words: []string{"the tenant's service account system:serviceaccount:NAMESPACE-tenants:octo-mallory may not get configmaps in namespace NAMESPACE-vault"}},
		{name: "an object of the whole cluster",
			chart: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NAMESPACE-mine}\nrules: []\n",
			words: []string{"octo-mallory may not get clusterroles.rbac.authorization.k8s.io in the whole cluster"}},
		{name: "a forged revision of another's release",
			chart: "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\nmetadata: {name: sh.helm.release.v1." + victims + ".v99, labels: {owner: helm, name: " + victims + ", version: '99', status: deployed}}\ndata: {release: eA==}\n",
			words: []string{"sh.helm.release.v1." + victims + ".v99", "is not of tenant mallory"}},
		{name: "another's Secret",
			deploy: as + `kubectl create secret generic ` + victims + `-octo-secrets --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f - --namespace "$OCTO_NAMESPACE" --as="$as"`,
			words:  []string{victims + "-octo-secrets", "is not of tenant mallory"}},
		{name: "a hook with the name of another's object, which helm deletes first",
			chart: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + victims + ", annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}}\n",
			words: []string{"it is of release " + victims, "not of tenant mallory"}},
		{name: "a takeover of another's release", deploy: as + `exec helm upgrade --install ` + victims + ` "$PWD/chart.tgz" --namespace "$OCTO_NAMESPACE" --kube-as-user="$as" --take-ownership`,
			words: []string{"sh.helm.release.v1." + victims + ".v", "is not of tenant mallory"}},
		{name: "a takeover by the steps of the operator", deploy: `OCTO_RELEASE=` + victims + ` exec sh "$(dirname "$OCTO_LIB")/workload-deploy"`,
			words: []string{"it is of release " + victims, "not of tenant mallory"}},
		{name: "a scaling of another's release", scale: `OCTO_RELEASE=` + victims + ` exec sh "$(dirname "$OCTO_LIB")/workload-scale"`,
			words: []string{"it is of release " + victims, "not of tenant mallory"}},
		{name: "an undeploy of another's release", undeploy: `OCTO_RELEASE=` + victims + ` exec sh "$(dirname "$OCTO_LIB")/workload-undeploy"`,
			words: []string{"failed to delete release: " + victims}},
		{name: "an undeploy of another's secret", undeploy: as + `exec kubectl delete secret ` + victims + `-octo-secrets --namespace "$OCTO_NAMESPACE" --as="$as"`,
			words: []string{victims + "-octo-secrets is not of tenant mallory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.accounts()
			vault := w.namespace + "-vault"
			w.kubectl("create", "namespace", vault)
			t.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "namespace", vault, "--wait=false").Run() })
			w.must(allowOperator(vault)) // the operator itself may read there
			w.applyAll(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: database, namespace: %s}\nstringData: {password: planted-password}\n", vault))
			swapped := map[string]string{}
			for step, script := range map[string]string{"workload-deploy": test.deploy, "workload-scale": test.scale, "workload-undeploy": test.undeploy} {
				if script == "" {
					script = `exec sh "$(dirname "$OCTO_LIB")/` + step + `"`
				}
				if step == "workload-deploy" && test.chart != "" { // only helm, without the look at the chart
					script = `exec helm upgrade --install "$OCTO_RELEASE" "$PWD/chart.tgz" --namespace "$OCTO_NAMESPACE" --values "$PWD/values.yaml" \
  --labels "$OCTO_LABELS" --kube-as-user="$OCTO_AS"`
				}
				// Only for mallory. It bypasses the operator's guard, so that only the API server decides.
				swapped[step] = `[ "$OCTO_TENANT" = mallory ] || exec sh "$(dirname "$OCTO_LIB")/` + step + `"` + "\n" + `export KUBECONFIG="${OCTO_KUBECONFIG:?}" OCTO_GUARDED=""` + "\n" + script + "\n"
			}
			w.swap(swapped)
			w.start()
			acme := w.ofTenant("acme", "Shop", appRtID)
			acme.Values = secret("old")
			if s := w.deploy(acme); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			w.waitUntilSettled()
			app := w.ofTenant("mallory", "Evil", other)
			if test.scale != "" || test.undeploy != "" {
				if s := w.deploy(app); !s.Success {
					t.Fatal(s.StatusMessage)
				}
				w.waitUntilSettled()
			}
			before := w.contents()
			if test.chart != "" {
				app.RepositoryURL, app.ChartName, app.ChartVersion = w.ownChart(strings.ReplaceAll(test.chart, "NAMESPACE", w.namespace)), "mine", "1.0.0"
			}
			said := ""
			switch {
			case test.scale != "":
				r := w.scale(app, 7)
				said = fmt.Sprint(r.Success, " ", r.StatusMessage)
			case test.undeploy != "":
				after := w.controller.LastSeq()
				w.must(w.controller.Undeploy(w.ctx, app))
				s := w.waitForStatus(app, after)
				said = fmt.Sprint(s.Success, " ", s.StatusMessage)
			default:
				s := w.deploy(app)
				said = fmt.Sprint(s.Success, " ", s.StatusMessage)
			}
			t.Log(said)
			for _, words := range append(slices.Clone(test.words), "false ") {
				if words = strings.ReplaceAll(words, "NAMESPACE", w.namespace); !strings.Contains(said, words) {
					t.Errorf("it lacks %q: %s", words, said)
				}
			}
			if strings.Contains(said+w.operator.text(), "planted-password") {
				t.Error("it tells the other's password")
			}
			w.waitUntilSettled()
			if after := w.contents(); after != before {
				t.Errorf("what is the other's was\n%s\nand is\n%s", before, after)
			}
			if s := w.deploy(acme); !s.Success || w.secretData(victims+"-octo-secrets") == "" {
				t.Errorf("the other's next deploy: %+v", s)
			}
		})
	}
}
