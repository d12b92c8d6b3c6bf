package e2e

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// definition is a kind of pool resource.
type definition struct{ plural, kind, group, version, id string }

var (
	pools = definition{"communicationpools", "CommunicationPool", "octo-mesh.meshmakers.io", "v1alpha1", "poolRtId"}
	sites = definition{"deploymentsites", "DeploymentSite", "octo-mesh.meshmakers.io", "v1", "deploymentSiteRtId"}
)

// ownNames returns the definition under the test's own names. It is for a test that changes the definition, because the API server is
// shared.
func (d definition) ownNames() definition {
	name := "old" + uniqueName()
	d.plural, d.kind, d.group = name+"s", strings.ToUpper(name[:1])+name[1:], name+".example.com"
	return d
}

// like is the text of our definition of the same kind, with these names.
func (d definition) like(w *world, ours definition) string {
	w.Helper()
	text, err := os.ReadFile("../../deploy/crds/" + ours.plural + "." + ours.group + ".yaml")
	w.must(err)
	return strings.NewReplacer(ours.group, d.group, ours.plural, d.plural, strings.TrimSuffix(ours.plural, "s"), strings.TrimSuffix(d.plural, "s"),
		ours.kind, d.kind).Replace(string(text))
}

// installOlder installs a definition that accepts anything.
func (d definition) installOlder(w *world, ours definition) {
	w.Helper()
	before, _, found := strings.Cut(d.like(w, ours), "        openAPIV3Schema:\n")
	if !found {
		w.Fatal("the definition has no schema")
	}
	w.apply(before + "        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n")
	w.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "crd", d.plural+"."+d.group, "--wait=false").Run() })
}

// create tries to create a resource.
func (d definition) create(w *world, name, spec string) (said string, err error) {
	if spec != "" {
		spec = `, "spec": ` + spec
	}
	return w.try(fmt.Sprintf(`{"apiVersion": "%s/%s", "kind": %q, "metadata": {"name": %q}%s}`,
		d.group, d.version, d.kind, name, spec), "create", "-f", "-")
}

func (d definition) patch(w *world, name, patch string) (said string, err error) {
	return w.try("", "patch", d.plural+"."+d.group, name, "--type", "merge", "--patch", patch)
}

// wantGoes changes a resource's metadata, as the reference operator does with its finalizer, deletes the resource, and removes the
// finalizer.
func (d definition) wantGoes(w *world, name string) {
	w.Helper()
	resource := d.plural + "." + d.group
	if said, err := d.patch(w, name, `{"metadata": {"finalizers": ["octo-mesh.meshmakers.io/communicationpoolfinalizer"]}}`); err != nil {
		w.Errorf("%s gets no finalizer: %s", name, said)
	}
	w.kubectl("delete", resource, name, "--wait=false")
	w.kubectl("annotate", resource, name, "note=bye")
	if said, err := d.patch(w, name, `{"metadata": {"finalizers": null}}`); err != nil {
		w.Errorf("%s keeps its finalizer: %s", name, said)
	}
	if left := w.kubectl("get", resource, name, "--ignore-not-found", "-o", "name"); left != "" {
		w.Errorf("%s is still there", left)
	}
}

// apply applies an object, which may have no namespace.
func (w *world) apply(object string) {
	w.Helper()
	if said, err := w.try(object, "apply", "-f", "-"); err != nil {
		w.Fatalf("%s\n%s", said, object)
	}
}

// try runs kubectl, which may fail, and returns all its output.
func (w *world) try(stdin string, args ...string) (said string, err error) {
	cmd := osexec.Command("kubectl", append(args, "--namespace", w.namespace)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// wantRefused tries until the API server refuses with all of these words. Changes of webhooks and definitions take effect with a delay.
func (w *world) wantRefused(try func() (string, error), want ...string) {
	w.Helper()
	said := ""
	refused := func() (as bool) {
		var err error
		if said, err = try(); err == nil {
			return false
		}
		for _, part := range want {
			if !strings.Contains(said, part) {
				return false
			}
		}
		return true
	}
	if !w.eventually(refused) {
		w.Errorf("not refused with %q, but: %s", want, said)
	}
}

// wantDone tries until it works.
func (w *world) wantDone(try func() (string, error)) {
	w.Helper()
	said := ""
	if !w.eventually(func() (done bool) {
		var err error
		said, err = try()
		return err == nil
	}) {
		w.Errorf("not done: %s", said)
	}
}

func TestADefinitionThatComesLaterRefusesWhatIsNewAndNothingThatIsStored(t *testing.T) {
	t.Parallel()
	for _, ours := range []definition{pools, sites} {
		t.Run(ours.plural, func(t *testing.T) { testDefinition(newWorld(t, devcontroller.G3), ours) })
	}
}

func testDefinition(w *world, ours definition) {
	wrong := []struct{ name, spec, says string }{
		{"upper", `{"tenantId": "acme", "ID": "65D5C447B420DA3FB12381BC"}`, `spec.ID: Invalid value: "65D5C447B420DA3FB12381BC": "65D5C447B420DA3FB12381BC" is not the runtime id`},
		{"empty", `{"tenantId": "acme", "ID": ""}`, `spec.ID: Invalid value: "": "" is not the runtime id`},
		{"no-id", `{"tenantId": "acme"}`, "ID"}, // a pool of G1 has no id: said in two ways
		{"empty-spec", `{}`, "spec.tenantId: Required value"},
		{"no-spec", ``, "spec is not set: it must have tenantId, and ID"},
	}
	good := []string{`{"tenantId": "acme", "ID": "65d5c447b420da3fb12381bc"}`}
	if ours == pools {
		wrong = append(wrong, struct{ name, spec, says string }{"blank-name", `{"tenantId": "acme", "poolName": " "}`, "ID is not set"})
		good = append(good, `{"tenantId": "acme", "poolName": "main"}`)
	}
	named := func(text string) string { return strings.ReplaceAll(text, "ID", ours.id) }
	d := ours.ownNames()
	d.installOlder(w, ours)
	for _, test := range wrong {
		w.wantDone(func() (string, error) { return d.create(w, test.name, named(test.spec)) })
	}
	w.apply(d.like(w, ours))
	for _, test := range wrong {
		w.wantRefused(func() (string, error) { return d.create(w, "new-"+uniqueName(), named(test.spec)) }, "is invalid", named(test.says))
	}
	for _, spec := range good {
		w.wantDone(func() (string, error) { return d.create(w, "new-"+uniqueName(), named(spec)) })
	}
	for _, test := range wrong {
		d.wantGoes(w, test.name)
	}
}
