package merge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkExplanation checks what must hold for every explanation: each leaf of the document has exactly one origin, with its value, and the
// layer that it names really has that value, or an override that becomes it; and what is replaced was really there, and nothing else is lost.
func checkExplanation(t *testing.T, in Input) {
	t.Helper()
	document, err := Document(in)
	origins, leftOut, explainErr := Explain(in)
	if fmt.Sprint(err) != fmt.Sprint(explainErr) {
		t.Fatalf("Document says %v, Explain %v", err, explainErr)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(document.LeftOut, leftOut); diff != "" {
		t.Errorf("left out: %s", diff)
	}
	context, err := normalize(in.Context)
	if err != nil {
		t.Fatal(err)
	}
	layers := layersOf{context: context, values: mustParse(t, string(in.Values)), chart: mustParse(t, string(in.ChartValues)), in: in}
	leaves := leavesOf(document.Values)
	covered := map[string]bool{} // layer and path of what is in the document or replaced
	for _, o := range origins {
		value, there := leaves[o.Path]
		if !there {
			t.Errorf("%s is no leaf of the document, or has two origins", o.Path)
		} else if diff := cmp.Diff(value, o.Value); diff != "" {
			t.Errorf("%s: %s", o.Path, diff)
		}
		delete(leaves, o.Path)
		covered[o.Layer+" "+o.Path] = true
		if o.Type != typeName(o.Value) || !layers.has(o) {
			t.Errorf("%s, %s %v, is not what the layer %s has there", o.Path, o.Type, o.Value, o.Layer)
		}
		for _, r := range o.Replaced {
			covered[r.Layer+" "+r.Path] = true
			if r.Masked != (r.Value == nil) && r.Type != "null" {
				t.Errorf("%s: a masked value is told, or another one is not: %+v", o.Path, r)
			}
			layers.checkReplaced(t, r)
		}
	}
	if len(leaves) > 0 {
		t.Errorf("without an origin: %v", leaves)
	}
	layers.checkNothingElseIsLost(t, covered, leftOut)
}

// layersOf returns the documents of an input, each by itself.
type layersOf struct {
	context, values, chart map[string]any
	in                     Input
}

func (l layersOf) document(layer string) map[string]any {
	return map[string]map[string]any{layerContext: l.context, layerValuesYAML: l.values, layerChart: l.chart}[layer]
}

func (l layersOf) overrides(layer string) []Override {
	return map[string][]Override{layerInjected: l.in.Injected, layerValues: l.in.Overrides, layerPinned: l.in.Pinned}[layer]
}

// has tells whether a layer has an origin's value at its path: as it is, or as the text of an override that becomes it.
func (l layersOf) has(o Origin) bool {
	path := readPath(o.Path)
	if document := l.document(o.Layer); document != nil {
		value, there := get(document, path)
		return there && cmp.Equal(value, o.Value)
	}
	for _, override := range l.overrides(o.Layer) {
		at := readPath(override.Path)
		if o.Value == nil && len(at) <= len(path) && leadsPast(at, path) {
			return true
		}
		if len(at) > len(path) || !slices.Equal(at, path[:len(at)]) {
			continue
		}
		if override.Secret {
			reference, there := get(secretReference(l.in.SecretName, secretKeyOf(override.Path)), path[len(at):])
			if there && reference == o.Value && o.Secret == at.String() {
				return true
			}
			continue
		}
		for _, to := range []kind{kindText, kindBoolean, kindInteger, kindNumber, kindMapping, kindList} {
			if value, there := get(coerce(override.Value, to), path[len(at):]); there && cmp.Equal(value, o.Value) {
				return true
			}
		}
	}
	for _, override := range l.overrides(o.Layer) { // null before an element, the path of which may be longer
		if o.Value == nil && leadsPast(readPath(override.Path), path) {
			return true
		}
	}
	return false
}

// leadsPast tells whether an override of path at makes the list element at path on its way to a later one.
func leadsPast(at, path Path) bool {
	last := len(path) - 1
	return last < len(at) && path[last].InList && at[last].InList && path[last].Index < at[last].Index && slices.Equal(at[:last], path[:last])
}

// checkReplaced checks that each leaf of what was replaced was in its layer's document.
func (l layersOf) checkReplaced(t *testing.T, r Replaced) {
	t.Helper()
	document := l.document(r.Layer)
	if document == nil {
		for path, value := range leavesBelow(readPath(r.Path), r.Value) {
			if !r.Masked && !l.has(Origin{Path: path, Layer: r.Layer, Value: value}) {
				t.Errorf("no override of %s makes %v at %s, which was replaced", r.Layer, value, path)
			}
		}
		return
	}
	was, there := get(document, readPath(r.Path))
	if !there {
		t.Errorf("%s has nothing at %s that could be replaced", r.Layer, r.Path)
	}
	if r.Masked {
		return
	}
	had := leavesBelow(readPath(r.Path), was)
	for path, value := range leavesBelow(readPath(r.Path), r.Value) {
		if diff := cmp.Diff(had[path], value); diff != "" {
			t.Errorf("%s of %s: %s", path, r.Layer, diff)
		}
	}
}

// checkNothingElseIsLost checks that each value of a document is in the merged document or was replaced.
func (l layersOf) checkNothingElseIsLost(t *testing.T, covered map[string]bool, leftOut []LeftOut) {
	t.Helper()
	refused := map[string]bool{}
	for _, out := range leftOut {
		refused[out.Path] = true
	}
	for _, layer := range []string{layerContext, layerValuesYAML} {
		for text, value := range leavesOf(l.document(layer)) {
			path, found := readPath(text), false
			for n := 1; n <= len(path); n++ {
				found = found || covered[layer+" "+path[:n].String()] || refused[path[:n].String()]
			}
			if !found && fmt.Sprint(value) != "map[]" { // an empty map changes nothing in a map
				t.Errorf("%s of %s is neither in the document nor replaced", text, layer)
			}
		}
	}
}

// leavesOf returns the leaves of a document by their paths. An empty document has none.
func leavesOf(document map[string]any) map[string]any {
	if len(document) == 0 {
		return map[string]any{}
	}
	return leavesBelow(nil, document)
}

// leavesBelow returns the leaves of v, which is at path.
func leavesBelow(path Path, v any) map[string]any {
	all := map[string]any{}
	var walk func(path Path, v any)
	walk = func(path Path, v any) {
		switch children := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(children)) {
				walk(append(path[:len(path):len(path)], Step{Name: key}), children[key])
			}
			if len(children) > 0 {
				return
			}
		case []any:
			for i, child := range children {
				walk(append(path[:len(path):len(path)], Step{Index: i, InList: true}), child)
			}
			if len(children) > 0 {
				return
			}
		}
		all[path.String()] = v
	}
	walk(path, v)
	return all
}

// readPath reads what Path.String has written. Unlike parsePath it accepts an empty key, and any length.
func readPath(text string) (path Path) {
	for at := 0; at <= len(text); at++ { // at++ steps over the dot
		var name strings.Builder
		for ; at < len(text) && text[at] != '.' && text[at] != '['; at++ {
			if text[at] == '\\' {
				at++
			}
			name.WriteByte(text[at])
		}
		path = append(path, Step{Name: name.String()})
		for at < len(text) && text[at] == '[' {
			index, length, _ := scanIndex(text, at)
			path, at = append(path, Step{Index: index, InList: true}), length
		}
	}
	return path
}
