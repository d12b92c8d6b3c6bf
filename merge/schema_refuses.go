package merge

import "slices"

// refuses tells whether every document with value at path violates the schema: by additionalProperties, unevaluatedProperties, a
// subschema false, or another type. It follows $ref, allOf, and anyOf and oneOf if all of their branches refuse.
func (s *schema) refuses(path Path, value any) bool {
	if s.root == nil {
		return false
	}
	if m, ok := value.(map[string]any); ok && len(m) > 0 {
		for key, child := range m {
			if s.refuses(append(path[:len(path):len(path)], Step{Name: key}), child) {
				return true
			}
		}
		return false
	}
	q := question{schema: s, path: path, leaf: typeOf(value), answers: map[placeInSchema]bool{}}
	return q.refusedBy(s.root, 0)
}

// question asks whether a leaf of one type may be at path.
type question struct {
	*schema
	path    Path
	leaf    string
	answers map[placeInSchema]bool
}

// placeInSchema is a subschema that the value at path[:depth] has to meet.
type placeInSchema struct {
	node  uintptr
	depth int
}

func (q *question) refusedBy(sub any, depth int) bool {
	node, ok := sub.(map[string]any)
	if !ok {
		return sub == false
	}
	place := placeInSchema{identity(node), depth}
	if answer, ok := q.answers[place]; ok || !q.step(1) {
		return answer
	}
	q.answers[place] = false // a subschema that refers to itself does not refuse by that
	q.answers[place] = q.refusedByNode(node, depth)
	return q.answers[place]
}

func (q *question) refusedByNode(node map[string]any, depth int) bool {
	if ref, ok := node["$ref"].(string); ok {
		if refused := q.refusedBy(q.resolve(ref), depth); refused || q.old {
			return refused
		}
	}
	if names := typeNames(node["type"]); len(names) > 0 && !q.typeAmong(names, depth) {
		return true
	}
	refused := func(branch any) bool { return q.refusedBy(branch, depth) }
	all, _ := node["allOf"].([]any)
	if slices.ContainsFunc(all, refused) {
		return true
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		branches, _ := node[keyword].([]any)
		if len(branches) > 0 && !slices.ContainsFunc(branches, func(branch any) bool { return !refused(branch) }) {
			return true
		}
	}
	return depth < len(q.path) && q.stepRefused(node, depth)
}

// typeAmong tells whether the value at path[:depth] has one of the types.
func (q *question) typeAmong(names []string, depth int) bool {
	is := q.leaf
	if depth < len(q.path) {
		is = "object"
		if q.path[depth].InList {
			is = "array"
		}
	}
	return slices.Contains(names, is) || is == "integer" && slices.Contains(names, "number")
}

// stepRefused tells whether node refuses the value at path[:depth+1].
func (q *question) stepRefused(node map[string]any, depth int) bool {
	step := q.path[depth]
	if step.InList {
		return q.refusedBy(itemSchema(node, step.Index), depth+1)
	}
	found, undecided := q.declared(node, step.Name)
	if slices.ContainsFunc(found, func(sub any) bool { return q.refusedBy(sub, depth+1) }) {
		return true
	}
	if len(found) > 0 || undecided {
		return false
	}
	if additional, ok := node["additionalProperties"]; ok {
		return q.refusedBy(additional, depth+1)
	}
	if !q.old && !q.evaluated(node, step.Name, map[uintptr]bool{}) {
		return q.refusedBy(node["unevaluatedProperties"], depth+1)
	}
	return false
}

// declared returns the subschemas in properties and patternProperties for a name. undecided: there may be more of them.
func (q *question) declared(node map[string]any, name string) (found []any, undecided bool) {
	properties, _ := node["properties"].(map[string]any)
	if sub, ok := properties[name]; ok {
		found = append(found, sub)
	}
	patterns, _ := node["patternProperties"].(map[string]any)
	for pattern, sub := range patterns {
		switch q.matches(pattern, name) {
		case matched:
			found = append(found, sub)
		case notDecidable:
			undecided = true
		}
	}
	return found, undecided
}

// evaluated tells whether a subschema that applies to the same value as node may know the property. If one does, unevaluatedProperties is
// not about this property.
func (q *question) evaluated(node map[string]any, name string, seen map[uintptr]bool) bool {
	if seen[identity(node)] || !q.step(1) {
		return false
	}
	seen[identity(node)] = true
	for _, sub := range q.applied(node) {
		below, ok := sub.(map[string]any)
		if !ok {
			if sub == nil { // a reference out of this file: unknown
				return true
			}
			continue
		}
		found, undecided := q.declared(below, name)
		_, additional := below["additionalProperties"]
		_, unevaluated := below["unevaluatedProperties"]
		if len(found) > 0 || undecided || additional || unevaluated || q.evaluated(below, name, seen) {
			return true
		}
	}
	return false
}

// applied returns the subschemas that apply to the same value as node; nil stands for one that is not in this file.
func (q *question) applied(node map[string]any) (subs []any) {
	if ref, ok := node["$ref"].(string); ok {
		subs = append(subs, q.resolve(ref))
	}
	for _, keyword := range []string{"$dynamicRef", "$recursiveRef"} {
		if _, ok := node[keyword]; ok {
			subs = append(subs, nil)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		branches, _ := node[keyword].([]any)
		subs = append(subs, branches...)
	}
	for _, keyword := range []string{"if", "then", "else"} {
		if sub, ok := node[keyword]; ok {
			subs = append(subs, sub)
		}
	}
	dependent, _ := node["dependentSchemas"].(map[string]any)
	for _, sub := range dependent {
		subs = append(subs, sub)
	}
	return subs
}
