package merge

import (
	"strings"
	"testing"

	"octo-operator/bounds"
)

// Whatever a tenant and a chart write into values: Document does not panic, no error holds a value, and Explain returns the true origin of each leaf
// and no secret.
func FuzzDocument(f *testing.F) {
	f.Add("a: {b: 1}", "a.b", "2", false, "a: {b: 3}", `{"properties":{"a":{"type":"object"}}}`)
	f.Add("a: &x [1]\nb: *x", "a[3].c", "true", true, "", `{"$ref":"#"}`)
	f.Add("", `a\.b`, "planted", true, "a: null", `{"patternProperties":{"^(a+)+$":{"type":"integer"}}}`)
	f.Add("a: text", "a.b.c", "x", false, "- no map", `{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`)
	f.Add("l: [1, 2]", "l", "[3]", false, "l: []", `{"properties":{"l":{"items":[{"type":"string"}],"additionalItems":false}}}`)
	f.Fuzz(func(t *testing.T, values, path, value string, secret bool, chartValues, chartSchema string) {
		const name = "the-release-octo-secrets"
		in := Input{
			Context: map[string]any{"tenantId": "acme"}, Values: []byte(values), SecretName: name,
			Overrides:   []Override{{Path: path, Value: value, Secret: secret}},
			ChartValues: []byte(chartValues), ChartSchema: []byte(chartSchema),
		}
		result, err := Document(in)
		if err != nil {
			if secret && len(value) > 20 && strings.Contains(err.Error(), value) && !strings.Contains(values+path+chartValues+chartSchema, value) {
				t.Errorf("the error holds the secret %q: %v", value, err)
			}
			return
		}
		if _, err := Parse("own output", result.YAML); err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, result.YAML)
		}
		if len(result.YAML) > bounds.Document {
			t.Errorf("it has %d bytes", len(result.YAML))
		}
		if explained, _, err := Explain(in); err != nil {
			t.Errorf("Document has no error, Explain says %v", err)
		} else if told := shortly(explained); secret && len(value) > 20 && strings.Contains(told, value) && !strings.Contains(string(result.YAML), value) {
			t.Errorf("the explanation holds the secret %q: %s", value, told)
		}
		checkExplanation(t, in)
		in.Identity, in.Injected, in.Pinned = []string{"tenantId"}, []Override{{Path: "a.b", Value: value, Secret: !secret}}, []Override{{Path: path, Value: "7"}}
		checkExplanation(t, in)
		if secret && len(result.Secrets) != 1 && strings.Contains(string(result.YAML), name) && !strings.Contains(values, name) {
			t.Errorf("it refers to a Secret with %d keys: %s", len(result.Secrets), result.YAML)
		}
	})
}
