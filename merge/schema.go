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

// maxSchemaSteps limits the cost of all look-ups in one schema, in steps of about 100 ns. allOf and $ref can multiply the work, and a
// schema may have 30,000 patterns, each tried for each override.
const maxSchemaSteps = 2_000_000

// schema is a values.schema.json, which is asked two questions: which type a value at a path has (this file), and whether a value may be there at all
// (schema_refuses.go). Anything that is not understood gives no answer. It does not validate: helm does that.
type schema struct {
	root  map[string]any // nil: there is none
	old   bool           // written for a draft before 2019-09: a $ref hides its siblings, and there is no unevaluatedProperties
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

// err returns an error if the look-ups have cost too much; their answers are then wrong.
func (s *schema) err() error {
	if s.steps > maxSchemaSteps {
		return errSchemaTooComplex
	}
	return nil
}

// step adds cost and tells whether to go on.
func (s *schema) step(cost int) bool {
	s.steps += cost
	return s.steps <= maxSchemaSteps
}

// kindAt returns the type at path; unknown if the schema does not say. It follows properties, patternProperties, additionalProperties,
// items, allOf, anyOf, oneOf, and $ref within the file.
//
// If the schema allows several types, text wins if it is one of them, because an override is text already. null is ignored. Any other
// mixture is unknown.
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

// typeNames returns the names in the "type" of a subschema, which is a name or a list of names.
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

// expand appends node and the subschemas that apply to the same value: the target of $ref, and allOf, anyOf, oneOf. It skips what is in
// seen.
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

// identity returns a value that is the same only for the same map, unlike equality of content.
func identity(m map[string]any) uintptr { return reflect.ValueOf(m).Pointer() }

// resolve returns the target of a reference such as #/definitions/image; nil: it is not in this file.
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

// children returns the subschemas for the value one step below node.
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

// itemSchema returns the subschema for a list element: "items" is one for all elements, or a list with one for each.
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

// typeOf returns JSON Schema's name for the type of a decoded value.
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
