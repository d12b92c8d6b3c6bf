package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"octo-operator/bounds"
)

const placeholder = "[gone]"

func TestAManifestIsKeptWithoutTheValuesOfItsSecrets(t *testing.T) {
	const manifest = `---
# Source: demo/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec: {replicas: 30000000, tag: "1.10"}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
data:
  # it was planted-comment
  key: cGxhbnRlZC1kYXRh
stringData: {password: planted-text}
`
	clean, secrets, err := WithoutSecrets([]byte(manifest), placeholder, asItIs)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Source: demo/templates/deployment.yaml", "replicas: 30000000", `tag: "1.10"`, "key: '[gone]'", "password: '[gone]'"} {
		if !strings.Contains(string(clean), want) {
			t.Errorf("it lacks %q:\n%s", want, clean)
		}
	}
	for _, want := range []string{"planted-data", "planted-text"} {
		if !slices.Contains(secrets, want) {
			t.Errorf("%q is not among the secrets %q", want, secrets)
		}
	}
	objects, err := Objects(clean, "octo")
	if err != nil || len(objects) != 2 {
		t.Errorf("it has the objects %v, %v", objects, err)
	}
}

func asItIs(value string) string { return value }

func TestAValueOfASecretIsTakenOutOfOtherObjectsOfAManifestToo(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s3cr, labels: {a: s3cr}}\ndata: {s3cr: s3cr, b: &b s3cr, c: *b}\nreplicas: 12\nport: 1234\non: true\n"
	clean, _, err := WithoutSecrets([]byte(manifest), placeholder, func(value string) string {
		if strings.Contains("s3cr 12 1234 true ConfigMap", value) {
			return "[redacted]"
		}
		return value
	})
	const want = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: s3cr, labels: {a: '[redacted]'}}\ndata: {s3cr: '[redacted]', b: &b '[redacted]', c: *b}\nreplicas: 12\nport: '[redacted]'\non: true\n"
	if err != nil || string(clean) != want {
		t.Errorf("%v, got\n%s", err, clean)
	}
}

func TestNoWayToWriteASecretKeepsItsValue(t *testing.T) {
	for name, manifest := range map[string]string{
		"in a list":              "kind: List\napiVersion: v1\nitems:\n- {kind: Secret, stringData: {a: planted}}\n",
		"in a list of its own":   "kind: SecretList\napiVersion: v1\nitems:\n- {kind: Secret, stringData: {a: planted}}\n",
		"after the end":          "kind: ConfigMap\n...\nkind: Secret\nstringData: {a: planted}\n",
		"with two kinds":         "kind: Secret\nkind: ConfigMap\nstringData: {a: planted}\n",
		"with two of data":       "kind: Secret\nstringData: {a: planted}\nstringData: {b: planted}\n",
		"by an alias":            "x: &x {a: planted}\nkind: Secret\nstringData: *x\n",
		"by an alias of a value": "x: &x planted\nkind: Secret\nstringData: {a: *x}\n",
		"by an alias to itself":  "kind: Secret\nstringData: &x {a: planted, b: *x}\n",
		"by a merge":             "x: &x {a: planted}\nkind: Secret\nstringData: {<<: *x}\n",
		"merged in as a whole":   "x: &x {kind: Secret, stringData: {a: planted}}\n<<: *x\n",
		"with merged data":       "x: &x {stringData: {a: planted}}\nkind: Secret\n<<: [{a: b}, *x]\n",
		"with a merged kind":     "<<: {<<: {kind: Secret}}\nstringData: {a: planted}\n",
		"in a merged list":       "kind: List\n<<: {items: [{<<: {kind: Secret, stringData: {a: planted}}}]}\n",
		"in a list in a list":    "kind: List\nitems: [{kind: List, items: [{kind: Secret, stringData: {a: planted}}]}]\n",
		"in JSON":                `{"kind": "Secret", "stringData": {"a": "planted"}}`,
		"in several lines":       "kind: Secret\nstringData:\n  a: |\n    planted\n    more\n",
		"as a list":              "kind: Secret\nstringData: [planted, {a: planted}]\n",
		"on the marker's line":   "--- {kind: Secret, stringData: {a: planted}}\n",
		"in a comment":           "# planted\nkind: Secret # planted\n# planted\nstringData: {} # planted\n",
	} {
		t.Run(name, func(t *testing.T) {
			clean, _, err := WithoutSecrets([]byte(manifest), placeholder, asItIs)
			if err == nil && strings.Contains(string(clean), "planted") {
				t.Errorf("it is there still:\n%s", clean)
			}
		})
	}
}

func TestAliasesOfAliasesAreHiddenInNoTime(t *testing.T) {
	manifest := "kind: Secret\nx0: &x0 [planted, planted]\n"
	for i := range 60 {
		manifest += fmt.Sprintf("x%d: &x%d [*x%d, *x%d]\n", i+1, i+1, i, i)
	}
	clean, _, err := WithoutSecrets([]byte(manifest+"data: *x60\n"), placeholder, asItIs)
	if err != nil || strings.Contains(string(clean), "planted") {
		t.Errorf("error %v:\n%s", err, clean)
	}
}

func TestAManifestThatCannotBeReadIsNotKept(t *testing.T) {
	for _, manifest := range []string{"kind: [", "kind: Secret\n\tdata: x", strings.Repeat("#", bounds.Manifest+1)} {
		if clean, _, err := WithoutSecrets([]byte(manifest), placeholder, asItIs); err == nil || clean != nil {
			t.Errorf("error %v, clean %.20q", err, clean)
		}
	}
}
