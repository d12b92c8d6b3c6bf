package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	yamltext "go.yaml.in/yaml/v2"

	"octo-operator/bounds"
)

// encode writes values as YAML with sorted keys. Text that would be read back as something else (1.10, yes, null,
// 2001-01-01) comes out quoted. It is what sigs.k8s.io/yaml writes, by the library below it: on the way through JSON that
// one needs ten times the memory, and writes to the end what is far too long.
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

// bounded is a buffer that takes no more than bounds.Document bytes.
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

// forYAML copies v with what the YAML library would write as something else: a number beyond 63 bits as a float, text that
// is no UTF-8 as !!binary.
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

// validText replaces bytes that are no UTF-8, as JSON does.
func validText(s string) string { return string([]rune(s)) }
