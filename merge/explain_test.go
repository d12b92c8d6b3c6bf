package merge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"

	"github.com/google/go-cmp/cmp"
)

// printed returns an explanation in the form of the golden file: a line for each leaf, and below it what was coerced and replaced.
func printed(t *testing.T, origins []Origin) []byte {
	t.Helper()
	text := func(v any) string {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var b strings.Builder
	for _, o := range origins {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s", o.Path, o.Layer, o.Type, text(o.Value))
		if o.Secret != "" {
			fmt.Fprintf(&b, "\tof the secret %s", o.Secret)
		}
		b.WriteByte('\n')
		if c := o.Coerced; c != nil {
			fmt.Fprintf(&b, "    coerced\t%s\t%q\tto %s\t%s\tfailed: %v\n", c.Path, c.Text, c.To, c.Because, c.Failed)
		}
		for _, r := range o.Replaced {
			fmt.Fprintf(&b, "    replaced\t%s\t%s\t%s\t%s\tmasked: %v\n", r.Path, r.Layer, r.Type, text(r.Value), r.Masked)
		}
	}
	return []byte(b.String())
}

func TestExplainTellsOfEachLeafItsLayerWhatItReplacedAndHowItGotItsType(t *testing.T) {
	in := fullInput(t)
	origins, _, err := Explain(in)
	if err != nil {
		t.Fatal(err)
	}
	fixtures.Golden(t, "explain.golden.txt", printed(t, origins))
	checkExplanation(t, in)
}

func TestAValueTellsAllThatItHasReplaced(t *testing.T) {
	type values []Override
	for name, test := range map[string]struct {
		in   Input
		want string
	}{
		"through all layers, the newest first": {
			Input{Context: map[string]any{"a": 1}, Values: []byte("a: 2"), Injected: values{{Path: "a", Value: "3"}}, Overrides: values{{Path: "a", Value: "4"}, {Path: "a", Value: "5"}}, Pinned: values{{Path: "a", Value: "6"}}, ChartValues: []byte("a: 0")},
			`a pinned 6 <values 5 <values 4 <injected 3 <valuesYaml 2 <context 1 <chart 0`,
		},
		"a list, as a whole": {
			Input{Context: map[string]any{"a": []int{1, 2, 3}}, Values: []byte("a: [4, 5]"), ChartValues: []byte("a: [0]")},
			`a[0] valuesYaml 4 <context a=[1,2,3] <chart a=[0] | a[1] valuesYaml 5`,
		},
		"an element of a list": {Input{Values: []byte("a: [1, 2]"), Overrides: values{{Path: "a[1]", Value: "3"}}}, `a[0] valuesYaml 1 | a[1] values 3 <valuesYaml 2`},
		"an element of a list that was a text": {
			Input{Values: []byte("a: [1]"), Overrides: values{{Path: "a", Value: "[p, q]"}, {Path: "a[1]", Value: "r"}}},
			`a[0] values "p" <valuesYaml a=[1] | a[1] values "r" <values "q"`,
		},
		"an empty list that gets an element": {Input{Values: []byte("a: []"), Overrides: values{{Path: "a[0]", Value: "3"}}}, `a[0] values "3" <valuesYaml a=[]`},
		"a map by a value":                   {Input{Values: []byte("a: {x: 1, z: 2}"), Pinned: values{{Path: "b", Value: "1"}}, Overrides: values{{Path: "a", Value: "1"}}}, `a values "1" <valuesYaml {"x":1,"z":2} | b pinned "1"`},
		"a value by a map":                   {Input{Values: []byte("a: 1"), Overrides: values{{Path: "a.x", Value: "2"}}}, `a.x values "2" <valuesYaml a=1`},
		"a map of several layers": {
			Input{Context: map[string]any{"a": map[string]any{"x": 1, "v": 2}}, Values: []byte("a: {v: 3, z: {q: 4}}"), Overrides: values{{Path: "a", Value: "[7]"}}},
			`a values "[7]" <valuesYaml a.z={"q":4} <context a.x=1 <valuesYaml a.v=3 <context a.v=2`,
		},
		"what stood where nothing is left":                {Input{Values: []byte("a: {l: [1, 2, 3]}"), Overrides: values{{Path: "a.l[2]", Value: "4"}, {Path: "a.l", Value: "[9]"}}}, `a.l[0] values 9 <values a.l[2]=4 <valuesYaml a.l[1]=2 <valuesYaml 1 <valuesYaml a.l[2]=3`},
		"null, which removes what the chart has":          {Input{Values: []byte("a: null"), ChartValues: []byte("a: {x: 1}")}, `a valuesYaml null <chart {"x":1}`},
		"nothing, where maps merge":                       {Input{Context: map[string]any{"a": map[string]any{"x": 1}}, Values: []byte("a: {v: 2}"), ChartValues: []byte("a: {z: 3}")}, `a.v valuesYaml 2 | a.x context 1`},
		"nothing, where an empty map changes nothing":     {Input{Context: map[string]any{"a": map[string]any{"x": 1}}, Values: []byte("a: {}")}, `a.x context 1`},
		"nothing, where an element only leads to another": {Input{Overrides: values{{Path: "a[1]", Value: "x"}, {Path: "a[0]", Value: "y"}}}, `a[0] values "y" | a[1] values "x"`},
		"whose the workload is, from above too": {
			Input{Context: map[string]any{"tenantId": "acme"}, Identity: []string{"tenantId"}, Values: []byte("tenantId: other"), Overrides: values{{Path: "tenantId", Value: "third"}}},
			`tenantId context "acme" <values "third" <valuesYaml "other"`,
		},
		"a key in place of a secret's": {
			Input{SecretName: "s", Values: []byte("a: planted"), Overrides: values{{Path: "a", Value: "planted", Secret: true}}, ChartValues: []byte("a: planted")},
			`a.valueFrom.secretKeyRef.key values "a" of a <valuesYaml a=MASKED <chart a=MASKED | a.valueFrom.secretKeyRef.name values "s" of a`,
		},
		"what was secret for a while": {
			Input{SecretName: "s", Values: []byte("a: planted"), Overrides: values{{Path: "a", Value: "planted", Secret: true}, {Path: "a", Value: "open"}}},
			`a values "open" <values MASKED <valuesYaml MASKED`,
		},
		"what is around a secret": {
			Input{SecretName: "s", Values: []byte("a: {b: planted}"), Overrides: values{{Path: "a.b", Value: "planted", Secret: true}, {Path: "a", Value: "[1]"}}, ChartValues: []byte("a: [planted]")},
			`a values "[1]" <values MASKED <valuesYaml a.b=MASKED <chart MASKED`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			origins, _, err := Explain(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := shortly(origins); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			checkExplanation(t, test.in)
		})
	}
}

// shortly returns an explanation in one line, without types.
func shortly(origins []Origin) string {
	text := func(v any) string {
		out, _ := json.Marshal(v)
		return string(out)
	}
	var leaves []string
	for _, o := range origins {
		leaf := fmt.Sprintf("%s %s %s", o.Path, o.Layer, text(o.Value))
		if o.Secret != "" {
			leaf += " of " + o.Secret
		}
		for _, r := range o.Replaced {
			leaf += " <" + r.Layer + " "
			if r.Path != o.Path {
				leaf += r.Path + "="
			}
			if r.Masked {
				leaf += "MASKED"
			} else {
				leaf += text(r.Value)
			}
		}
		leaves = append(leaves, leaf)
	}
	return strings.Join(leaves, " | ")
}

func TestACoercedValueTellsFromWhichTextToWhichTypeAndWhoSaysSo(t *testing.T) {
	for name, test := range map[string]struct {
		values, chart, schema, path, value string
		want                               *Coercion
	}{
		"as the document":             {"a: true", "a: 1", "", "a", "False", &Coercion{Path: "a", Text: "False", To: "boolean", Because: "valuesYaml has a boolean there"}},
		"as the chart's default":      {"", "a: 1", "", "a", "7", &Coercion{Path: "a", Text: "7", To: "number", Because: "the chart's values.yaml has a number there"}},
		"as the schema":               {"", "", `{"properties":{"a":{"type":"integer"}}}`, "a", "7", &Coercion{Path: "a", Text: "7", To: "integer", Because: "the chart's schema has the type integer there"}},
		"a list":                      {"a: [1]", "", "", "a", "[x, y]", &Coercion{Path: "a", Text: "[x, y]", To: "list", Because: "valuesYaml has a list there"}},
		"a text that does not fit":    {"a: true", "", "", "a", "yes", &Coercion{Path: "a", Text: "yes", To: "boolean", Because: "valuesYaml has a boolean there", Failed: true}},
		"a text where a text is":      {"a: text", "", "", "a", "7", nil},
		"where nobody knows the type": {"", "", "", "a", "7", nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Values: []byte(test.values), ChartValues: []byte(test.chart), ChartSchema: []byte(test.schema), Overrides: []Override{{Path: test.path, Value: test.value}}}
			origins, _, err := Explain(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, origins[0].Coerced); diff != "" {
				t.Error(diff)
			}
			for _, more := range origins[1:] {
				if more.Coerced != nil {
					t.Errorf("%s says it again", more.Path)
				}
			}
			checkExplanation(t, in)
		})
	}
}

