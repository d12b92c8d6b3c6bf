package merge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// history is a second merge, with a label in place of each leaf, which shows where the leaf came from and what it replaced.
type history struct {
	labels   map[string]any // the document, with the number of a label in place of each leaf
	made     []labelled
	replaced tree
	secrets  tree // the paths of secret overrides
	count    int  // number of values replaced so far
}

// source is what has set a value.
type source struct {
	layer   string
	secret  string    // path of the secret override
	coerced *Coercion // of the override's text
	filler  bool      // a list element that only leads to a later one
}

type labelled struct {
	source *source
	value  any
}

// lost is a value that was replaced.
type lost struct {
	path  Path
	layer string
	value any
	order int // later ones are higher; 0: the chart's
}

// replay merges the layers of in again. merged is the result of the first merge.
func replay(in Input, merged *assembly) (*history, error) {
	h := &history{}
	chart, err := readChart(in) // read again: a schema counts the steps of all its look-ups
	if err != nil {
		return nil, err
	}
	_, lower, upper, _, err := documents(in, chart)
	if err != nil {
		return nil, err
	}
	h.labels, _ = h.label(lower, &source{layer: layerContext}).(map[string]any)
	upperLabels, _ := h.label(upper, &source{layer: layerValuesYAML}).(map[string]any)
	h.replaceBelow(nil, h.labels, upperLabels)
	if err := overlay(h.labels, upperLabels); err != nil {
		return nil, err
	}
	edit := editor{values: h.labels}
	for _, a := range merged.assignments {
		if err := h.assign(&edit, a, in.SecretName); err != nil {
			return nil, err
		}
	}
	if err := h.identify(in, merged); err != nil {
		return nil, err
	}
	h.replaceDefaults(nil, merged.chart.values, merged.values)
	return h, nil
}

// assign sets an override in the labels.
func (h *history) assign(edit *editor, a assignment, secretName string) error {
	from := &source{layer: a.layer, coerced: h.coercionOf(a)}
	value := coerce(a.text, a.target) // coerced again: a.value is part of the document, and later overrides may have changed it
	if a.key != "" {
		from.secret, value = a.path.String(), secretReference(secretName, a.key)
		h.secrets.add(lost{path: a.path})
	}
	if at, old := before(h.labels, a.path); old != nil {
		h.replace(a.path[:at], old)
	}
	edit.filler = h.label(nil, &source{layer: a.layer, filler: true})
	return edit.set(a.path, h.label(value, from))
}

// before returns the labels at path or, if a value on the way has no such step, the labels of that value, and the number of steps that lead there;
// nil: there is nothing. The label of an empty list looks like that of a single value, so such a list counts as replaced by its first element.
func before(labels any, path Path) (at int, old any) {
	for at, old = 0, labels; at < len(path) && shapeOf(old) == shapeBefore(path[at]); at++ {
		old, _ = get(old, path[at:at+1])
	}
	return at, old
}

// coercionOf tells how an override's text got its type. It must be called before the override is set.
func (h *history) coercionOf(a assignment) *Coercion {
	if a.key != "" || a.target == kindUnknown || a.target == kindText {
		return nil
	}
	_, failed := coerce(a.text, a.target).(string)
	c := Coercion{Path: a.path.String(), Text: a.text, To: kindNames[a.target], Failed: failed}
	switch a.says {
	case byDocument:
		old, _ := get(h.labels, a.path)
		c.Because = fmt.Sprintf("%s has a %s there", h.anyLayerOf(old), c.To)
	case byChartValues:
		c.Because = fmt.Sprintf("the chart's values.yaml has a %s there", c.To)
	case byChartSchema:
		c.Because = fmt.Sprintf("the chart's schema has the type %s there", c.To)
	}
	return &c
}

var kindNames = map[kind]string{kindText: "string", kindBoolean: "boolean", kindInteger: "integer", kindNumber: "number", kindMapping: "map", kindList: "list"}

// typeName is typeOf with the words map and list, which people use for object and array.
func typeName(v any) string {
	switch v.(type) {
	case map[string]any:
		return "map"
	case []any:
		return "list"
	}
	return typeOf(v)
}

// identify sets the identity keys again, as the merge does: they replace what upper layers have there.
func (h *history) identify(in Input, merged *assembly) error {
	if len(merged.identity) == 0 {
		return nil
	}
	event, err := parse("valuesYaml", in.Values)
	if err != nil {
		return err
	}
	for _, key := range merged.identity {
		at := Path{{Name: key}}
		if value, there := event[key]; there {
			h.replace(at, h.label(value, &source{layer: layerValuesYAML}))
		}
		if old, there := h.labels[key]; there {
			h.replace(at, old)
		}
		h.labels[key] = h.label(merged.values[key], &source{layer: layerContext})
	}
	return nil
}

