package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverrideIsSetAtItsPath(t *testing.T) {
	tests := map[string]struct{ values, path, want string }{
		"new key":                     {"", "a.b.c", "a: {b: {c: v}}"},
		"beside what is there":        {"a: {x: 1}", "a.b", "a: {b: v, x: 1}"},
		"escaped dot":                 {"", `a.example\.com/x`, "a: {example.com/x: v}"},
		"existing list element":       {"a: [{x: 1}, {x: 2}]", "a[1].x", "a: [{x: 1}, {x: v}]"},
		"list is extended with null":  {"a: [1]", "a[3]", "a: [1, null, null, v]"},
		"new list":                    {"", "a[1]", "a: [null, v]"},
		"list in a list":              {"a: [[1]]", "a[0][1]", "a: [[1, v]]"},
		"map in a new list":           {"", "a[0].b", "a: [{b: v}]"},
		"scalar gives way to a map":   {"a: text", "a.b", "a: {b: v}"},
		"null gives way to a map":     {"a: null", "a.b", "a: {b: v}"},
		"null gives way to a list":    {"a: null", "a[0]", "a: [v]"},
		"scalar gives way to a list":  {"a: 1", "a[0]", "a: [v]"},
		"a map is replaced as target": {"a: {b: 1}", "a", "a: v"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{Values: []byte(test.values), Overrides: []Override{{Path: test.path, Value: "v"}}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, test.want), got.Values); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverrideErrorsNameThePathAndNoValue(t *testing.T) {
	tests := map[string]struct{ values, path, want string }{
		"malformed":     {"", "a[x]", `cannot set override "a[x]": index is not a number at position 2`},
		"index in map":  {"a: {b: 1}", "a[0]", `cannot set override "a[0]": "a" is a map, so no index can follow it`},
		"name in list":  {"a: {b: [1]}", "a.b.c", `cannot set override "a.b.c": "a.b" is a list, so an index such as [0] must follow it`},
		"name in list2": {"a: [[1]]", "a[0].c", `cannot set override "a[0].c": "a[0]" is a list, so an index such as [0] must follow it`},
		"much filling":  {"", "a[65536][65536][65536][65536][65536]", `the overrides would add more than 131072 maps and list elements`},
		"long path":     {"", strings.Repeat("x", 5000), `xxx"…: the path has 5000 bytes`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, secret := range []bool{false, true} {
				_, err := Document(Input{Values: []byte(test.values), SecretName: "s", Overrides: []Override{{Path: test.path, Value: "hunter2", Secret: secret}}})
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %v, want %s", err, test.want)
				}
			}
		})
	}
}

