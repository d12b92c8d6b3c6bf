package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	yamltext "go.yaml.in/yaml/v2"

	"octo-operator/bounds"
)

// encode writes values as YAML with sorted keys. Text that would be read back as another type (1.10, yes, null, 2001-01-01) is quoted.
// The result is the same as from sigs.k8s.io/yaml, but written by the library below it: sigs.k8s.io/yaml converts through JSON, which
// takes ten times the memory, and does not stop when the text is too long.
func encode(values map[string]any) ([]byte, error) {
	var doc bounded
	encoder := yamltext.NewEncoder(&doc)
	err := encoder.Encode(forYAML(values))
	if err == nil {
		err = encoder.Close()
	}
	if doc.full {
		return nil, fmt.Errorf("the merged values have more than %d bytes as YAML, in which each level is indented", bounds.Document)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encode the merged values as YAML: %w", err)
	}
	return doc.Bytes(), nil
}

// bounded is a buffer that returns an error beyond bounds.Document bytes.
type bounded struct {
	bytes.Buffer
	full bool
}

func (b *bounded) Write(text []byte) (int, error) {
	if b.Len()+len(text) > bounds.Document {
		b.full = true
		return 0, bytes.ErrTooLarge
	}
	return b.Buffer.Write(text)
}

// forYAML copies v and converts what the YAML library would change: it writes an integer beyond 63 bits as a float, and text that is not
// UTF-8 as !!binary.
func forYAML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[validText(key)] = forYAML(child)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = forYAML(child)
		}
		return out
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
	case string:
		return validText(v)
	}
	return v
}

// validText replaces bytes that are not UTF-8, as encoding/json does.
func validText(s string) string { return string([]rune(s)) }