// replaceBelow notes what an upper document replaces in a lower one. Both hold labels.
func (h *history) replaceBelow(path Path, lower, upper map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(upper)) {
		old, there := lower[key]
		if !there || key == emptyMap {
			continue
		}
		at := append(path[:len(path):len(path)], Step{Name: key})
		oldMap, wasMap := old.(map[string]any)
		if newMap, isMap := upper[key].(map[string]any); wasMap && isMap {
			h.replaceBelow(at, oldMap, newMap)
		} else {
			h.replace(at, old)
		}
	}
}

// replace notes that the labels at path are replaced. A value that several layers have set together is noted in parts.
func (h *history) replace(path Path, labels any) {
	layer, one := h.layerOf(labels)
	if one && layer == "" {
		return // fillers only
	}
	if one {
		h.count++
		h.replaced.add(lost{path, layer, h.valueOf(labels), h.count})
		return
	}
	switch labels := labels.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			if key != emptyMap {
				h.replace(append(path[:len(path):len(path)], Step{Name: key}), labels[key])
			}
		}
	case []any:
		for i, child := range labels {
			h.replace(append(path[:len(path):len(path)], Step{Index: i, InList: true}), child)
		}
	}
}

// replaceDefaults notes which of the chart's default values the document replaces.
func (h *history) replaceDefaults(path Path, defaults, document map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(document)) {
		old := defaults[key]
		if old == nil {
			continue
		}
		at := append(path[:len(path):len(path)], Step{Name: key})
		oldMap, wasMap := old.(map[string]any)
		if newMap, isMap := document[key].(map[string]any); wasMap && isMap {
			h.replaceDefaults(at, oldMap, newMap)
		} else {
			h.replaced.add(lost{path: at, layer: layerChart, value: old})
		}
	}
}

// emptyMap is a key that nobody uses. In an empty map of labels it holds the label of the map.
const emptyMap = "\x00label"

// label copies v with a label in place of each leaf.
func (h *history) label(v any, from *source) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v)+1)
		for key, child := range v {
			out[key] = h.label(child, from)
		}
		if len(v) == 0 {
			out[emptyMap] = h.newLabel(v, from)
		}
		return out
	case []any:
		if len(v) == 0 {
			break
		}
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = h.label(child, from)
		}
		return out
	}
	return h.newLabel(v, from)
}

// newLabel returns a string, because the merge has other rules for types that are not decoded values (see overlay).
func (h *history) newLabel(v any, from *source) string {
	h.made = append(h.made, labelled{from, v})
	return strconv.Itoa(len(h.made) - 1)
}

func (h *history) of(label any) labelled {
	text, _ := label.(string)
	if number, err := strconv.Atoi(text); err == nil && number >= 0 && number < len(h.made) {
		return h.made[number]
	}
	return labelled{source: &source{}}
}

func (h *history) sourceOf(label any) *source { return h.of(label).source }

// layerOf returns the layer that has set all of labels; false: several layers have. "": there are only fillers.
func (h *history) layerOf(labels any) (layer string, one bool) {
	for at := range h.each(labels) {
		switch {
		case at.source.filler, at.source.layer == layer:
		case layer == "":
			layer = at.source.layer
		default:
			return "", false
		}
	}
	return layer, true
}

// anyLayerOf returns a layer that has set something in labels.
func (h *history) anyLayerOf(labels any) (layer string) {
	for at := range h.each(labels) {
		layer = at.source.layer
	}
	return layer
}

// each yields every leaf of labels.
func (h *history) each(labels any) func(yield func(labelled) bool) {
	return func(yield func(labelled) bool) { h.visit(labels, yield) }
}

func (h *history) visit(labels any, yield func(labelled) bool) bool {
	switch labels := labels.(type) {
	case map[string]any:
		for key, child := range labels {
			if (key != emptyMap || len(labels) == 1) && !h.visit(child, yield) {
				return false
			}
		}
		return true
	case []any:
		for _, child := range labels {
			if !h.visit(child, yield) {
				return false
			}
		}
		return true
	}
	return yield(h.of(labels))
}

// valueOf returns the values that labels stand for.
func (h *history) valueOf(labels any) any {
	switch labels := labels.(type) {
	case map[string]any:
		out := make(map[string]any, len(labels))
		for key, child := range labels {
			if key != emptyMap {
				out[key] = h.valueOf(child)
			}
		}
		return out
	case []any:
		out := make([]any, len(labels))
		for i, child := range labels {
			out[i] = h.valueOf(child)
		}
		return out
	}
	return h.of(labels).value
}
