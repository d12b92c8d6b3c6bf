package merge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"octo-operator/bounds"
)

// maxSchemaSteps limits what all look-ups in a schema may cost, in steps of about 100 ns: allOf and $ref can multiply, and
// 30,000 patterns would be tried for each override.
const maxSchemaSteps = 2_000_000

// schema is a values.schema.json, read for two questions: which type does the value at a path have (here), and may it be
// there at all (schema_refuses.go). What is not understood tells nothing; this is no validation, helm does that.
type schema struct {
	root  map[string]any // nil: there is none
	old   bool           // from before 2019-09: nothing counts beside a $ref, and unevaluatedProperties means nothing
	steps int
	known map[patternOfName]match
}

func readSchema(text []byte) (*schema, error) {
	s := &schema{known: map[patternOfName]match{}}
	if len(text) == 0 {
		return s, nil
	}
	err := checkSchema(text)
	if err == nil {
		s.root, err = decode(text)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the chart's values.schema.json: %w", err)
	}
	version, _ := s.root["$schema"].(string)
	s.old = strings.Contains(version, "draft-0")
	return s, nil
}

func checkSchema(text []byte) error {
	if len(text) > bounds.Document {
		return fmt.Errorf("it has %d bytes, the limit is %d", len(text), bounds.Document)
	}
	return bounds.JSON(text, bounds.SchemaValues)
}

var errSchemaTooComplex = errors.New("cannot read the chart's values.schema.json: it takes too long to find the overrides in it")

// err is an error once the look-ups have cost too much: their answers then mean nothing.
func (s *schema) err() error {
	if s.steps > maxSchemaSteps {
		return errSchemaTooComplex
	}
	return nil
}

// step counts what is done, and tells whether to go on.
func (s *schema) step(cost int) bool {
	s.steps += cost
	return s.steps <= maxSchemaSteps
}

// kindAt returns the type at path, unknown when the schema does not say. It follows properties, patternProperties,
// additionalProperties, items, allOf, anyOf, oneOf, and $ref inside the same file.
//
// Where the schema allows several types, text wins if it is among them (the override is text and so is right as it
// is), null is skipped, and any other mixture is unknown.
func (s *schema) kindAt(path Path) kind {
	if s.root == nil {
		return kindUnknown
	}
	types := map[string]bool{}
	for _, node := range s.find([]map[string]any{s.root}, path) {
		for _, name := range typeNames(node["type"]) {
			types[name] = true
		}
	}
	delete(types, "null")
	if types["number"] {
		delete(types, "integer") // each integer is a number
	}
	if types["string"] {
		return kindText
	}
	if len(types) != 1 {
		return kindUnknown
	}
	for name := range types {
		return kindNamed[name]
	}
	return kindUnknown
}

var kindNamed = map[string]kind{
	"boolean": kindBoolean, "integer": kindInteger, "number": kindNumber, "object": kindMapping, "array": kindList,
}

// typeNames reads the "type" of a subschema, a name or a list of names.
func typeNames(v any) (names []string) {
	switch v := v.(type) {
	case string:
		names = []string{v}
	case []any:
		for _, name := range v {
			if name, ok := name.(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// find returns the subschemas that describe the value at path below nodes.
func (s *schema) find(nodes []map[string]any, path Path) []map[string]any {
	for i := 0; ; i++ {
		var all []map[string]any
		seen := map[uintptr]bool{}
		for _, node := range nodes {
			all = s.expand(all, node, seen)
		}
		if i == len(path) {
			return all
		}
		nodes = nil
		for _, node := range all {
			nodes = append(nodes, s.children(node, path[i])...)
		}
	}
}

// expand appends node and everything that applies in the same place: the target of $ref, allOf, anyOf, oneOf. What is in
// seen was appended before.
func (s *schema) expand(all []map[string]any, node map[string]any, seen map[uintptr]bool) []map[string]any {
	if seen[identity(node)] || !s.step(1) {
		return all
	}
	seen[identity(node)] = true
	all = append(all, node)
	if ref, ok := node["$ref"].(string); ok {
		for _, target := range asSchemas(s.resolve(ref)) {
			all = s.expand(all, target, seen)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		branches, _ := node[keyword].([]any)
		for _, branch := range branches {
			if branch, ok := branch.(map[string]any); ok {
				all = s.expand(all, branch, seen)
			}
		}
	}
	return all
}

// identity tells maps apart that are equal.
func identity(m map[string]any) uintptr { return reflect.ValueOf(m).Pointer() }

// resolve returns what a reference such as #/definitions/image points to, nil when it is not in this file.
func (s *schema) resolve(ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#")
	pointer, err := url.PathUnescape(pointer)
	if !ok || err != nil || pointer != "" && pointer[0] != '/' {
		return nil
	}
	node := any(s.root)
	for _, name := range strings.Split(pointer, "/")[1:] {
		s.step(1)
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch parent := node.(type) {
		case map[string]any:
			node = parent[name]
		case []any:
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || index >= len(parent) {
				return nil
			}
			node = parent[index]
		default:
			return nil
		}
	}
	return node
}

// children returns the subschemas for one step below node.
func (s *schema) children(node map[string]any, step Step) []map[string]any {
	if step.InList {
		return asSchemas(itemSchema(node, step.Index))
	}
	properties, _ := node["properties"].(map[string]any)
	found := asSchemas(properties[step.Name])
	patterns, _ := node["patternProperties"].(map[string]any)
	for pattern, sub := range patterns {
		if s.matches(pattern, step.Name) == matched {
			found = append(found, asSchemas(sub)...)
		}
	}
	if _, named := properties[step.Name]; !named && len(found) == 0 {
		return asSchemas(node["additionalProperties"])
	}
	return found
}

// itemSchema is the subschema of a list's element: one for all, or one for each.
func itemSchema(node map[string]any, index int) any {
	if items, ok := node["items"].([]any); ok {
		if index < len(items) {
			return items[index]
		}
		return nil
	}
	return node["items"]
}

func asSchemas(v any) []map[string]any {
	if m, ok := v.(map[string]any); ok {
		return []map[string]any{m}
	}
	return nil
}

// typeOf is the name that a schema has for the type of a value as decode gives it.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) { // 1.0 too
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
