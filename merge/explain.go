package merge

import (
	"maps"
	"slices"
)

// Origin says which layer a leaf of the document came from. A leaf is everything but a map or a list that is not empty.
type Origin struct {
	Path  string `json:"path"`  // as in helm --set
	Layer string `json:"layer"` // context, valuesYaml, injected, values or pinned
	Value any    `json:"value"` // never a plain secret
}

// Explain returns the origin of each leaf of Document(in).Values, sorted by path (list elements in their order), and what was left out.
// The error is the same as Document's.
//
// It merges a second time, on copies in which each leaf is the name of its layer. So it cannot disagree with Document about which layer
// won.
func Explain(in Input) ([]Origin, []LeftOut, error) {
	defer takeTurn(in.size())()
	merged, err := assemble(in)
	if err != nil {
		return nil, nil, err
	}
	labels, err := labelled(in)
	if err != nil {
		return nil, nil, err
	}
	shadow := editor{values: labels}
	for _, a := range merged.assignments {
		shadow.filler = a.layer
		if err := shadow.set(a.path, label(a.value, a.layer)); err != nil {
			return nil, nil, err
		}
	}
	for _, key := range merged.identity {
		labels[key] = layerContext
	}
	return origins(nil, nil, merged.values, labels), merged.leftOut, nil
}

// labelled merges the two layers that are documents, with each leaf replaced by the name of its layer.
func labelled(in Input) (map[string]any, error) {
	chart, err := readChart(in)
	if err != nil {
		return nil, err
	}
	_, lower, upper, _, err := documents(in, chart)
	if err != nil {
		return nil, err
	}
	labels, _ := label(lower, layerContext).(map[string]any)
	upperLabels, _ := label(upper, layerValuesYAML).(map[string]any)
	return labels, overlay(labels, upperLabels)
}

// emptyMap is a key that nobody uses. In an empty map it holds the name of the map's layer.
const emptyMap = "\x00layer"

// label copies v with each leaf replaced by layer.
func label(v any, layer string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v)+1)
		for key, child := range v {
			out[key] = label(child, layer)
		}
		if len(v) == 0 {
			out[emptyMap] = layer
		}
		return out
	case []any:
		if len(v) == 0 {
			return layer
		}
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = label(child, layer)
		}
		return out
	}
	return layer
}

// origins appends the leaves of v. labels has the same shape as v, with the names of the layers as its leaves.
func origins(all []Origin, path Path, v, labels any) []Origin {
	switch v := v.(type) {
	case map[string]any:
		below, _ := labels.(map[string]any)
		if len(v) == 0 {
			labels = below[emptyMap]
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = origins(all, append(path, Step{Name: key}), v[key], below[key])
		}
		if len(v) > 0 {
			return all
		}
	case []any:
		below, _ := labels.([]any)
		below = append(below, make([]any, max(0, len(v)-len(below)))...) // pads labels; needed only if a document has the key emptyMap
		for i, child := range v {
			all = origins(all, append(path, Step{Index: i, InList: true}), child, below[i])
		}
		if len(v) > 0 {
			return all
		}
	}
	layer, _ := labels.(string)
	return append(all, Origin{Path: path.String(), Layer: layer, Value: v})
}