func TestOnePathIsExplainedAlone(t *testing.T) {
	in := Input{
		Context: map[string]any{"a": map[string]any{"hosts": []string{"x"}, "k": 1}}, Values: []byte("a: {hosts: [p, {q: 1}], gone: null}\nb: 1"),
		ChartValues: []byte("a: {hosts: [c], k: 0, only: {chart: [1, 2]}, empty: {}, gone: {hidden: 1}}\nsecond: 2"),
	}
	for path, want := range map[string]string{
		"":              `a.gone valuesYaml null <chart {"hidden":1} | a.hosts[0] valuesYaml "p" <context a.hosts=["x"] <chart a.hosts=["c"] | a.hosts[1].q valuesYaml 1 | a.k context 1 <chart 0 | b valuesYaml 1`,
		"a":             `a.empty chart {} | a.gone valuesYaml null <chart {"hidden":1} | a.hosts[0] valuesYaml "p" <context a.hosts=["x"] <chart a.hosts=["c"] | a.hosts[1].q valuesYaml 1 | a.k context 1 <chart 0 | a.only.chart[0] chart 1 | a.only.chart[1] chart 2`,
		"a.k":           `a.k context 1 <chart 0`,
		"a.hosts[1]":    `a.hosts[1].q valuesYaml 1 <context a.hosts=["x"] <chart a.hosts=["c"]`,
		"a.hosts[1].q":  `a.hosts[1].q valuesYaml 1 <context a.hosts=["x"] <chart a.hosts=["c"]`,
		"a.only":        `a.only.chart[0] chart 1 | a.only.chart[1] chart 2`,
		"second":        `second chart 2`,
		"a.gone":        `a.gone valuesYaml null <chart {"hidden":1}`,
		"a.gone.hidden": "error: cannot explain \"a.gone.hidden\": neither the values document nor the chart's values.yaml has something there",
		"a.hosts[2]":    "error: cannot explain \"a.hosts[2]\": neither the values document nor the chart's values.yaml has something there",
		"none":          "error: cannot explain \"none\": neither the values document nor the chart's values.yaml has something there",
		"a[":            "error: cannot explain \"a[\": [ without ] at position 2",
	} {
		origins, _, err := ExplainAt(in, path)
		got := shortly(origins)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
		}
	}
}

