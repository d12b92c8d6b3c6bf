package charts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const schemaHost = "schemas.example"

type schemaCase struct{ Name, Schema, Helm, Refused string }

func schemaCases(t testing.TB) (cases []schemaCase) {
	text, err := os.ReadFile("testdata/schema-references.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "HOST", schemaHost)), &cases)
	}
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

// withSchema is a chart's archive, in which the schema is a file.
func withSchema(t *testing.T, name, schema string) Chart {
	c, err := Read(archive(t, file{name: "app/Chart.yaml", text: "version: 1.0.0"}, file{name: name, text: schema}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestASchemaThatRefersToWhatHelmWouldReadElsewhereIsRefused(t *testing.T) {
	for _, test := range schemaCases(t) {
		if (test.Helm == "asks" || test.Helm == "reads") && test.Refused == "" {
			t.Errorf("%s: helm %s, and it passes", test.Name, test.Helm)
		}
		err := checkReferences(withSchema(t, "app/values.schema.json", test.Schema).references, nil)
		if test.Refused == "" && err != nil || test.Refused != "" && (err == nil || !strings.Contains(err.Error(), test.Refused)) {
			t.Errorf("%s: got %v, want %q", test.Name, err, test.Refused)
		}
		if strings.Contains(fmt.Sprint(err), "word") {
			t.Errorf("%s: a secret is told: %v", test.Name, err)
		}
	}
}

func TestTheSchemasOfSubchartsAreLookedAtWhereverHelmFindsThem(t *testing.T) {
	const schema = `{"$ref":"http://schemas.example/a.json"}`
	packed := func(name string) string {
		text, err := os.ReadFile(archive(t, file{name: "sub/Chart.yaml"}, file{name: name, text: schema}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, test := range []struct{ name, text, file string }{
		{"app/values.schema.json", schema, "values.schema.json"},
		{"./values.schema.json", schema, "values.schema.json"}, // tar -C app .
		{"app/./values.schema.json", schema, "values.schema.json"},
		{`app\values.schema.json`, schema, "values.schema.json"}, // of Windows
		{`app/x\values.schema.json`, schema, "values.schema.json"},
		{"app/charts/sub/values.schema.json", schema, "charts/sub/values.schema.json"},
		{`app\charts\sub\values.schema.json`, schema, "charts/sub/values.schema.json"},
		{"app/charts/sub/charts/low/values.schema.json", schema, "charts/sub/charts/low/values.schema.json"},
		{"app/charts/sub-1.0.0.tgz", packed("sub/values.schema.json"), "charts/sub-1.0.0.tgz/values.schema.json"},
		{"app/charts/sub/charts/low.tgz", packed("low/charts/x/values.schema.json"), "charts/sub/charts/low.tgz/charts/x/values.schema.json"},
		{"app/files/values.schema.json", schema, ""},
		{"app/charts/sub/templates/values.schema.json", schema, ""},
		{"app/charts/._sub.tgz", "no archive", ""}, // of macOS
		{"app/templates/sub.tgz", "no archive", ""},
	} {
		c := withSchema(t, test.name, test.text)
		if test.file == "" && len(c.references) > 0 || test.file != "" && (len(c.references) != 1 || c.references[0].file != test.file) {
			t.Errorf("%s: %+v", test.name, c.references)
		}
		if own := test.file == "values.schema.json"; own != (string(c.Schema) == schema) {
			t.Errorf("%s: the chart's own schema is %q", test.name, c.Schema)
		}
	}
}

func TestArchivesInArchivesAndSchemasAreBounded(t *testing.T) {
	pack := func(name string, files ...file) file {
		text, err := os.ReadFile(archive(t, files...))
		if err != nil {
			t.Fatal(err)
		}
		return file{name: name, text: string(text)}
	}
	large := pack("app/charts/a.tgz", file{name: "x/y", zeros: 60 << 20})
	deep := file{name: "x/values.yaml"}
	for range 12 {
		deep = pack("x/charts/x.tgz", deep)
	}
	nested := strings.Repeat(`{"properties":{"a":`, 60) + "{}" + strings.Repeat("}}", 60)
	ids := `{}`
	for i := range 40 {
		ids = fmt.Sprintf(`{"$id":"a%d/","id":"b%d/","not":%s}`, i, i, ids)
	}
	// Each would take long in another way: about 100,000 values, a hundred levels.
	manyOf := func(each, around string) []file {
		return []file{{name: "app/values.schema.json", text: fmt.Sprintf(around, strings.TrimSuffix(strings.Repeat(each+",", 45_000), ","))}}
	}
	var far strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&far, `{"$ref":"http://a/%d"},`, i)
	}
	schemas := make([]file, 6)
	for i := range schemas {
		schemas[i] = file{name: fmt.Sprintf("app/charts/c%d/values.schema.json", i), text: `{"description":"` + strings.Repeat("x", 4<<20) + `"}`}
	}
	for name, test := range map[string]struct {
		files []file
		want  string
	}{
		"references to many documents": {[]file{{name: "app/values.schema.json", text: `{"allOf":[` + far.String() + `{}]}`}}, "it refers to more than 1000 documents elsewhere"},
		"references in many ways":      {manyOf(`{"$ref":"#"}`, `{"properties":{"a":{"$id":"a","properties":{"a":{"$id":"b","id":"c","not":{"$id":"d","allOf":[%s]}}}}}}`), "it takes too long to find what it refers to"},
		"a long address":               {manyOf(`{"$ref":"#"}`, `{"$id":"http://a/`+strings.Repeat("x", 1<<20)+`","allOf":[%s]}`), "an address in it has more than 512 bytes"},
		"many large schemas":           {schemas, "cannot read charts/c4/values.schema.json: the chart's schemas have more than 20 MiB together"},
		"two that are large together":  {[]file{large, {name: "app/charts/b.tgz", text: large.text}}, "it unpacks to more than 100 MiB"},
		"twelve deep":                  {[]file{deep}, "more than 10 deep"},
		"none":                         {[]file{{name: "app/charts/a.tgz", text: "<html>"}}, `"charts/a.tgz" in it: it is no archive of a chart`},
		"a subchart's deep schema":     {[]file{{name: "app/charts/a/values.schema.json", text: nested}}, "cannot read charts/a/values.schema.json: it is nested deeper than 100"},
		"addresses without end":        {[]file{{name: "app/values.schema.json", text: ids}}, "its $id are nested in more than 20 ways"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(archive(t, test.files...)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestASchemaMayReferToWhatTheSettingNames(t *testing.T) {
	allowed := []string{"https://schemas.example/team", "http://plain.example"}
	for reference, passes := range map[string]bool{
		"https://schemas.example/team/a.json": true, "HTTPS://schemas.example:443/team/a.json": true, "http://plain.example/b.json#/x": true,
		"https://schemas.example/teams/a.json": false, "http://schemas.example/team/a.json": false, "https://schemas.example/team/../a.json": false,
		"https://schemas.example/team/%2e%2e/a.json": false, "https://me@schemas.example/team/a.json": false, "https://plain.example/b.json": false,
		"file:///schemas.example/team/a.json": false, "team/a.json": false,
	} {
		err := checkReferences(withSchema(t, "app/values.schema.json", fmt.Sprintf(`{"$ref":%q}`, reference)).references, allowed)
		if passes != (err == nil) {
			t.Errorf("%s: %v", reference, err)
		}
	}
}
