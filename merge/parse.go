package merge

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// Parse reads a document that holds a map, YAML or JSON, from anywhere; name is what errors call it. An empty document is an
// empty map.
//
// It reads what helm reads from a -f file, with helm's meaning: YAML 1.1 (yes and on are true), the last of two equal
// keys counts, several documents in one file are merged in order. Only that numbers are json.Number, not float64, so
// that 30000000 is not written as 3e+07 later.
//
// Errors: not YAML, with the line; not a map, with line and column; more than bounds.Document, Values or Depth.
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

// part is one document of a stream.
type part struct {
	text []byte
	line int // lines of the stream before it
}

// split cuts a stream at its "---" lines. It does as the reader in k8s.io/apimachinery/pkg/util/yaml that helm uses,
// not as YAML says: a line that starts with --- separates wherever it stands, and nothing but a comment may follow.
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

// exactNumbers makes the decoder keep a number as it is spelled.
func exactNumbers(d *json.Decoder) *json.Decoder {
	d.UseNumber()
	return d
}

// decode reads a JSON object, with exact numbers. null is an empty map.
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

// depth returns how many maps and lists are nested in v: 0 for a scalar.
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
