package helmoracle

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"

	"octo-operator/merge"
)

const (
	schemaCases    = 20_000
	fewestLeftOut  = 4_000
	fewestAccepted = 4_000
)

// TestWhatIsLeftOutIsWhatHelmWouldRefuse checks that a value of the operator is left out exactly if helm refuses it by the schema. The exception: if
// a schema counts branches (oneOf) or the properties of branches that match (unevaluatedProperties), the value may stay although helm refuses it,
// because the refusal cannot be proved.
func TestWhatIsLeftOutIsWhatHelmWouldRefuse(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 20261123))
	leftOut, accepted, undecided := 0, 0, 0
	for range schemaCases {
		schema := randomSchema(r)
		values := randomLeaf(r)
		got, err := merge.Document(merge.Input{Context: values, ChartSchema: []byte(schema)})
		if err != nil {
			t.Fatalf("%v\n%s", err, schema)
		}
		helmErr := util.ValidateAgainstSingleSchema(common.Values(values), []byte(schema))
		guess := strings.Contains(schema, "oneOf") || strings.Contains(schema, "unevaluated")
		switch {
		case len(got.LeftOut) > 0 && helmErr == nil:
			t.Errorf("helm accepts %v, it was left out by\n%s", values, schema)
		case len(got.LeftOut) > 0:
			leftOut++
		case helmErr == nil:
			accepted++
		case guess:
			undecided++
		default:
			t.Errorf("helm refuses %v, it was not left out: %v\n%s", values, helmErr, schema)
		}
	}
	t.Logf("helm refuses %d values that are left out and accepts %d that are not; %d more are refused and stay", leftOut, accepted, undecided)
	if leftOut < fewestLeftOut || accepted < fewestAccepted {
		t.Errorf("that is too few to prove anything: %d and %d are needed", fewestLeftOut, fewestAccepted)
	}
}

// randomLeaf returns nested maps with one value in the innermost.
func randomLeaf(r *rand.Rand) map[string]any {
	v := []any{"text", true, json.Number("3"), json.Number("1.5"), []any{"x"}}[r.IntN(5)]
	for range 1 + r.IntN(3) {
		v = map[string]any{string("abc"[r.IntN(3)]): v}
	}
	return v.(map[string]any)
}

func randomSchema(r *rand.Rand) string {
	root := randomObject(r, 4, true)
	if r.IntN(4) == 0 {
		root["$schema"] = "http://json-schema.org/draft-07/schema#"
	}
	root["$defs"] = map[string]any{"x": randomSubschema(r, 2, false), "y/%": randomSubschema(r, 2, false)}
	text, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func randomSubschema(r *rand.Rand, depth int, refs bool) any {
	switch n := r.IntN(100); {
	case n < 8:
		return false
	case n < 20 || depth == 0:
		return true
	}
	return randomObject(r, depth, refs)
}

func randomObject(r *rand.Rand, depth int, refs bool) map[string]any {
	node := map[string]any{}
	sub := func() any { return randomSubschema(r, depth-1, refs) }
	some := func(percent int, add func()) {
		if r.IntN(100) < percent {
			add()
		}
	}
	some(20, func() {
		node["type"] = []any{"object", "object", "string", []any{"object", "integer"}, []any{"object", "array", "boolean"}, []any{"number", "string", "null", "array", "object", "boolean"}}[r.IntN(6)]
	})
	some(60, func() {
		properties := map[string]any{}
		for range 1 + r.IntN(2) {
			properties[string("abc"[r.IntN(3)])] = sub()
		}
		node["properties"] = properties
	})
	some(20, func() {
		node["patternProperties"] = map[string]any{[]string{"^a", "[bc]", "^.{1,3}$"}[r.IntN(3)]: sub()}
	})
	some(15, func() { node["additionalProperties"] = sub() })
	some(5, func() { node["unevaluatedProperties"] = false })
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		some(8, func() { node[keyword] = []any{sub(), sub()} })
	}
	some(10, func() {
		if refs {
			node["$ref"] = []string{"#/$defs/x", "#/$defs/y~1%25"}[r.IntN(2)]
		}
	})
	return node
}
