package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

// longTenant is a tenant whose names the reference operator cuts off.
const longTenant = "a-tenant-with-a-name-of-38-characters-x"

// everything is all objects in the namespace, without Kubernetes' own and those that live as long as the operator.
func (w *world) everything() []string {
	w.Helper()
	all := strings.Fields(w.kubectl("get", "communicationpools,deploymentsites,deployments,statefulsets,replicasets,pods,jobs,services,ingresses,secrets,configmaps,serviceaccounts",
		"--output", "name"))
	return slices.DeleteFunc(all, func(name string) bool {
		return name == "configmap/kube-root-ca.crt" || name == "serviceaccount/default" || strings.HasPrefix(name, "secret/octo-journal-")
	})
}

func (w *world) wantNothingLeft() {
	w.Helper()
	var left []string
	if !w.eventually(func() bool { left = w.everything(); return len(left) == 0 }) { // pods take a moment to end
		w.Errorf("there is still %q", left)
	}
}

// pods returns the uids of a release's pods that are not being deleted.
func (w *world) pods(release string) string {
	w.Helper()
	return w.kubectl("get", "pods", "--selector", "app.kubernetes.io/instance="+release, "--sort-by", ".metadata.uid",
		"--output", "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.uid}} {{end}}{{end}}")
}

func (w *world) wantSamePods(release, before, after string) {
	w.Helper()
	if got := w.pods(release); got != before {
		w.Errorf("after %s the pods of %s are %s, were %s", after, release, got, before)
	}
}

// helmValues returns the values of a release.
func (w *world) helmValues(release string) (values map[string]any) {
	w.Helper()
	w.must(json.Unmarshal([]byte(w.helm("get", "values", release, "--output", "json")), &values))
	return values
}

// secretData returns the content of a Secret, as "key=value key=value".
func (w *world) secretData(name string) string {
	w.Helper()
	return w.kubectl("get", "secret", name, "--output", `go-template={{range $key, $value := .data}}{{$key}}={{$value | base64decode}} {{end}}`)
}

// undeploy sends an undeploy and waits until it has succeeded.
func (w *world) undeploy(app devcontroller.Workload) {
	w.Helper()
	done := func() int {
		return len(matching(w.operator.records(w.T), "event done", map[string]string{"workload": app.Name}))
	}
	before := done()
	w.must(w.controller.Undeploy(w.ctx, app))
	if !w.eventually(func() bool { return done() > before }) {
		w.Fatalf("the undeploy of %s has not succeeded; the operator's log:\n%s", app.Name, w.operator.text())
	}
}

// taken returns the workloads of a takeover: one with a short name, and one whose name is cut off.
func (w *world) taken() (shop, bank devcontroller.Workload) {
	shop = w.workload("Shop", appRtID)
	shop.ValuesYaml = "settings:\n  COLOUR: green\npodAnnotations: {team: \"7\"}\n"
	shop.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: "planted-api-key", IsSecret: true}, {Path: "image.tag", Value: "1.10"}}
	bank = shop
	bank.Name, bank.Pool = "Bank", devcontroller.Pool{TenantID: longTenant, ID: w.pool.ID}
	return shop, bank
}

// deployPools creates both tenants' pools.
func (w *world) deployPools(shop, bank devcontroller.Workload) {
	w.Helper()
	for _, w.pool = range []devcontroller.Pool{bank.Pool, shop.Pool} {
		w.deployPool()
	}
}

