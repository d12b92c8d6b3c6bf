// Package deploy has what an installation needs: the CRDs, the chart, the image. These tests keep the chart's documentation correct; what the chart
// renders and does is tested in dev/e2e.
package deploy

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of values in chart/README.md anew")

// value is a key of values.yaml that has a comment. Keys below it have none: with comments it would be a section.
type value struct{ path, standard, comment string }

func chartValues(t *testing.T) []value {
	t.Helper()
	text, err := os.ReadFile("chart/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return valuesBelow(t, "", file.Content[0])
}

func valuesBelow(t *testing.T, prefix string, section *yaml.Node) (all []value) {
	t.Helper()
	for i := 0; i < len(section.Content); i += 2 {
		key, node := section.Content[i], section.Content[i+1]
		path, comment := prefix+key.Value, strings.TrimSpace(strings.TrimPrefix(key.HeadComment, "#"))
		if node.Kind == yaml.MappingNode {
			below := valuesBelow(t, path+".", node)
			if slices.ContainsFunc(below, func(v value) bool { return v.comment != "" }) {
				all = append(all, below...)
				continue
			}
		}
		var standard any
		if err := node.Decode(&standard); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(standard)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, value{path, string(text), comment})
	}
	return all
}

func TestTheReadmeHasEveryValueAsValuesYamlHasIt(t *testing.T) {
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, v := range chartValues(t) {
		if v.comment == "" {
			t.Errorf("%s has no comment in values.yaml", v.path)
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.path, v.standard, v.comment)
	}
	replaceTable(t, "chart/README.md", "<!-- made of values.yaml by go test ./deploy -update -->\n", table.String())
}

// schema has the keywords of JSON schema that the chart's schema uses.
type schema struct {
	Properties           map[string]schema
	AdditionalProperties any
}

func TestAMisspeltValueIsRefusedAtEveryLevel(t *testing.T) {
	text, err := os.ReadFile("chart/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	var closed func(path string, s schema)
	closed = func(path string, s schema) {
		if s.Properties != nil && s.AdditionalProperties != false {
			t.Errorf("%s takes any key: additionalProperties must be false", path)
		}
		for key, below := range s.Properties {
			closed(path+"."+key, below)
		}
	}
	closed("values", root)
	for _, v := range chartValues(t) {
		at := root
		for key := range strings.SplitSeq(v.path, ".") {
			below, ok := at.Properties[key]
			if !ok {
				t.Errorf("values.schema.json does not know %s", v.path)
				break
			}
			at = below
		}
	}
}
