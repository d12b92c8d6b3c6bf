package merge

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Origin says where a leaf of the document comes from. A leaf is everything but a map or a list that is not empty.
type Origin struct {
	Path  string `json:"path"`  // as in helm --set
	Layer string `json:"layer"` // context, valuesYaml, injected, values or pinned; with ExplainAt also chart
	Type  string `json:"type"`  // string, boolean, integer, number, null; list and map: an empty one
	Value any    `json:"value"` // never a plain secret

	// Secret is the path of the secret override that has set the leaf: the leaf is part of its reference to the Secret. "": no secret override has.
	Secret string `json:"secret,omitempty"`
	// Coerced says how the override's text got its type; nil: it is text, and nothing says that it should be anything else. If the override has set a
	// list or a map, only the first leaf has Coerced.
	Coerced *Coercion `json:"coerced,omitempty"`
	// Replaced holds the values that were replaced there, in the document and last in the chart, the newest first. If a whole list or map was
	// replaced, or a value by a list or a map, only the first leaf has them.
	Replaced []Replaced `json:"replaced,omitempty"`
	// Unknown is the beginning of the path up to the first name that the chart does not know, if the event has set the leaf: "imgae" of imgae.tag.
	// Neither the chart's values.yaml nor its schema has that name, so most likely no template uses it. "": the chart knows the path, or accepts any
	// name there (an empty map by default).
	Unknown string `json:"unknown,omitempty"`
}

// Coercion is how the text of an override became a value of another type.
type Coercion struct {
	Path string `json:"path"` // what the override sets: the leaf, or the list or map around it
	Text string `json:"text"`
	To   string `json:"to"` // the type of the target: boolean, integer, number, list, map
	// Because says where the type comes from: "valuesYaml has a number there".
	Because string `json:"because"`
	// Failed: the text cannot be read as that type, and has stayed text.
	Failed bool `json:"failed,omitempty"`
}

// Replaced is a value that is not in the document because something else was set in its place. A layer can replace its own value: of two overrides
// with the same path the later one counts.
type Replaced struct {
	Path  string `json:"path"`
	Layer string `json:"layer"` // whose value it was; chart: the default in its values.yaml
	Type  string `json:"type"`  // as in Origin; a list or a map may hold something here
	Value any    `json:"value"` // nil if it is masked
	// Masked: a secret was set at this path, so what stood there may be one too.
	Masked bool `json:"masked,omitempty"`
}

// Explain returns the origin of each leaf of Document(in).Values, sorted by path (list elements in their order), and what was left out.
// The error is the same as Document's.
//
// It merges a second time, on copies in which each leaf is a label of where it came from. So it cannot disagree with Document about which
// layer won.
func Explain(in Input) ([]Origin, []LeftOut, error) { return ExplainAt(in, "") }

// ErrNothingThere is the error of ExplainAt for a path that leads nowhere.
var ErrNothingThere = errors.New("neither the values document nor the chart's values.yaml has something there")

// ExplainAt is Explain for the leaves at and below a path, which is written as in helm --set. It also returns the chart's default values there that
// nothing replaces. If nothing is there, the error wraps ErrNothingThere, and what was left out is returned all the same. An empty path means the
// whole document, without the chart's default values.
func ExplainAt(in Input, path string) ([]Origin, []LeftOut, error) {
	var at Path
	if path != "" {
		var err error
		if at, err = parsePath(path); err != nil {
			return nil, nil, fmt.Errorf("cannot explain %s: %w", quote(path), err)
		}
	}
	defer takeTurn(in.size())()
	merged, err := assemble(in)
	if err != nil {
		return nil, nil, err
	}
	h, err := replay(in, merged)
	if err != nil {
		return nil, nil, err
	}
	w := walk{history: h, chart: merged.chart, coerced: map[*source]bool{}}
	switch {
	case len(at) > 0:
		err = w.at(at, merged)
	case len(merged.values) > 0:
		w.leaves(nil, merged.values, h.labels, nil, &h.replaced)
	}
	return w.origins, merged.leftOut, err
}

// walk collects the origins of leaves.
type walk struct {
	*history
	chart   chart
	origins []Origin
	pending []lost           // Replaced of the next leaf
	coerced map[*source]bool // sources whose Coercion a leaf already has
}

