package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

// definitions are the CustomResourceDefinitions of CommunicationPool in the releases of the official chart octo-mesh-crds, by the date of
// publication, with the fields of their spec. The rest of them is the same.
var definitions = []struct {
	since, fields, required string
	spec                    string                     // spec of a pool's resource under this definition
	generations             []devcontroller.Generation // of the controllers of its time
}{
	{"2024-08-12", "tenantId poolName communicationControllerUri brokerHost brokerVirtualHost brokerPort brokerUserNameSecret", "",
		`{"brokerHost":"rabbitmq","brokerPort":5673,"brokerVirtualHost":"/v","communicationControllerUri":"URL","poolName":"main-pool","tenantId":"acme"}`,
		[]devcontroller.Generation{devcontroller.G1}},
	{"2024-08-27", "tenantId poolName communicationControllerUri ignoreCertificateValidation brokerHost brokerVirtualHost brokerPort brokerUserNameSecret", "",
		`{"brokerHost":"rabbitmq","brokerPort":5673,"brokerVirtualHost":"/v","communicationControllerUri":"URL","ignoreCertificateValidation":true,"poolName":"main-pool","tenantId":"acme"}`,
		[]devcontroller.Generation{devcontroller.G1}},
	{"2025-11-13", "tenantId poolName communicationControllerUri ignoreCertificateValidation brokerHost brokerVirtualHost brokerPort brokerUserNameSecret instancePrefix", "",
		`{"brokerHost":"rabbitmq","brokerPort":5673,"brokerVirtualHost":"/v","communicationControllerUri":"URL","ignoreCertificateValidation":true,"instancePrefix":"x","poolName":"main-pool","tenantId":"acme"}`,
		[]devcontroller.Generation{devcontroller.G1}},
	{"2026-05-20", "tenantId poolName", "", `{"poolName":"main-pool","tenantId":"acme"}`, []devcontroller.Generation{devcontroller.G1}},
	{"2026-05-23", "tenantId poolRtId poolName", "", "", []devcontroller.Generation{devcontroller.G1, devcontroller.G3}},
	{"2026-05-26", "tenantId poolRtId", `"tenantId","poolRtId"`, "", []devcontroller.Generation{devcontroller.G3}},
}

