package merge

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// kind is the type that an override's text is converted to.
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

// kindOf returns the kind of a decoded value; null has an unknown kind.
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

// Numbers as JSON spells them. 007, +1, 0x1F and 1_000 are text: only YAML 1.1 takes them for numbers.
var (
	integerText = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberText  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// coerce converts an override's text to the type of its target. A text that does not fit stays text; then the chart's schema decides.
//
//	boolean    true or false, in any case: .NET writes True and False
//	number     as JSON spells it; the spelling is kept
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
			// 1e999 is spelled correctly, but is too large for any reader.
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

// parseAs reads text as YAML of the wanted kind, within the same bounds as Parse; false: it is something else.
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

// targetTypes knows the type of an override's target: that of the value in the document so far, else in the chart's default values, else
// in the chart's schema. So image.tag "1.10" stays text, and ingress.enabled "false" becomes the boolean, which as text would count as
// true in a template.
type targetTypes struct {
	values     map[string]any // the document merged so far
	chart      chart
	secretName string
}

// at returns the type of an override's target, and where it comes from.
func (t *targetTypes) at(path Path) (kind, authority) {
	if v, ok := get(t.values, path); ok {
		// The map at a secret's path is our reference to the Secret: it says nothing about the target's type.
		if _, isSecret := secretKeyAt(v, t.secretName); !isSecret && kindOf(v) != kindUnknown {
			return kindOf(v), byDocument
		}
	}
	if v, ok := get(t.chart.values, path); ok && kindOf(v) != kindUnknown {
		return kindOf(v), byChartValues
	}
	return t.chart.schema.kindAt(path), byChartSchema
}

// authority is where the type of an override's target comes from.
type authority int

const (
	byDocument authority = iota // the value that the lower layers and earlier overrides have set there
	byChartValues
	byChartSchema
)
