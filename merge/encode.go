package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// encode writes values as YAML with sorted keys. Text that would be read back as something else (1.10, yes, null,
// 2001-01-01) comes out quoted.
func encode(values map[string]any) ([]byte, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the merged values: %w", err)
	}
	doc, err := yaml.JSONToYAML(escapeUnprintable(text))
	if err != nil {
		return nil, fmt.Errorf("cannot encode the merged values as YAML: %w", err)
	}
	return doc, nil
}

// escapeUnprintable writes the characters that JSON allows and YAML forbids as \uXXXX. All of them are inside strings.
// Without it JSONToYAML fails with "control characters are not allowed", although helm reads such a value ("\x7f").
func escapeUnprintable(text []byte) []byte {
	if bytes.IndexFunc(text, unprintable) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if unprintable(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}

func unprintable(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff
}
