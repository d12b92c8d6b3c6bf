package merge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/bounds"
)

func TestParseKeepsNumbersAsHelmReadsThem(t *testing.T) {
	got, err := Parse("valuesYaml", []byte("big: 30000000\nbeyond53: 9007199254740993\nbeyond63: 18446744073709551615\nhex: 0x1F\noctal: 017\nfloat: 1.10\ntext: \"1.10\""))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"big": json.Number("30000000"), "beyond53": json.Number("9007199254740993"), "beyond63": json.Number("18446744073709551615"),
		"hex": json.Number("31"), "octal": json.Number("15"), "float": json.Number("1.1"), "text": "1.10",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseTakesAnEmptyDocumentAsAnEmptyMap(t *testing.T) {
	for _, doc := range []string{"", "\n", "# comment\n", "---\n", "null", "~", "{}", "---\n---\n"} {
		got, err := Parse("valuesYaml", []byte(doc))
		if err != nil || got == nil || len(got) != 0 {
			t.Errorf("%q: got %v, %v", doc, got, err)
		}
	}
}

func TestParseErrorsSayWhereAndQuoteNoValue(t *testing.T) {
	const secret = "hunter2"
	tests := map[string]struct{ doc, want string }{
		"syntax":              {"a: 1\nb: [hunter2, 2\nc: 3\n", "line 2: did not find expected ',' or ']'"},
		"first line":          {"a: b: hunter2", "line 1: mapping values are not allowed in this context"},
		"second document":     {"a: 1\n---\nb: [\n", "line 3: did not find expected node content"},
		"separator":           {"a: 1\n--- {b: 1}\n", "line 2: only a comment may follow ---"},
		"list":                {"# x\n- hunter2\n", "values must be a map, line 2 column 1 has a list"},
		"scalar":              {"\n  hunter2\n", "values must be a map, line 2 column 3 has a single value"},
		"list in second part": {"a: 1\n---\n- 1", "values must be a map, line 3 column 1 has a list"},
		"null key":            {"null: hunter2", "a map has a key that is null"},
		"map key":             {"{a: hunter2}: 1", "a map has a key that is null, a list, a map"},
		"tag":                 {"x: 1\na: !!int hunter2", "a value does not fit its tag"},
		"not a number":        {"a: .nan", ".nan and .inf are not possible in values"},
		"unknown anchor":      {"a: *x", "line 1: unknown anchor 'x' referenced"},
		"anchor in itself":    {"a: &x [*x]", "line 1: anchor 'x' value contains itself"},
		"too deep":            {strings.Repeat("{a: ", 101) + strings.Repeat("}", 101), "it is nested deeper than 100 levels"},
		"much too deep":       {strings.Repeat("[", 20_000), "exceeded max depth"},
		"too long":            {strings.Repeat("#", bounds.Document+1), "it has 5242881 bytes, the limit is 5242880"},
		"aliases":             {"a: &x " + strings.Repeat("y", 1<<20) + "\nb: [" + strings.Repeat("*x, ", 100) + "]", "its aliases expand to more than 5242880 bytes"},
		"alias bomb":          {aliasBomb(), "its aliases expand to more than 50000 values"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("valuesYaml", []byte(test.doc))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "cannot read valuesYaml: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error quotes a value: %q", err)
			}
		})
	}
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("x0: &x0 [lol]\n")
	for i := range 12 {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), 10), ", "))
	}
	return b.String()
}

func TestParseReadsAFourMiBDocument(t *testing.T) {
	if _, err := Parse("valuesYaml", largeDocument(4<<20)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, doc := range []string{"", "a: 1", "a: &x {b: 1}\nc: *x\n<<: *x", "a: [1, 0x1F, 1e3, -0.0, yes, ~]\n---\nb: |\n  x\n", `{"a": "\u0000\ud83d\ude80"}`, "- 1", "a: !!binary aGVsbG8="} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		values, err := Parse("fuzz", doc)
		if err != nil {
			return
		}
		text, err := encode(values)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := Parse("own output", text)
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, text)
		}
		if diff := cmp.Diff(asFloats(values), asFloats(again)); diff != "" {
			t.Errorf("written and read again, it is something else:\n%s\n%s", diff, text)
		}
	})
}

// asFloats makes numbers comparable that are spelled differently, as 1e+21 and 1000000000000000000000.
func asFloats(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, child := range v {
			out[key] = asFloats(child)
		}
		return out
	case []any:
		out := []any{}
		for _, child := range v {
			out = append(out, asFloats(child))
		}
		return out
	case json.Number:
		f, _ := v.Float64()
		return f
	}
	return v
}

// largeDocument returns about size bytes of values like those of real charts: values that large contain files.
func largeDocument(size int) []byte {
	file := strings.Repeat("      <entry name=\"some.setting\" value=\"some text that goes on for a while\"/>\n", 50)
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "service%d:\n  enabled: true\n  image: {repository: registry.example.com/app-%d, tag: \"1.%d\"}\n  replicas: %d\n  env:\n  - name: LOG_LEVEL\n    value: some text with spaces that goes on for a while\n  resources:\n    limits: {cpu: 100m, memory: 128Mi}\n  files:\n    app.xml: |\n%s", i, i, i, i, file)
	}
	return []byte(b.String())
}
