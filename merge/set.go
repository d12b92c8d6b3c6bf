package merge

import "fmt"

// editor sets values in a document by path.
type editor struct {
	values map[string]any
	filler any // new list elements before the index; nil (null), as in helm --set, or in Explain the label of such an element
	added  int // maps and list elements created so far, at most maxAdded
}

// set writes value at path. Maps and lists that are missing on the way are created, and a scalar or null on the way is replaced, as in a
// merge of layers. A list where a map is needed, or a map where a list is needed, is an error: replacing it would silently lose its
// content.
//
// helm --set also fails on a scalar or null on the way, and silently replaces a list inside a list.
func (e *editor) set(path Path, value any) error {
	_, err := e.put(e.values, path, 0, value)
	return err
}

// put returns the new value for path[:i], where old is now, so that value is at path.
func (e *editor) put(old any, path Path, i int, value any) (any, error) {
	if i == len(path) {
		return value, nil
	}
	if path[i].InList {
		return e.putInList(old, path, i, value)
	}
	m, ok := old.(map[string]any)
	if _, isList := old.([]any); isList {
		return nil, fmt.Errorf("%s is a list, so an index such as [0] must follow it", quote(path[:i].String()))
	} else if !ok {
		if m, e.added = map[string]any{}, e.added+1; e.added > maxAdded {
			return nil, errAddedTooMuch
		}
	}
	child, err := e.put(m[path[i].Name], path, i+1, value)
	m[path[i].Name] = child
	return m, err
}

func (e *editor) putInList(old any, path Path, i int, value any) (any, error) {
	list, _ := old.([]any)
	if _, isMap := old.(map[string]any); isMap {
		return nil, fmt.Errorf("%s is a map, so no index can follow it", quote(path[:i].String()))
	}
	index := path[i].Index
	if e.added += max(0, index-len(list)); e.added > maxAdded {
		return nil, errAddedTooMuch
	}
	for len(list) <= index {
		list = append(list, e.filler)
	}
	child, err := e.put(list[index], path, i+1, value)
	list[index] = child
	return list, err
}

var errAddedTooMuch = fmt.Errorf("the overrides would add more than %d maps and list elements", maxAdded)

// get returns the value at path below v; false: there is none.
func get(v any, path Path) (any, bool) {
	for _, step := range path {
		if step.InList {
			list, ok := v.([]any)
			if !ok || step.Index >= len(list) {
				return nil, false
			}
			v = list[step.Index]
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[step.Name]; !ok {
			return nil, false
		}
	}
	return v, true
}
