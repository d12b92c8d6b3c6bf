package e2e

import (
	"encoding/json"
	"fmt"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

const (
	poolFinalizer = "octo-mesh.meshmakers.io/communicationpoolfinalizer"
	siteFinalizer = "octo-mesh.meshmakers.io/deploymentsitefinalizer"
	theirs        = "example.com/theirs"
)

// applyHeldPool creates the resource of the test's pool with finalizers. They are removed at the test's end.
func (w *world) applyHeldPool(kind, name, id string, finalizers ...string) {
	w.Helper()
	field, version := "poolRtId", "v1alpha1"
	if kind == "DeploymentSite" {
		field, version = "deploymentSiteRtId", "v1"
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "octo-mesh.meshmakers.io/" + version, "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": w.namespace, "finalizers": finalizers},
		"spec":     map[string]any{"tenantId": "acme", field: id},
	})
	w.must(err)
	w.applyJSON(string(text))
	w.Cleanup(func() {
		_ = osexec.Command("kubectl", "patch", kind, name, "--namespace", w.namespace, "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`).Run()
	})
}

// letGo removes the finalizers that a resource still has, as their owners do.
func (w *world) letGo(kind, name string) {
	w.Helper()
	w.kubectl("patch", kind, name, "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`)
}

func (w *world) wantGone(kind, name string) {
	w.Helper()
	if !w.eventually(func() bool { return w.kubectl("get", kind, name, "--ignore-not-found", "-o", "name") == "" }) {
		w.Fatalf("%s %s is still there; the operator's log:\n%s", kind, name, w.operator.text())
	}
}

func TestWhoeverDeletesAPoolDoesNotWaitForAnOperatorThatIsGone(t *testing.T) {
	t.Parallel()
	for _, generation := range []devcontroller.Generation{devcontroller.G3, devcontroller.G4} {
		for _, central := range []bool{false, true} {
			t.Run(fmt.Sprint(generation, " central ", central), func(t *testing.T) {
				kind, finalizer := "CommunicationPool", poolFinalizer
				if generation == devcontroller.G4 {
					kind, finalizer = "DeploymentSite", siteFinalizer
				}
				w := newWorld(t, generation)
				w.env = []string{fmt.Sprint("OPERATOR__AUTOMANAGEPOOLS=", central)}
				w.applyHeldPool(kind, "by-hand", w.pool.ID, finalizer)
				w.start()
				w.waitForPoolStatus(kind, "by-hand", "Registered")
				w.kubectl("delete", kind, "by-hand", "--timeout=100s")
				w.waitForLog(1, "finalizer of the reference operator removed from a pool that is being deleted", nil)
			})
		}
	}
}

func TestAPoolThatIsBeingDeletedIsNeverRegisteredAgain(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__AUTOMANAGEPOOLS=false"}
	w.applyHeldPool("CommunicationPool", "held", w.pool.ID, theirs, poolFinalizer)
	other := devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381be"}
	w.applyPool("other", other)
	w.start()
	w.waitForPoolStatus("CommunicationPool", "held", "Registered")
	w.kubectl("delete", "CommunicationPool", "held", "--wait=false")
	unregistered := w.waitFor("UnregisterPoolAsync", nil)
	left := func() bool {
		return w.kubectl("get", "CommunicationPool", "held", "-o", "jsonpath={.metadata.finalizers}") == `["`+theirs+`"]`
	}
	if !w.eventually(left) {
		t.Fatal("its finalizers are not those of others alone")
	}

	w.kubectl("label", "CommunicationPool", "held", "a=b")
	w.must(w.controller.PreUpdateTenant(w.ctx, "acme"))
	w.waitForLog(1, "tenant updated: its work goes on", nil)
	w.controller.DropConnections()
	before := w.controller.LastSeq()
	w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > before })
	w.stop(w.operator)
	before = w.controller.LastSeq()
	w.start()
	w.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > before })
	for _, call := range w.controller.Calls() {
		if call.Seq > unregistered.Seq && call.Method == "RegisterPoolAsync" && strings.Contains(string(call.Args[1]), w.pool.ID) {
			t.Errorf("it was registered again: %s", call)
		}
	}
	w.waitForLog(1, "pool is being deleted, and stays until somebody else's finalizers are removed", map[string]string{"name": "held"})

	w.letGo("CommunicationPool", "held")
	w.wantGone("CommunicationPool", "held")
	w.applyHeldPool("CommunicationPool", "held", w.pool.ID)
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
}