// A misspelled path is the most frequent mistake, and nothing else reports it: helm accepts any value.
func TestAValueThatTheChartDoesNotKnowIsSaidToBeSo(t *testing.T) {
	const chart = "image: {tag: latest}\nannotations: {}\nhosts: []\nnothing:\n"
	for name, test := range map[string]struct{ path, schema, want string }{
		"its first name":                              {"imgae.tag", "", "imgae"},
		"a name further down":                         {"image.tga", "", "image.tga"},
		"one of the chart's values.yaml":              {"image.tag", "", ""},
		"one of its schema alone":                     {"debug", `{"properties": {"debug": {"type": "string"}}}`, ""},
		"below an empty map":                          {"annotations.mine", "", ""},
		"in a list":                                   {"hosts[0]", "", ""},
		"below what has no default":                   {"nothing.at.all", "", ""},
		"what helm gives to every chart":              {"global.mine", "", ""},
		"a name with a dot, as it would be typed":     {`im\.age`, "", `im\.age`},
		"of a chart whose values.yaml does not exist": {"imgae", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Overrides: []Override{{Path: test.path, Value: "x"}}, ChartValues: []byte(chart), ChartSchema: []byte(test.schema)}
			if strings.HasSuffix(name, "does not exist") {
				in.ChartValues = nil
			}
			origins, _, err := Explain(in)
			if err != nil || len(origins) != 1 || origins[0].Unknown != test.want {
				t.Errorf("%+v, %v: want %q", origins, err, test.want)
			}
		})
	}
	origins, _, err := Explain(Input{Context: map[string]any{"imgae": "x"}, ChartValues: []byte(chart)})
	if err != nil || len(origins) > 0 && origins[0].Unknown != "" {
		t.Errorf("what the operator adds to every release is no mistake of the event: %+v, %v", origins, err)
	}
}