func TestOverrideTakesTheTypeOfItsTarget(t *testing.T) {
	tests := map[string]struct{ values, chart, schema, override, want string }{
		"no target stays text":                   {"", "", "", "1", `a: "1"`},
		"chart text stays text":                  {"", `a: "1.9"`, "", "1.10", `a: "1.10"`},
		"chart boolean":                          {"", "a: true", "", "false", "a: false"},
		"boolean as .NET writes it":              {"", "a: true", "", "False", "a: false"},
		"boolean is only true and false":         {"", "a: true", "", "no", `a: "no"`},
		"chart number":                           {"", "a: 1", "", "30000000", "a: 30000000"},
		"number with a fraction":                 {"", "a: 1", "", "1.5", "a: 1.5"},
		"large number is not rounded":            {"", "a: 1", "", "9007199254740993", "a: 9007199254740993"},
		"number is as JSON spells it":            {"", "a: 1", "", "0x1F", `a: "0x1F"`},
		"number without leading zeros":           {"", "a: 1", "", "007", `a: "007"`},
		"number out of range":                    {"", "a: 1", "", "1e999", `a: "1e999"`},
		"what is no number stays text":           {"", "a: 1", "", "100m", "a: 100m"},
		"chart list":                             {"", "a: []", "", `["x", "y"]`, `a: [x, "y"]`},
		"chart list, YAML block":                 {"", "a: []", "", "- x\n- 1\n", "a: [x, 1]"},
		"text for a list stays text":             {"", "a: []", "", "x,y", `a: "x,y"`},
		"map text for a list stays text":         {"", "a: []", "", "{x: y}", `a: "{x: y}"`},
		"broken list stays text":                 {"", "a: []", "", "[x", `a: "[x"`},
		"chart map":                              {"", "a: {}", "", `{"x": 1}`, "a: {x: 1}"},
		"null in the chart tells nothing":        {"", "a: null", "", "1", `a: "1"`},
		"null in the chart, type in the schema":  {"", "a: null", `{"properties":{"a":{"type":"integer"}}}`, "1", "a: 1"},
		"valuesYaml before the chart":            {"a: text", "a: 1", "", "2", `a: "2"`},
		"null in valuesYaml, type in the chart":  {"a: null", "a: 1", "", "2", "a: 2"},
		"chart before the schema":                {"", "a: text", `{"properties":{"a":{"type":"integer"}}}`, "2", `a: "2"`},
		"schema integer takes no fraction":       {"", "", `{"properties":{"a":{"type":"integer"}}}`, "1.5", `a: "1.5"`},
		"schema number":                          {"", "", `{"properties":{"a":{"type":"number"}}}`, "1.5", "a: 1.5"},
		"schema boolean":                         {"", "", `{"properties":{"a":{"type":"boolean"}}}`, "true", "a: true"},
		"schema array":                           {"", "", `{"properties":{"a":{"type":"array"}}}`, "[1]", "a: [1]"},
		"schema type or null":                    {"", "", `{"properties":{"a":{"type":["null","integer"]}}}`, "1", "a: 1"},
		"schema integer or number":               {"", "", `{"properties":{"a":{"type":["integer","number"]}}}`, "1.5", "a: 1.5"},
		"schema that allows text keeps text":     {"", "", `{"properties":{"a":{"type":["string","integer"]}}}`, "1", `a: "1"`},
		"schema that allows several keeps text":  {"", "", `{"properties":{"a":{"type":["boolean","integer"]}}}`, "1", `a: "1"`},
		"schema additionalProperties":            {"", "", `{"additionalProperties":{"type":"integer"}}`, "1", "a: 1"},
		"schema additionalProperties, forbidden": {"", "", `{"additionalProperties":false}`, "1", `a: "1"`},
		"schema patternProperties":               {"", "", `{"patternProperties":{"^a$":{"type":"integer"}}}`, "1", "a: 1"},
		"schema definitions":                     {"", "", `{"properties":{"a":{"$ref":"#/definitions/x~1y"}},"definitions":{"x/y":{"type":"integer"}}}`, "1", "a: 1"},
		"schema allOf":                           {"", "", `{"allOf":[{"properties":{"b":{}}},{"properties":{"a":{"allOf":[{"minimum":0},{"type":"integer"}]}}}]}`, "1", "a: 1"},
		"schema oneOf":                           {"", "", `{"properties":{"a":{"oneOf":[{"type":"integer"},{"type":"null"}]}}}`, "1", "a: 1"},
		"schema that refers to itself":           {"", "", `{"$ref":"#","allOf":[{"$ref":"#"},{"$ref":"#"}]}`, "1", `a: "1"`},
		"schema in another file":                 {"", "", `{"properties":{"a":{"$ref":"other.json#/x"}}}`, "1", `a: "1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{
				Values: []byte(test.values), ChartValues: []byte(test.chart), ChartSchema: []byte(test.schema),
				Overrides: []Override{{Path: "a", Value: test.override}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, test.want), got.Values); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverrideTakesTheTypeOfAListElement(t *testing.T) {
	got, err := Document(Input{
		ChartValues: []byte("a: [{x: true}]"),
		ChartSchema: []byte(`{"properties":{"b":{"items":{"properties":{"x":{"type":"integer"}}}},"c":{"items":[{},{"type":"boolean"}]}}}`),
		Overrides:   []Override{{Path: "a[0].x", Value: "false"}, {Path: "b[2].x", Value: "7"}, {Path: "c[1]", Value: "true"}, {Path: "a[0].x", Value: "true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mustParse(t, "a: [{x: true}]\nb: [null, null, {x: 7}]\nc: [null, true]"), got.Values); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenChartFilesAreNamed(t *testing.T) {
	for want, in := range map[string]Input{
		"cannot read the chart's values.yaml: line 1":      {ChartValues: []byte("a: b: c")},
		"cannot read the chart's values.schema.json: inva": {ChartSchema: []byte("{nope")},
	} {
		in.Overrides = []Override{{Path: "a", Value: "1"}}
		if _, err := Document(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSecretOverrideIsOnlyAReference(t *testing.T) {
	secret := func(path, value string) Override { return Override{Path: path, Value: value, Secret: true} }
	plain := func(path, value string) Override { return Override{Path: path, Value: value} }
	ref := func(key string) string {
		return "{valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: " + key + "}}}"
	}
	tests := map[string]struct {
		values    string
		overrides []Override
		want      string
		secrets   map[string]string
	}{
		"new":                         {"", []Override{secret("db.password", "p")}, "db: {password: " + ref("db.password") + "}", map[string]string{"db.password": "p"}},
		"over plain text":             {"a: old", []Override{secret("a", "p")}, "a: " + ref("a"), map[string]string{"a": "p"}},
		"over a map":                  {"a: {x: 1}", []Override{secret("a", "p")}, "a: " + ref("a"), map[string]string{"a": "p"}},
		"the later one counts":        {"", []Override{secret("a", "p"), secret("a", "q")}, "a: " + ref("a"), map[string]string{"a": "q"}},
		"two spellings of one path":   {"", []Override{secret("a", "p"), secret(`\a`, "q")}, "a: " + ref("_a-2bac4a55153a7a84"), map[string]string{"_a-2bac4a55153a7a84": "q"}},
		"replaced by plain":           {"", []Override{secret("a", "p"), plain("a", "v")}, "a: v", map[string]string{}},
		"replaced with its parent":    {"", []Override{secret("a.b", "p"), plain("a", "v")}, "a: v", map[string]string{}},
		"replaced below":              {"", []Override{secret("a", "p"), plain("a.valueFrom", "v")}, "a: {valueFrom: v}", map[string]string{}},
		"something beside it":         {"", []Override{secret("a", "p"), plain("a.x", "v")}, "a: {x: v, valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: a}}}", map[string]string{"a": "p"}},
		"in a list":                   {"", []Override{secret("a[0]", "p")}, "a: [" + ref("a_0_-a2b5a4b96fdd106e") + "]", map[string]string{"a_0_-a2b5a4b96fdd106e": "p"}},
		"empty value":                 {"", []Override{secret("a", "")}, "a: " + ref("a"), map[string]string{"a": ""}},
		"plain over it is not a map":  {"", []Override{secret("a", "p"), plain("a", `{"x": 1}`)}, `a: '{"x": 1}'`, map[string]string{}},
		"value that looks like a map": {"a: {}", []Override{secret("a", `{"x": 1}`)}, "a: " + ref("a"), map[string]string{"a": `{"x": 1}`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{Values: []byte(test.values), Overrides: test.overrides, SecretName: "rel-octo-secrets"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, test.want), got.Values); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.secrets, got.Secrets); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecretOverrideWithoutASecretIsAnError(t *testing.T) {
	_, err := Document(Input{Overrides: []Override{{Path: "a", Value: "hunter2", Secret: true}}})
	if err == nil || err.Error() != `cannot set override "a": it is secret, and the release has no Secret` {
		t.Error(err)
	}
}

func TestSecretKeyIsThePathWhenThatIsAValidKey(t *testing.T) {
	long := strings.Repeat("x", 253)
	for _, path := range []string{"a", "secrets.rabbitmq", "a-b_c.D9", long} {
		if got := secretKeyOf(path); got != path {
			t.Errorf("secretKeyOf(%q) = %q", path, got)
		}
	}
	seen := map[string]string{}
	for _, path := range []string{"a[0]", "a[1]", `a\.b`, "a_b c", "a_b  c", "ä", "ö", "", long + "y", long + "z", "..a"} {
		key := secretKeyOf(path)
		if !secretKey.MatchString(key) || len(key) > 253 || strings.HasPrefix(key, "..") {
			t.Errorf("secretKeyOf(%q) = %q is not valid", path, key)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have the same key %q", path, other, key)
		}
		seen[key] = path
	}
}