func TestAnInstallationOfTheReferenceOperatorIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, helm := range changes {
		t.Run("from helm "+helm.from+" to helm "+helm.to, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.env = []string{"PATH=" + filepath.Dir(w.helmOf(helm.to)) + ":" + os.Getenv("PATH")}
			old := w.reference(helm.from, helm.onFail)
			shop, bank := w.taken()
			shopRelease, bankRelease := old.name("acme", appRtID), old.name(longTenant, appRtID)
			for _, app := range []devcontroller.Workload{shop, bank} {
				old.pool(app.Pool)
				if out, err := old.deploy(app, ""); err != nil {
					t.Fatal(out)
				}
			}
			old.scale(shop, 2)
			pods, values, before := w.pods(shopRelease), w.helmValues(shopRelease), w.everything()

			w.start()
			w.deployPools(shop, bank)
			for _, app := range []devcontroller.Workload{shop, bank} {
				if s := w.deploy(app); !s.Success {
					t.Fatal(s.StatusMessage)
				}
			}
			w.wantSamePods(shopRelease, pods, "a deploy that says the same")
			values["replicaCount"] = 2.0 // the number to which it was scaled
			if diff := cmp.Diff(values, w.helmValues(shopRelease)); diff != "" {
				t.Errorf("the values of the release were others (-reference +this):\n%s", diff)
			}
			if got := w.secretData(bankRelease + "-octo-secrets"); got != "secrets.apiKey=planted-api-key secrets.rabbitmq="+brokerPassword+" " {
				t.Errorf("the secret holds %q", got)
			}
			revisions := func(names []string) []string {
				return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "secret/sh.helm.release.v1.") })
			}
			if diff := cmp.Diff(revisions(before), revisions(w.everything())); diff != "" {
				t.Errorf("besides Helm's revisions there are other objects (-before +after):\n%s", diff)
			}

			pods = w.pods(bankRelease)
			if r := w.scale(bank, 2); !r.Success {
				t.Fatal(r.StatusMessage)
			}
			if s := w.deploy(bank); !s.Success || w.replicas(bankRelease) != "2" || !strings.Contains(w.pods(bankRelease), pods) {
				t.Errorf("after a scaling: %+v, %s replicas, pods %s, was %s", s, w.replicas(bankRelease), w.pods(bankRelease), pods)
			}
			// One secret is rotated, another removed: the Secret has exactly the keys of the deploy.
			bank.Values = []devcontroller.Override{{Path: "secrets.token", Value: "planted-token", IsSecret: true}}
			if s := w.deploy(bank); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			if got := w.secretData(bankRelease + "-octo-secrets"); got != "secrets.rabbitmq="+brokerPassword+" secrets.token=planted-token " {
				t.Errorf("the secret holds %q", got)
			}

			for _, app := range []devcontroller.Workload{shop, bank} {
				w.undeploy(app)
				w.must(w.controller.PoolUndeployed(w.ctx, app.Pool))
			}
			w.wantNothingLeft()
		})
	}
}

func TestTheReferenceOperatorsCommandsWorkOnWhatThisOneLeaves(t *testing.T) {
	t.Parallel()
	for _, helm := range changes {
		t.Run("from helm "+helm.from+" to helm "+helm.to, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.env = []string{"PATH=" + filepath.Dir(w.helmOf(helm.to)) + ":" + os.Getenv("PATH")}
			old := w.reference(helm.from, helm.onFail)
			shop, _ := w.taken()
			release := old.name("acme", appRtID)
			succeed := func(app devcontroller.Workload) {
				t.Helper()
				if s := w.deploy(app); !s.Success {
					t.Fatal(s.StatusMessage)
				}
			}

			w.start()
			w.deployPool()
			succeed(shop)
			if r := w.scale(shop, 3); !r.Success {
				t.Fatal(r.StatusMessage)
			}
			shop.Values[0].Value = "planted-rotated-key" // its users are restarted
			succeed(shop)
			pods := w.pods(release)
			w.stop(w.operator)

			if out, err := old.deploy(shop, "3"); err != nil {
				t.Fatalf("a deploy after a scaling: %s", out)
			}
			w.wantSamePods(release, pods, "the reference operator's deploy that says the same")
			shop.Values[1].Value = "1.11"
			if out, err := old.deploy(shop, "3"); err != nil {
				t.Fatalf("a deploy of another image: %s", out)
			}
			if got := w.kubectl("get", "deployment", release, "--output", "jsonpath={.spec.replicas} {..image}"); got != "3 demo/app:1.11" {
				t.Errorf("it runs %s", got)
			}
			old.scale(shop, 2)
			scaled := func() bool { pods = w.pods(release); return len(strings.Fields(pods)) == 2 }
			if !w.eventually(scaled) {
				t.Fatalf("after the scaling to 2 the pods are %s", pods)
			}

			// And back again: helm copies this operator's labels to revisions that this operator has not made.
			after := w.controller.LastSeq()
			w.start()
			w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > after && c.Error == "" })
			shop.IsReconciliation = true
			succeed(shop)
			w.wantSamePods(release, pods, "a reconciliation")
			shop.IsReconciliation, shop.Values[1].Value = false, "1.12"
			succeed(shop)
			shop.Hibernated = true
			succeed(shop)
			w.waitUntilSettled()
			w.stop(w.operator)
			if strings.Contains(w.kubectl("get", "secrets", "--output", "name"), "octo-journal-") {
				t.Error("the operator has left a journal")
			}

			if out, err := old.deploy(shop, "0"); err != nil || w.replicas(release) != "0" {
				t.Fatalf("a deploy of what sleeps: %s replicas, %s", w.replicas(release), out)
			}
			old.undeploy(release)
			w.kubectl("delete", "communicationpool", "acme-"+shop.Pool.ID)
			w.kubectl("delete", "secret", "acme-"+shop.Pool.ID+"-octo-mesh-connection")
			w.wantNothingLeft()
		})
	}
}