// publishedDefinition writes a definition to a file.
func publishedDefinition(t *testing.T, fields, required string) string {
	types := map[string]map[string]any{
		"ignoreCertificateValidation": {"type": "boolean"}, "brokerPort": {"type": "integer", "format": "int32"},
		"instancePrefix": {"type": "string", "nullable": true},
	}
	if required != "" {
		types["poolRtId"] = map[string]any{"type": "string", "pattern": "^[a-f0-9]{24}$"}
	}
	properties := map[string]any{}
	for _, name := range strings.Fields(fields) {
		if types[name] == nil {
			types[name] = map[string]any{"type": "string"}
		}
		properties[name] = types[name]
	}
	text, err := json.Marshal(properties)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":%q},"spec":{
		"group":"octo-mesh.meshmakers.io","scope":"Namespaced",
		"names":{"kind":"CommunicationPool","listKind":"CommunicationPoolList","plural":"communicationpools","singular":"communicationpool"},
		"versions":[{"name":"v1alpha1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
			"status":{"type":"object","properties":{"communicationStatus":{"type":"string"}}},
			"spec":{"type":"object","required":[%s],"properties":%s}}}}}]}}`, poolDefinition, required, text)
}

const poolDefinition = "communicationpools.octo-mesh.meshmakers.io"

// replaceDefinition replaces the cluster's CustomResourceDefinition of CommunicationPool by that in file or, if text is set, by text.
func replaceDefinition(t *testing.T, file, text string) {
	t.Helper()
	remove := osexec.Command("kubectl", "delete", "crd", poolDefinition, "--ignore-not-found")
	create := osexec.Command("kubectl", "create", "-f", file)
	create.Stdin = strings.NewReader(text)
	wait := osexec.Command("kubectl", "wait", "--for=condition=Established", "crd/"+poolDefinition)
	for _, cmd := range []*osexec.Cmd{remove, create, wait} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	waitUntilPublished(t)
}

// waitUntilPublished waits until the API server publishes the definition's fields in both OpenAPI documents, which happens a moment after
// the definition is established.
func waitUntilPublished(t *testing.T) {
	t.Helper()
	of := func(args ...string) string {
		out, err := osexec.Command("kubectl", args...).Output()
		if err != nil {
			return err.Error()
		}
		return string(out)
	}
	fields := func(definition string) []string {
		var spec struct{ Properties map[string]any }
		_ = json.Unmarshal([]byte(definition), &spec)
		return slices.Sorted(maps.Keys(spec.Properties))
	}
	want := fields(of("get", "crd", poolDefinition, "-o", "jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec}"))
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var v2 struct{ Definitions map[string]poolSchema }
		var v3 struct {
			Components struct{ Schemas map[string]poolSchema }
		}
		_ = json.Unmarshal([]byte(of("get", "--raw", "/openapi/v2")), &v2)
		_ = json.Unmarshal([]byte(of("get", "--raw", "/openapi/v3/apis/octo-mesh.meshmakers.io/v1alpha1")), &v3)
		const name = "io.meshmakers.octo-mesh.v1alpha1.CommunicationPool"
		if slices.Equal(v2.Definitions[name].fields(), want) && slices.Equal(v3.Components.Schemas[name].fields(), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the API server does not publish the fields %q", want)
		}
	}
}

type poolSchema struct {
	Properties struct {
		Spec struct{ Properties map[string]any }
	}
}

func (s poolSchema) fields() []string { return slices.Sorted(maps.Keys(s.Properties.Spec.Properties)) }

// changesDefinition restores, at the end of the test, the definition that all other tests use. The test must run alone.
func changesDefinition(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		replaceDefinition(t, "../../deploy/crds/"+poolDefinition+".yaml", "")
	})
}

// The API server does not store fields that the definition does not have, whatever validation is requested.
func TestPoolsAreMadeUnderEachDefinitionOfTheOfficialChart(t *testing.T) {
	changesDefinition(t)
	for _, d := range definitions {
		for _, generation := range d.generations {
			t.Run(d.since+" "+string(generation), func(t *testing.T) {
				replaceDefinition(t, "-", publishedDefinition(t, d.fields, d.required))
				w := newWorldAlone(t, generation)
				w.env = []string{
					"OPERATOR__BROKERHOST=rabbitmq", "OPERATOR__BROKERPORT=5673", "OPERATOR__BROKERVIRTUALHOST=/v", "OPERATOR__INSTANCEPREFIX=x",
					"OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION=true",
				}
				w.start()
				w.deployPool()
				name := "acme-" + w.pool.ID
				w.waitForPoolStatus("communicationpool", name, "Registered")
				want := strings.ReplaceAll(d.spec, "URL", w.controller.URL())
				switch {
				case want != "":
				case generation == devcontroller.G1:
					want = `{"poolName":"main-pool","tenantId":"acme"}`
				default:
					want = fmt.Sprintf(`{"poolRtId":%q,"tenantId":"acme"}`, w.pool.ID)
				}
				if diff := cmp.Diff(want, w.kubectl("get", "communicationpool", name, "-o", "jsonpath={.spec}")); diff != "" {
					t.Error(diff)
				}
				w.must(w.controller.PoolUndeployed(w.ctx, w.pool))
				w.wantGone("communicationpool", name)
			})
		}
	}
}

func TestAPoolIsMadeWhenItsDefinitionIsThere(t *testing.T) {
	changesDefinition(t)
	replaceDefinition(t, "-", publishedDefinition(t, "tenantId poolName", ""))
	w := newWorldAlone(t, devcontroller.G3)
	w.start()
	w.must(w.controller.PoolDeployed(w.ctx, w.pool))
	said := w.waitForLog(1, "event tried again: the cluster does not take the pool as things are", nil)[0]
	if got := fmt.Sprint(said["reason"]); !strings.Contains(got, "CustomResourceDefinition of CommunicationPool does not have the field .spec.poolRtId") {
		t.Errorf("it says %s", got)
	}
	replaceDefinition(t, "../../deploy/crds/"+poolDefinition+".yaml", "")
	_, err := w.controller.WaitRegistered(w.ctx, w.pool)
	w.must(err)
	w.waitForPoolStatus("communicationpool", "acme-"+w.pool.ID, "Registered")
}