// kubectl apply changes an object that is being deleted and reports success, but the object is deleted nevertheless.
func TestAPoolThatIsUndeployedAndDeployedIsMadeAnewWhenTheOldOneIsGone(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	name := "acme-" + w.pool.ID
	w.applyHeldPool("CommunicationPool", name, w.pool.ID, theirs, poolFinalizer)
	w.start()
	w.waitForPoolStatus("CommunicationPool", name, "Registered")
	old := w.kubectl("get", "CommunicationPool", name, "-o", "jsonpath={.metadata.uid}")
	w.must(w.controller.PoolUndeployed(w.ctx, w.pool))
	w.must(w.controller.PoolDeployed(w.ctx, w.pool))
	w.waitForLog(1, "event done", map[string]string{"pool": w.pool.ID})
	w.waitForLog(1, "event tried again: the pool's old resource is still being deleted", nil)
	w.must(w.controller.PreUpdateTenant(w.ctx, "acme"))
	w.waitForLog(1, "tenant updated: its work goes on", nil)
	w.letGo("CommunicationPool", name)
	w.waitForLog(2, "event done", map[string]string{"pool": w.pool.ID})
	w.waitForPoolStatus("CommunicationPool", name, "Registered")
	if now := w.kubectl("get", "CommunicationPool", name, "-o", "jsonpath={.metadata.uid} {.metadata.deletionTimestamp}"); strings.HasPrefix(now, old) || strings.TrimSpace(now) == "" {
		t.Errorf("the resource is %s, and was %s", now, old)
	}
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
}

func TestAPoolIsMadeWhenTheWebhookIsThere(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	configuration := w.namespace + "-mutators"
	w.applyJSON(fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"MutatingWebhookConfiguration","metadata":{"name":%q},"webhooks":[{
		"name":"mutate.%[2]s.example","clientConfig":{"url":"https://127.0.0.1:1/mutate"},"sideEffects":"None","admissionReviewVersions":["v1"],
		"rules":[{"apiGroups":["octo-mesh.meshmakers.io"],"apiVersions":["v1alpha1"],"operations":["CREATE"],"resources":["communicationpools"]}],
		"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%[2]q}}}]}`, configuration, w.namespace))
	remove := func() { _ = osexec.Command("kubectl", "delete", "mutatingwebhookconfigurations", configuration).Run() }
	w.Cleanup(remove)
	refused := func() bool {
		cmd := osexec.Command("kubectl", "create", "--dry-run=server", "--namespace", w.namespace, "-f", "-")
		cmd.Stdin = strings.NewReader(`{"apiVersion":"octo-mesh.meshmakers.io/v1alpha1","kind":"CommunicationPool","metadata":{"name":"any"},"spec":{"tenantId":"acme","poolName":"any"}}`)
		return cmd.Run() != nil
	}
	if !w.eventually(refused) {
		t.Fatal("the webhook is not asked")
	}
	w.start()
	w.must(w.controller.PoolDeployed(w.ctx, w.pool))
	said := w.waitForLog(1, "event tried again: a webhook that the API server asks cannot be reached", nil)[0]
	// A role for one namespace may not read to which configuration the webhook belongs.
	want := "the webhook mutate." + w.namespace + ".example that the API server asks cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused"
	if got := fmt.Sprint(said["reason"]); !strings.HasPrefix(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
	tries := func() int {
		commands := w.operator.records(t)
		return len(slices.DeleteFunc(commands, func(r map[string]any) bool { return !strings.Contains(fmt.Sprint(r["cmd"]), "pool.yaml") }))
	}
	if !w.eventually(func() bool { return tries() > 5 }) { // the limit for an event that may itself be the cause
		t.Fatalf("it was tried %d times; the operator's log:\n%s", tries(), w.operator.text())
	}
	if got := w.kubectl("get", "communicationpools", "-o", "name"); got != "" {
		t.Errorf("there is %s", got)
	}
	remove()
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	w.waitForPoolStatus("communicationpool", "acme-"+w.pool.ID, "Registered")
}

func TestAnAdapterPoolGoesWithItsPoolAndComesBackWithIt(t *testing.T) {
	w := newWorld(t, devcontroller.G4)
	w.start()
	w.deployPool()
	app := w.workload("Adapters", appRtID)
	app.Type = devcontroller.AdapterPool
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	release, site := "acme-"+appRtID, "acme-"+w.pool.ID
	wantOwner := func() {
		t.Helper()
		uid := w.kubectl("get", "deploymentsite", site, "-o", "jsonpath={.metadata.uid}")
		for _, object := range []string{"deployment/" + release, "secret/" + release + "-octo-secrets"} {
			got := w.kubectl("get", object, "-o", "jsonpath={.metadata.ownerReferences}")
			if want := fmt.Sprintf(`[{"apiVersion":"octo-mesh.meshmakers.io/v1","kind":"DeploymentSite","name":%q,"uid":%q}]`, site, uid); got != want {
				t.Errorf("%s is owned by %s, want %s", object, got, want)
			}
		}
	}
	wantOwner()
	app.Values = []devcontroller.Override{{Path: "port", Value: "9090"}, {Path: "secrets.apiKey", Value: "planted-api-key-78", IsSecret: true}}
	if s := w.deploy(app); !s.Success { // a deploy still works
		t.Fatal(s.StatusMessage)
	}
	wantOwner()

	w.must(w.controller.PoolUndeployed(w.ctx, w.pool))
	w.wantGone("deployment", release)
	w.wantGone("secret", release+"-octo-secrets")
	w.deployPool()
	app.IsReconciliation = true
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	wantOwner()
	w.must(w.controller.Undeploy(w.ctx, app))
	w.wantGone("deployment", release)
}