// at walks the leaves at and below a path.
func (w *walk) at(path Path, merged *assembly) error {
	replaced := &w.replaced
	for i, step := range path {
		if i > 0 { // what was replaced as a whole around the path, such as the list that holds it
			w.pending = append(w.pending, replaced.hereOnly()...)
		}
		replaced = replaced.child(step)
	}
	v, inDocument := get(merged.values, path)
	defaults, inChart := defaultAt(merged.values, merged.chart.values, path)
	switch {
	case inDocument:
		labels, _ := get(w.labels, path)
		w.leaves(path, v, labels, defaults, replaced)
	case inChart:
		w.pending = append(w.pending, replaced.all()...)
		w.defaults(path, defaults)
	default:
		return fmt.Errorf("cannot explain %s: %w", quote(path.String()), ErrNothingThere)
	}
	return nil
}

// defaultAt returns the chart's default value at a path if helm uses it: any value of the document on the way there, except a map, hides it.
func defaultAt(document, chart any, path Path) (any, bool) {
	inDocument := true
	for i := range path {
		if _, isMap := document.(map[string]any); inDocument && !isMap {
			return nil, false
		}
		var inChart bool
		document, inDocument = get(document, path[i:i+1])
		if chart, inChart = get(chart, path[i:i+1]); !inChart {
			return nil, false
		}
	}
	return chart, true
}

// leaves adds the leaves of v. labels has the same shape as v; defaults is the chart's value there, or nil if its defaults are not wanted; replaced
// holds what was replaced there and below.
func (w *walk) leaves(path Path, v, labels, defaults any, replaced *tree) {
	w.pending = append(w.pending, replaced.hereOnly()...)
	switch v := v.(type) {
	case map[string]any:
		below, _ := labels.(map[string]any)
		lower, _ := defaults.(map[string]any)
		if len(v) == 0 {
			labels = below[emptyMap]
		}
		w.pending = append(w.pending, replaced.besides(func(step Step) bool { _, there := v[step.Name]; return there && !step.InList })...)
		for _, key := range keysOf(v, lower) {
			at := append(path[:len(path):len(path)], Step{Name: key})
			if child, there := v[key]; there {
				w.leaves(at, child, below[key], lower[key], replaced.child(at[len(path)]))
			} else {
				w.defaults(at, lower[key])
			}
		}
		if len(v)+len(lower) > 0 {
			return
		}
	case []any:
		below, _ := labels.([]any)
		below = append(below, make([]any, max(0, len(v)-len(below)))...) // pads labels; needed only if a document has the key emptyMap
		w.pending = append(w.pending, replaced.besides(func(step Step) bool { return step.InList && step.Index < len(v) })...)
		for i, child := range v {
			at := append(path[:len(path):len(path)], Step{Index: i, InList: true})
			w.leaves(at, child, below[i], nil, replaced.child(at[len(path)]))
		}
		if len(v) > 0 {
			return
		}
	default:
		w.pending = append(w.pending, replaced.besides(func(Step) bool { return false })...)
	}
	w.leaf(path, v, w.sourceOf(labels))
}

// keysOf returns the keys of both maps, sorted.
func keysOf(a, b map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// leaf adds a leaf of the document.
func (w *walk) leaf(path Path, v any, from *source) {
	origin := Origin{Path: path.String(), Layer: from.layer, Type: typeName(v), Value: v, Secret: from.secret, Replaced: w.take(from.secret != "")}
	if from.layer == layerValuesYAML || from.layer == layerValues {
		origin.Unknown = w.chart.unknown(path)
	}
	if from.coerced != nil && !w.coerced[from] {
		w.coerced[from] = true
		origin.Coerced = from.coerced
	}
	w.origins = append(w.origins, origin)
}

// defaults adds the leaves of a value that only the chart has.
func (w *walk) defaults(path Path, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range keysOf(v, nil) {
			w.defaults(append(path[:len(path):len(path)], Step{Name: key}), v[key])
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, child := range v {
			w.defaults(append(path[:len(path):len(path)], Step{Index: i, InList: true}), child)
		}
		if len(v) > 0 {
			return
		}
	}
	w.origins = append(w.origins, Origin{Path: path.String(), Layer: layerChart, Type: typeName(v), Value: v, Replaced: w.take(false)})
}

// take returns the pending values, the newest first and the chart's last. bySecret: a secret has replaced them.
func (w *walk) take(bySecret bool) (all []Replaced) {
	slices.SortFunc(w.pending, func(a, b lost) int { return cmp.Or(b.order-a.order, cmp.Compare(a.path.String(), b.path.String())) })
	for _, l := range w.pending {
		r := Replaced{Path: l.path.String(), Layer: l.layer, Type: typeName(l.value), Value: l.value}
		if bySecret || w.secrets.touches(l.path) {
			r.Value, r.Masked = nil, true
		}
		all = append(all, r)
	}
	w.pending = nil
	return all
}