// An undeploy of the workload mesh-controller of tenant acme once removed a release of the platform.
func TestAReleaseOfThePlatformWithAWorkloadsNameIsLeftAlone(t *testing.T) {
	w := newWorld(t, devcontroller.G1)
	w.start()
	w.deployPool()
	w.helm("install", "acme-mesh-controller", "../../testdata/charts/demo-app", "--set", "tenantId=acme")
	app := w.workload("Mesh Controller", "")
	revision := "secret/sh.helm.release.v1.acme-mesh-controller.v1"
	after := w.controller.LastSeq()
	w.must(w.controller.Undeploy(w.ctx, app))
	s := w.waitForStatus(app, after)
	if s.Success || !strings.Contains(s.StatusMessage, "nothing proves that it is this workload's") {
		t.Errorf("reported %+v", s)
	}
	if all := w.everything(); !slices.Contains(all, revision) || !slices.Contains(all, "deployment.apps/acme-mesh-controller") {
		t.Errorf("there is %q", all)
	}
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "nothing proves that it is this workload's") {
		t.Errorf("reported %+v", s)
	}
	// The command that the message suggests.
	_, way, _ := strings.Cut(s.StatusMessage, "If it is: kubectl ")
	way, _, _ = strings.Cut(way, "\n")
	w.kubectl(strings.Fields(way)...)
	w.undeploy(app)
	if all := w.everything(); slices.Contains(all, revision) {
		t.Errorf("there is %q", all)
	}
}

// A deploy that helm refuses is rolled back, and that would undo what a person has set.
func TestWhatAPersonHasSetOnAReleaseOfTheReferenceOperatorsIsFoundBeforeAnythingIsTouched(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	old := w.reference("4", "--rollback-on-failure")
	shop, _ := w.taken()
	release := old.name("acme", appRtID)
	if out, err := old.deploy(shop, ""); err != nil {
		t.Fatal(out)
	}
	w.kubectl("set", "image", "deployment/"+release, "app=demo/app:by-hand")
	w.start()
	w.deployPool()
	shop.Values[1].Value = "1.11"
	s := w.deploy(shop)
	for _, part := range []string{"kubectl-set", "image", "OPERATOR__HELM__FORCECONFLICTS=true"} {
		if s.Success || !strings.Contains(s.StatusMessage, part) {
			t.Errorf("the message lacks %q: %+v", part, s)
		}
	}
	if got := w.kubectl("get", "deployment", release, "--output", "jsonpath={..image}"); got != "demo/app:by-hand" {
		t.Errorf("it runs %s", got)
	}
}
