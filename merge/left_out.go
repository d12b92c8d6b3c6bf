package merge

import (
	"fmt"
	"maps"
	"slices"
)

// LeftOut is a value that the operator would have added of its own accord and that the chart does not accept. What the event asks for is
// never left out, except for its own values of identity keys.
type LeftOut struct {
	Path   string `json:"path"` // as in helm --set
	Layer  string `json:"layer"`
	Reason string `json:"reason"`
}

const refusedBySchema = "the chart's schema does not allow it"

// chart is what the merge knows of the chart.
type chart struct {
	values map[string]any
	schema *schema
}

func readChart(in Input) (chart, error) {
	values, err := parse("the chart's values.yaml", in.ChartValues)
	if err != nil {
		return chart{}, err
	}
	schema, err := readSchema(in.ChartSchema)
	return chart{values, schema}, err
}

// refuses says why value cannot be at path; "": it can. lower is the document so far. A secret is a map (a reference), but may stand
// where charts have a text by default, as in secrets.rabbitmq: "".
func (c chart) refuses(path Path, value any, secret bool, lower map[string]any) (reason string) {
	if c.schema.refuses(path, value) {
		return refusedBySchema
	}
	there := lookUp(lower, c.values, path)
	wants := shapeOf(value)
	if there.at < len(path) {
		wants = shapeBefore(path[there.at])
	} else if secret && there.shape == oneValue {
		wants = oneValue
	}
	if there.shape == nothing || wants == nothing || there.shape == wants {
		return ""
	}
	return fmt.Sprintf("%s %s at %s", there.in, there.shape, quote(path[:there.at].String()))
}

// declares tells whether the chart's default values have the path, whatever the value.
func (c chart) declares(path Path) bool {
	_, found := get(c.values, path)
	return found
}

// unknown returns the beginning of path up to the first name that neither the default values nor the schema have; "": they have all of it, or take
// any name there, as below an empty map. The key global, which helm gives to every chart, counts as known; if the chart has no default values, every
// path does.
func (c chart) unknown(path Path) string {
	var defaults any = c.values
	for i, step := range path {
		m, _ := defaults.(map[string]any)
		if len(m) == 0 || step.InList || i == 0 && step.Name == "global" {
			return ""
		}
		next, there := m[step.Name]
		if upTo := path[:i+1]; !there && c.schema.kindAt(upTo) == kindUnknown {
			return upTo.String()
		}
		defaults = next
	}
	return ""
}

// shape is a kind of value that cannot be replaced by another kind.
type shape string

const (
	nothing  shape = ""
	oneValue shape = "a single value"
	aList    shape = "a list"
	aMap     shape = "a map"
)

func shapeOf(v any) shape {
	switch v.(type) {
	case nil:
		return nothing
	case map[string]any:
		return aMap
	case []any:
		return aList
	}
	return oneValue
}

// found is what helm would have at a path, or at a step before it that does not lead on.
type found struct {
	shape shape
	at    int    // number of steps of the path that lead there
	in    string // whose value it is, for the error
}

// lookUp returns what helm would have at path after merging document over the chart's values. If a step on the way cannot be taken
// because there is another kind of value, it returns that value.
func lookUp(document, chartValues any, path Path) found {
	inDocument := true
	for at := 0; ; at++ {
		f := found{shapeOf(document), at, "the event's values have"}
		if !inDocument {
			f = found{shapeOf(chartValues), at, "the chart's default values have"}
		}
		if at == len(path) || f.shape != shapeBefore(path[at]) {
			return f
		}
		// Two maps merge, so both are followed. Anything else in the document, null too, hides what the chart has.
		hidden := inDocument && f.shape != aMap
		document, inDocument = get(document, path[at:at+1])
		if chartValues, _ = get(chartValues, path[at:at+1]); hidden {
			chartValues = nil
		}
	}
}

// shapeBefore is the shape that a step needs to be taken.
func shapeBefore(step Step) shape {
	if step.InList {
		return aList
	}
	return aMap
}

// prune removes from the context what the chart does not accept, and maps that become empty by that.
func (c chart) prune(context, upper map[string]any, path Path) (leftOut []LeftOut) {
	for _, key := range slices.Sorted(maps.Keys(context)) {
		at := append(path[:len(path):len(path)], Step{Name: key})
		value := context[key]
		if below, ok := value.(map[string]any); ok && len(below) > 0 {
			leftOut = append(leftOut, c.prune(below, upper, at)...)
			if len(below) == 0 {
				delete(context, key)
			}
		} else if reason := c.refuses(at, value, false, upper); reason != "" {
			leftOut = append(leftOut, LeftOut{at.String(), layerContext, reason})
			delete(context, key)
		}
	}
	return leftOut
}
