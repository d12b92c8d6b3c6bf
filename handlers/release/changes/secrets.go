package changes

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Redactor takes secrets out of what is told.
type Redactor interface {
	// Text is a text of any kind without those that would not be mistaken for anything else in it.
	Text(string) string
	// Value is the value of a field without any of them.
	Value(string) string
}

// nothing takes nothing out.
type nothing struct{}

func (nothing) Text(s string) string  { return s }
func (nothing) Value(s string) string { return s }

// hiding takes secrets out of an object, live and made, in place, before both are compared line by line. Each line out of which something was taken is
// numbered, so that two that differ in their secrets alone still differ.
type hiding struct {
	redact  Redactor
	numbers map[string]int // by the lines as they were
}

// identity are the fields by which the object is known; a diff begins with them anyway.
var identity = map[string]bool{"apiVersion": true, "kind": true, "metadata/name": true, "metadata/namespace": true}

// object hides what is secret in an object.
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

// shortestNumber is in digits: a count of replicas is no secret, and a port or a code may be one.
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

// scalar is a value without secrets, its lines numbered.
func (h *hiding) scalar(value string) string {
	shown := h.redact.Value(value)
	if shown == value {
		return value
	}
	lines, was := strings.Split(shown, "\n"), strings.Split(value, "\n")
	for i := range lines {
		switch {
		case len(was) != len(lines): // nobody can tell which of them it was
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

// text is what was made of the objects, without the numbers, and without secrets that stand elsewhere than in values, as in keys.
func (h *hiding) text(s string) string { return h.redact.Text(numbered.ReplaceAllString(s, "")) }

// What stands in place of a Secret's value. That a value changes may be told, and nothing else of it.
const (
	hidden        = "[hidden]"
	hiddenChanged = "[hidden, changed]"
)

// mask hides the values of a Secret, and returns them.
func mask(kind string, live, made map[string]any) []string {
	if !IsSecret(kind) {
		return nil
	}
	before, after := plainValues(live), plainValues(made)
	for _, part := range []string{"data", "stringData"} {
		hideBoth(live, made, part, before, after)
	}
	// Tools keep a whole copy of what they have applied there, as kubectl does.
	ofLive, ofMade := section(live, "metadata"), section(made, "metadata")
	hideBoth(ofLive, ofMade, "annotations", annotationsOf(ofLive), annotationsOf(ofMade))
	return append(slices.Collect(maps.Values(before)), slices.Collect(maps.Values(after))...)
}

// SecretValues are the values of a Secret, plain.
func SecretValues(secret map[string]any) []string {
	return slices.Collect(maps.Values(plainValues(secret)))
}

// IsSecret tells whether the values of objects of a kind are secret.
func IsSecret(kind string) bool { return strings.EqualFold(kind, "Secret") }

// plainAnnotations are how the names of annotations begin that hold no secret: helm's, and the operator's own.
var plainAnnotations = []string{"meta.helm.sh/", "helm.sh/", "octo-mesh.meshmakers.io/"}

// annotationsOf are those in which others may have written something.
func annotationsOf(metadata map[string]any) map[string]string {
	all := map[string]string{}
	for key, value := range section(metadata, "annotations") {
		if !slices.ContainsFunc(plainAnnotations, func(begin string) bool { return strings.HasPrefix(key, begin) }) {
			all[key], _ = value.(string)
		}
	}
	return all
}

// hideBoth hides those values of one part of both contents that are in before and after, and marks those that change.
func hideBoth(live, made map[string]any, part string, before, after map[string]string) {
	hide(live, part, before, func(string) string { return hidden })
	hide(made, part, after, func(key string) string {
		if was, there := before[key]; there && was != after[key] {
			return hiddenChanged
		}
		return hidden
	})
}

// hide replaces the values of one part of a Secret, those that are known.
func hide(secret map[string]any, part string, known map[string]string, by func(key string) string) {
	values, is := secret[part].(map[string]any)
	if !is && secret[part] != nil { // the API server would refuse it
		secret[part] = hidden
	}
	for key := range values {
		if _, is := known[key]; is {
			values[key] = by(key)
		}
	}
}

// plainValues are those of a Secret by their keys; stringData has the last word, as at the API server.
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
