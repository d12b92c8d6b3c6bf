package changes

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Redactor removes secrets from texts.
type Redactor interface {
	// Text removes secrets from any text, except short ones, which could be taken for something else in it.
	Text(string) string
	// Value removes all secrets from the value of a field.
	Value(string) string
}

// nothing is a Redactor that removes nothing.
type nothing struct{}

func (nothing) Text(s string) string  { return s }
func (nothing) Value(s string) string { return s }

// hiding removes secrets from an object, live and made, in place, before both are compared line by line. Each line from which a secret
// was removed gets a number, so that two lines that differ only in their secrets still differ.
type hiding struct {
	redact  Redactor
	numbers map[string]int // by the original lines
}

// identity are the fields that identify the object; a diff begins with them anyway.
var identity = map[string]bool{"apiVersion": true, "kind": true, "metadata/name": true, "metadata/namespace": true}

// object removes secrets from an object.
func (h *hiding) object(o map[string]any) {
	for key, value := range o {
		switch metadata, is := value.(map[string]any); {
		case identity[key]:
		case key == "metadata" && is:
			for key, value := range metadata {
				if !identity["metadata/"+key] {
					metadata[key] = h.value(value)
				}
			}
		default:
			o[key] = h.value(value)
		}
	}
}

// shortestNumber is in digits: a number of replicas is no secret, but a port or a code may be one.
const shortestNumber = 4

func (h *hiding) value(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			v[key] = h.value(child)
		}
	case []any:
		for i, child := range v {
			v[i] = h.value(child)
		}
	case string:
		return h.scalar(v)
	case bool, nil:
	default:
		if number := fmt.Sprint(v); len(number) >= shortestNumber {
			if shown := h.scalar(number); shown != number {
				return shown
			}
		}
	}
	return value
}

// scalar returns a value without secrets, with numbers on its changed lines.
func (h *hiding) scalar(value string) string {
	shown := h.redact.Value(value)
	if shown == value {
		return value
	}
	lines, was := strings.Split(shown, "\n"), strings.Split(value, "\n")
	for i := range lines {
		switch {
		case len(was) != len(lines): // it is not known which lines had the secret
			lines[i] += h.number(value)
		case lines[i] != was[i]:
			lines[i] += h.number(was[i])
		}
	}
	return strings.Join(lines, "\n")
}

var numbered = regexp.MustCompile(`\{hidden-[0-9]+\}`)

func (h *hiding) number(line string) string {
	if _, known := h.numbers[line]; !known {
		h.numbers[line] = len(h.numbers)
	}
	return fmt.Sprintf("{hidden-%d}", h.numbers[line])
}

// text returns a text about the objects without the numbers, and without secrets that are not in values, but in keys for example.
func (h *hiding) text(s string) string { return h.redact.Text(numbered.ReplaceAllString(s, "")) }

// The replacements for a Secret's value. They tell whether a value changes, and nothing else.
const (
	hidden        = "[hidden]"
	hiddenChanged = "[hidden, changed]"
)

// mask replaces the values of a Secret, and returns the original ones.
func mask(kind string, live, made map[string]any) []string {
	if !IsSecret(kind) {
		return nil
	}
	before, after := plainValues(live), plainValues(made)
	for _, part := range []string{"data", "stringData"} {
		hideBoth(live, made, part, before, after)
	}
	// In an annotation, tools such as kubectl store a copy of what they have applied.
	ofLive, ofMade := section(live, "metadata"), section(made, "metadata")
	hideBoth(ofLive, ofMade, "annotations", annotationsOf(ofLive), annotationsOf(ofMade))
	return append(slices.Collect(maps.Values(before)), slices.Collect(maps.Values(after))...)
}

// SecretValues returns the values of a Secret, not encoded.
func SecretValues(secret map[string]any) []string {
	return slices.Collect(maps.Values(plainValues(secret)))
}

// IsSecret tells whether the values of objects of a kind are secret.
func IsSecret(kind string) bool { return strings.EqualFold(kind, "Secret") }

// plainAnnotations are the prefixes of annotations without secrets: helm's, and the operator's own.
var plainAnnotations = []string{"meta.helm.sh/", "helm.sh/", "octo-mesh.meshmakers.io/"}

// annotationsOf returns the annotations that may contain secrets.
func annotationsOf(metadata map[string]any) map[string]string {
	all := map[string]string{}
	for key, value := range section(metadata, "annotations") {
		if !slices.ContainsFunc(plainAnnotations, func(begin string) bool { return strings.HasPrefix(key, begin) }) {
			all[key], _ = value.(string)
		}
	}
	return all
}

// hideBoth replaces, in one part of both contents, the values of the keys in before and after, and marks those that change.
func hideBoth(live, made map[string]any, part string, before, after map[string]string) {
	hide(live, part, before, func(string) string { return hidden })
	hide(made, part, after, func(key string) string {
		if was, there := before[key]; there && was != after[key] {
			return hiddenChanged
		}
		return hidden
	})
}

// hide replaces the values of one part of a Secret whose keys are in known.
func hide(secret map[string]any, part string, known map[string]string, by func(key string) string) {
	values, is := secret[part].(map[string]any)
	if !is && secret[part] != nil { // not a map: the API server would refuse it
		secret[part] = hidden
	}
	for key := range values {
		if _, is := known[key]; is {
			values[key] = by(key)
		}
	}
}

// plainValues returns the values of a Secret by their keys, not encoded. As for the API server, stringData overrides data.
func plainValues(secret map[string]any) map[string]string {
	plain := map[string]string{}
	for key, value := range section(secret, "data") {
		encoded, _ := value.(string)
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			encoded = string(decoded)
		}
		plain[key] = encoded
	}
	for key, value := range section(secret, "stringData") {
		plain[key], _ = value.(string)
	}
	return plain
}
