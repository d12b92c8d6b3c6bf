package merge

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"

	"github.com/google/go-cmp/cmp"
)

// fullInput uses every feature; the golden files show its result.
func fullInput(t *testing.T) Input {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var overrides []Override
	if err := json.Unmarshal(read("values.json"), &overrides); err != nil {
		t.Fatal(err)
	}
	return Input{
		Context: map[string]any{
			"tenantId": "acme", "adapterRtId": "65d5c447b420da3fb12381bc",
			"image":                  map[string]any{"privateRegistry": "registry.example.com"},
			"ingress":                map[string]any{"className": "nginx", "tls": true, "annotations": map[string]string{"cert-manager.io/cluster-issuer": "letsencrypt"}},
			"additionalValidIssuers": []string{"https://a.example.com", "https://b.example.com"},
		},
		Values: read("values.in.yaml"),
		Injected: []Override{
			{Path: "secrets.rabbitmq", Value: "broker-password", Secret: true},
			{Path: "secrets.rootCa", Value: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
		},
		Overrides:   overrides,
		SecretName:  "acme-65d5c447b420da3fb12381bc-octo-secrets",
		ChartValues: read("chart-values.yaml"),
		ChartSchema: read("chart-schema.json"),
	}
}

func TestDocumentMergesTheFourLayers(t *testing.T) {
	in := fullInput(t)
	got, err := Document(in)
	if err != nil {
		t.Fatal(err)
	}
	fixtures.Golden(t, "values.golden.yaml", got.YAML)
	secrets, err := json.MarshalIndent(got.Secrets, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	fixtures.Golden(t, "secrets.golden.json", append(secrets, '\n'))

	for key, plain := range got.Secrets {
		if bytes.Contains(got.YAML, []byte(plain)) {
			t.Errorf("the plain value of %s is in the document", key)
		}
	}
	for range 5 {
		if again, err := Document(in); err != nil || !bytes.Equal(again.YAML, got.YAML) {
			t.Fatalf("the same input gave another document: %v", err)
		}
	}
}

// TestLayersMergeAsHelmMergesFiles is a short form of helmoracle: one row for each combination of two kinds of values.
func TestLayersMergeAsHelmMergesFiles(t *testing.T) {
	tests := map[string]struct{ lower, upper, want string }{
		"maps merge":                        {"a: {x: 1, y: 2}", "a: {y: 3, z: 4}", "a: {x: 1, y: 3, z: 4}"},
		"deep maps merge":                   {"a: {b: {c: {x: 1}}}", "a: {b: {c: {y: 2}}}", "a: {b: {c: {x: 1, y: 2}}}"},
		"lists are replaced":                {"a: [1, 2, 3]", "a: [4]", "a: [4]"},
		"lists of maps are replaced":        {"a: [{x: 1}]", "a: [{y: 1}]", "a: [{y: 1}]"},
		"null stays as null":                {"a: {x: 1}", "a: {x: null}", "a: {x: null}"},
		"null over a map":                   {"a: {x: 1}", "a: null", "a: null"},
		"null over a list":                  {"a: [1]", "a: null", "a: null"},
		"null where nothing is":             {"b: 1", "a: null", "a: null\nb: 1"},
		"map over null":                     {"a: null", "a: {x: 1}", "a: {x: 1}"},
		"scalar over null":                  {"a: null", "a: 1", "a: 1"},
		"list over null":                    {"a: null", "a: []", "a: []"},
		"map over scalar":                   {"a: 1", "a: {x: 1}", "a: {x: 1}"},
		"map over list":                     {"a: [1]", "a: {x: 1}", "a: {x: 1}"},
		"scalar over map":                   {"a: {x: 1}", "a: 1", "a: 1"},
		"list over map":                     {"a: {x: 1}", "a: [1]", "a: [1]"},
		"text over number":                  {"a: 1", "a: one", "a: one"},
		"false overrides":                   {"a: true", "a: false", "a: false"},
		"zero overrides":                    {"a: 1", "a: 0", "a: 0"},
		"empty text overrides":              {"a: text", "a: ''", "a: ''"},
		"empty list overrides":              {"a: [1]", "a: []", "a: []"},
		"empty list over scalar":            {"a: 1", "a: []", "a: []"},
		"empty map keeps the lower map":     {"a: {x: 1}", "a: {}", "a: {x: 1}"},
		"empty map over scalar":             {"a: 1", "a: {}", "a: {}"},
		"empty map over list":               {"a: [1]", "a: {}", "a: {}"},
		"map over empty map":                {"a: {}", "a: {x: {}}", "a: {x: {}}"},
		"what only the lower has stays":     {"a: 1\nb: {c: 0, d: '', e: false, f: null, g: [], h: {}}", "b: {z: 1}", "a: 1\nb: {c: 0, d: '', e: false, f: null, g: [], h: {}, z: 1}"},
		"an empty document changes nothing": {"a: {x: 1}", "", "a: {x: 1}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{Context: mustParse(t, test.lower), Values: []byte(test.upper)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, test.want), got.Values); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDocumentSharesNothingWithItsInput(t *testing.T) {
	context := map[string]any{"a": map[string]any{"x": []any{map[string]any{"y": 1}}}}
	got, err := Document(Input{Context: context, Values: []byte("a: {z: 2}")})
	if err != nil {
		t.Fatal(err)
	}
	got.Values["a"].(map[string]any)["x"].([]any)[0].(map[string]any)["y"] = "changed"
	want := map[string]any{"a": map[string]any{"x": []any{map[string]any{"y": 1}}}}
	if diff := cmp.Diff(want, context); diff != "" {
		t.Error(diff)
	}
}

func TestAliasesOfOneMapAreSetApart(t *testing.T) {
	got, err := Document(Input{Values: []byte("a: &x {k: 1}\nb: *x"), Overrides: []Override{{Path: "b.k", Value: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.YAML) != "a:\n  k: 1\nb:\n  k: 2\n" {
		t.Errorf("got\n%s", got.YAML)
	}
}

func TestTextThatLooksLikeSomethingElseIsReadBackAsText(t *testing.T) {
	for _, text := range []string{
		"1.10", "30000000", "1e3", "0x1F", "017", "0o17", "1_000", ".5", "-0", "yes", "no", "on", "off", "y", "n", "Y", "N", "true", "False", "null", "~", "",
		"2001-01-01", "1:30", ".nan", ".inf", "<<", "=", "- a", "a: b", "# c", "&a", "*a", "!t", "%p", "@a", "`", "{}", "[]", " lead", "trail ", "a\nb\n", "\n a", "\t", "\r",
		"\x00", "\x7f", "\u0085", "\u0090", "\u2028", "\ufeff", "\uffff", "🚢", strings.Repeat("a  b ", 50),
	} {
		got, err := Document(Input{Overrides: []Override{{Path: "a", Value: text}}})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{"a": text}, mustParse(t, string(got.YAML))); diff != "" {
			t.Errorf("%q written as %s: %s", text, got.YAML, diff)
		}
	}
}

func BenchmarkFourMiB(b *testing.B) {
	doc := largeDocument(4 << 20)
	lower, err := Parse("lower", doc)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			_, _ = Parse("valuesYaml", doc)
		}
	})
	b.Run("merge", func(b *testing.B) {
		for b.Loop() {
			if err := overlay(lower, lower); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			_, _ = encode(lower)
		}
	})
	b.Run("document", func(b *testing.B) {
		for b.Loop() {
			_, _ = Document(Input{Values: doc})
		}
	})
}

func mustParse(t *testing.T, doc string) map[string]any {
	t.Helper()
	values, err := Parse("test", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return values
}
