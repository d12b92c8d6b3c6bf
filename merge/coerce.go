package merge

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// kind is the type that an override's text is to take.
type kind int

const (
	kindUnknown kind = iota
	kindText
	kindBoolean
	kindInteger
	kindNumber
	kindMapping
	kindList
)

// kindOf returns the type of a value as decode gives it. null tells nothing.
func kindOf(v any) kind {
	switch v.(type) {
	case string:
		return kindText
	case bool:
		return kindBoolean
	case json.Number:
		return kindNumber
	case map[string]any:
		return kindMapping
	case []any:
		return kindList
	}
	return kindUnknown
}

// JSON's own spelling of numbers. 007, +1, 0x1F or 1_000 are text: only YAML 1.1 knows what they mean.
var (
	integerText = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberText  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// coerce gives an override's text the type of its target. Text that does not fit stays text, and the chart's schema is
// the judge of it.
//
//	boolean  true or false, in any case: .NET writes True and False
//	number   as JSON spells it, kept as spelled
//	map, list  YAML or JSON of that type, such as ["a","b"]
func coerce(value string, to kind) any {
	switch to {
	case kindBoolean:
		if strings.EqualFold(value, "true") {
			return true
		}
		if strings.EqualFold(value, "false") {
			return false
		}
	case kindInteger:
		if integerText.MatchString(value) {
			return json.Number(value)
		}
	case kindNumber:
		if numberText.MatchString(value) {
			// 1e999 is spelled well, but no reader could hold it.
			if _, err := strconv.ParseFloat(value, 64); err == nil {
				return json.Number(value)
			}
		}
	case kindMapping, kindList:
		if v, ok := parseAs(value, to); ok {
			return v
		}
	}
	return value
}

// parseAs reads text as YAML of one kind, within the limits of Parse.
func parseAs(value string, want kind) (any, bool) {
	p := part{text: []byte(value)}
	if bounds.YAML(p.text) != nil || p.checkAliases() != nil {
		return nil, false
	}
	var v any
	if err := yaml.Unmarshal(p.text, &v, exactNumbers); err != nil {
		return nil, false
	}
	return v, kindOf(v) == want && depth(v) <= bounds.Depth
}

// targetTypes knows the type of an override's target: what the document already has there, else the chart's values,
// else the chart's schema. So image.tag "1.10" stays text, and ingress.enabled "false" becomes false; as text it would
// be true in a template.
type targetTypes struct {
	values     map[string]any // the document, as far as it is merged
	chart      chart
	secretName string
}

func (t *targetTypes) at(path Path) kind {
	if v, ok := get(t.values, path); ok {
		// A secret that is overridden by plain text was no map before it was a secret.
		if _, isSecret := secretKeyAt(v, t.secretName); !isSecret && kindOf(v) != kindUnknown {
			return kindOf(v)
		}
	}
	if v, ok := get(t.chart.values, path); ok && kindOf(v) != kindUnknown {
		return kindOf(v)
	}
	return t.chart.schema.kindAt(path)
}
