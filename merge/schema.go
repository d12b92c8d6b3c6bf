package merge

import (
	"regexp"
	"strings"
)

// maxSchemaSteps limits how many subschemas one look-up reads: allOf and $ref can multiply, and refer to themselves.
const maxSchemaSteps = 10_000

// schema is a values.schema.json, read for one question: which type does the value at a path have.
type schema struct {
	root  map[string]any
	steps int
}

// kindAt returns the type at path, unknown when the schema does not say. It follows properties, patternProperties,
// additionalProperties, items, allOf, anyOf, oneOf, and $ref inside the same file. What it does not understand tells
// nothing; this is no validation, helm does that.
//
// Where the schema allows several types, text wins if it is among them (the override is text and so is right as it
// is), null is skipped, and any other mixture is unknown.
func (s *schema) kindAt(path Path) kind {
	if s.root == nil {
		return kindUnknown
	}
	s.steps = 0
	types := map[string]bool{}
	for _, node := range s.find([]map[string]any{s.root}, path) {
		addTypes(types, node["type"])
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

// addTypes adds the "type" of a subschema, a name or a list of names.
func addTypes(types map[string]bool, v any) {
	switch v := v.(type) {
	case string:
		types[v] = true
	case []any:
		for _, name := range v {
			if name, ok := name.(string); ok {
				types[name] = true
			}
		}
	}
}

// find returns the subschemas that describe the value at path below nodes.
func (s *schema) find(nodes []map[string]any, path Path) []map[string]any {
	for i := 0; ; i++ {
		var all []map[string]any
		for _, node := range nodes {
			all = s.expand(all, node)
		}
		if i == len(path) {
			return all
		}
		nodes = nil
		for _, node := range all {
			nodes = append(nodes, children(node, path[i])...)
		}
	}
}

// expand appends node and everything that applies in the same place: the target of $ref, allOf, anyOf, oneOf.
func (s *schema) expand(all []map[string]any, node map[string]any) []map[string]any {
	if s.steps++; s.steps > maxSchemaSteps {
		return all
	}
	all = append(all, node)
	if ref, ok := node["$ref"].(string); ok {
		if target := s.resolve(ref); target != nil {
			all = s.expand(all, target)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		branches, _ := node[keyword].([]any)
		for _, branch := range branches {
			if branch, ok := branch.(map[string]any); ok {
				all = s.expand(all, branch)
			}
		}
	}
	return all
}

// resolve returns what a reference such as #/definitions/image points to, nil when it is not in this file.
func (s *schema) resolve(ref string) map[string]any {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || pointer != "" && pointer[0] != '/' {
		return nil
	}
	node := any(s.root)
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		m, _ := node.(map[string]any)
		node = m[name]
	}
	target, _ := node.(map[string]any)
	return target
}

// children returns the subschemas for one step below node.
func children(node map[string]any, step Step) []map[string]any {
	if step.InList {
		switch items := node["items"].(type) {
		case map[string]any:
			return []map[string]any{items}
		case []any: // a schema for each element
			if step.Index < len(items) {
				return asSchemas(items[step.Index])
			}
		}
		return nil
	}
	properties, _ := node["properties"].(map[string]any)
	found := asSchemas(properties[step.Name])
	patterns, _ := node["patternProperties"].(map[string]any)
	for pattern, sub := range patterns {
		if re, err := regexp.Compile(pattern); err == nil && re.MatchString(step.Name) {
			found = append(found, asSchemas(sub)...)
		}
	}
	if _, named := properties[step.Name]; !named && len(found) == 0 {
		return asSchemas(node["additionalProperties"])
	}
	return found
}

func asSchemas(v any) []map[string]any {
	if m, ok := v.(map[string]any); ok {
		return []map[string]any{m}
	}
	return nil
}
