package merge

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// Parse reads a YAML or JSON document that holds a map. name is what errors call it. An empty document is an empty map.
//
// It reads the document as helm reads a -f file: YAML 1.1 (yes and on are true), the last of two equal keys counts, several documents in
// one file are merged in order. One thing differs: numbers are json.Number and not float64, so that 30000000 is not written as 3e+07
// later.
//
// The error says that it is not YAML, with the line; or not a map, with line and column; or that it exceeds bounds.Document, Values or
// Depth.
func Parse(name string, doc []byte) (map[string]any, error) {
	defer takeTurn(len(doc))()
	return parse(name, doc)
}

func parse(name string, doc []byte) (map[string]any, error) {
	err := bounds.YAML(doc)
	var parts []part
	if err == nil {
		parts, err = split(doc)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	values := map[string]any{}
	for _, p := range parts {
		m, err := p.parse()
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		if err := overlay(values, m); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
	}
	return values, nil
}

// Decode reads a YAML or JSON document into a struct as helm reads its own files, Chart.yaml and index.yaml: upper and lower case of a key are the
// same, a number or a boolean becomes a text where into has one, and of several documents in one file only the first is read. name is what errors
// call the document. The errors are those of Parse, and one for a field with a value of the wrong kind.
func Decode(name string, doc []byte, into any) error {
	defer takeTurn(len(doc))()
	p := part{text: doc}
	err := bounds.YAML(doc)
	if err == nil {
		err = p.checkAliases()
	}
	if err == nil {
		if err = yaml.Unmarshal(doc, into); err != nil {
			err = p.explain(err)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

// part is one document of a stream.
type part struct {
	text []byte
	line int // number of lines in the stream before it
}

// split cuts a stream at its "---" lines. It follows the reader that helm uses (k8s.io/apimachinery/pkg/util/yaml), not the YAML
// specification: a line that starts with --- separates documents wherever it stands, and only a comment may follow on that line.
func split(stream []byte) ([]part, error) {
	var parts []part
	current := part{text: make([]byte, 0, len(stream)+1)}
	number := 0
	for line := range bytes.Lines(stream) {
		number++
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if after, ok := bytes.CutPrefix(line, []byte("---")); ok {
			if after = bytes.TrimSpace(after); len(after) > 0 && after[0] != '#' {
				return nil, fmt.Errorf("line %d: only a comment may follow ---", number)
			}
			if len(current.text) > 0 {
				if parts = append(parts, current); len(parts) >= bounds.Documents {
					return nil, fmt.Errorf("line %d: it is a stream of more than %d documents", number, bounds.Documents)
				}
				current = part{line: number}
				continue
			}
		}
		current.text = append(append(current.text, line...), '\n')
	}
	return append(parts, current), nil
}

func (p part) parse() (map[string]any, error) {
	if err := p.checkAliases(); err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(p.text, &values, exactNumbers); err != nil {
		return nil, p.explain(err)
	}
	if depth(values) > bounds.Depth {
		return nil, fmt.Errorf("it is nested deeper than %d levels", bounds.Depth)
	}
	return values, nil
}

// exactNumbers makes a decoder keep numbers as they are spelled.
func exactNumbers(d *json.Decoder) *json.Decoder {
	d.UseNumber()
	return d
}

// decode reads a JSON object with exact numbers. null is an empty map.
func decode(text []byte) (map[string]any, error) {
	values := map[string]any{}
	if err := exactNumbers(json.NewDecoder(bytes.NewReader(text))).Decode(&values); err != nil {
		return nil, err
	}
	if values == nil {
		values = map[string]any{}
	}
	return values, nil
}

// depth returns how deep maps and lists are nested in v: 0 for a scalar.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	default:
		return 0
	}
	return deepest + 1
}
