package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"octo-operator/exec"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/text"
)

// ExplainValues prints where the values of a WorkloadDeployed event's document come from: of all, or of those at path and below. As text a
// line is up to 120 columns wide; as JSON it is an object with the fields values (merge.Origin) and leftOut (merge.LeftOut). withChart is
// as in PrintValues.
func (h *Handlers) ExplainValues(ctx context.Context, to io.Writer, event hub.Event, path string, asJSON, withChart bool) error {
	layers, secrets, err := h.layersOf(ctx, event, withChart)
	if err != nil {
		return err
	}
	e, err := explain(layers, path, exec.NewRedactor(secrets...))
	if err != nil {
		return err
	}
	if asJSON {
		out := json.NewEncoder(to)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(e)
	}
	return e.print(to, path != "")
}

// explanation is what merge says of values, with what is known to be secret taken out.
type explanation struct {
	Values  []merge.Origin  `json:"values"`
	LeftOut []merge.LeftOut `json:"leftOut"`
}

// explain explains what is at path; "": everything. It is an error if nothing is there and nothing was left out there.
func explain(layers merge.Input, path string, secrets *exec.Redactor) (explanation, error) {
	origins, leftOut, err := merge.ExplainAt(layers, path)
	e := explanation{Values: origins, LeftOut: []merge.LeftOut{}}
	if origins == nil {
		e.Values = []merge.Origin{}
	}
	for _, out := range leftOut {
		if strings.HasPrefix(out.Path, path) || strings.HasPrefix(path, out.Path) {
			e.LeftOut = append(e.LeftOut, out)
		}
	}
	if err != nil && (!errors.Is(err, merge.ErrNothingThere) || len(e.LeftOut) == 0) {
		return e, err
	}
	release.RedactOrigins(origins, secrets.String)
	return e, nil
}

// Widths of the table, in characters.
const (
	lineWidth  = 120
	widestPath = 40 // a longer one has a line of its own
	layerWidth = len("- valuesYaml")
	typeWidth  = len("boolean")
	leastValue = 30
	longText   = 25 // of what was coerced
)

// table prints lines with a path, a layer, a type and a value.
type table struct {
	bytes.Buffer
	path, value int    // widths
	unknown     string // to the chart: what was said last
}

// print prints a table of the values, and what was left out below it. whole: no value is cut.
func (e explanation) print(to io.Writer, whole bool) error {
	t := &table{path: len("PATH")}
	for _, o := range e.Values {
		t.path = max(t.path, min(widestPath, utf8.RuneCountInString(text.Escaped(shownPath(o)))))
	}
	for _, out := range e.LeftOut {
		t.path = max(t.path, min(widestPath, utf8.RuneCountInString(text.Escaped(out.Path))))
	}
	if t.value = max(leastValue, lineWidth-t.path-layerWidth-typeWidth-6); whole {
		t.value = 0
	}
	if len(e.Values) > 0 {
		t.line("PATH", "LAYER", "TYPE", "VALUE")
	}
	for i, o := range e.Values {
		if i > 0 && o.Secret != "" && shownPath(o) == shownPath(e.Values[i-1]) {
			continue // the second of the two leaves of one reference
		}
		t.origin(o, e.Values[i+1:])
	}
	if len(e.LeftOut) > 0 {
		t.WriteString("\nleft out, because the chart does not take it:\n")
	}
	for _, out := range e.LeftOut {
		t.row(text.Escaped(out.Path), fmt.Sprintf("%-*s  %s", layerWidth, out.Layer, text.Escaped(out.Reason)))
	}
	_, err := to.Write(t.Bytes())
	return err
}

// referenceKey and referenceName are the leaves of a reference to a Secret, in their order.
const (
	referenceKey  = ".valueFrom.secretKeyRef.key"
	referenceName = ".valueFrom.secretKeyRef.name"
)

// shownPath is an origin's path, or that of its secret if it is a part of a whole reference.
func shownPath(o merge.Origin) string {
	if o.Secret != "" && (o.Path == o.Secret+referenceKey || o.Path == o.Secret+referenceName) {
		return o.Secret
	}
	return o.Path
}

// origin prints a value, how it got its type, and what it has replaced. after are the values that come next.
func (t *table) origin(o merge.Origin, after []merge.Origin) {
	kind, value := o.Type, t.shown(o.Value)
	if path := shownPath(o); path != o.Path {
		kind = "secret"
		if o.Path == path+referenceKey && len(after) > 0 && after[0].Path == path+referenceName {
			value = t.cut(text.Escaped(inSecret(after[0].Value, o.Value, path)))
		}
	}
	t.line(text.Escaped(shownPath(o)), o.Layer, kind, value)
	if c := o.Coerced; c != nil {
		t.coerced(*c, o.Path)
	}
	if o.Unknown != "" && o.Unknown != t.unknown { // of a list or a map once
		t.unknown = o.Unknown
		fmt.Fprintf(t, "%*sthe chart knows no %s: is it misspelled?\n", t.path+2, "", text.Escaped(o.Unknown))
	}
	for _, r := range o.Replaced {
		value := t.shown(r.Value)
		if r.Masked {
			value = "(masked, because a secret was set here)"
		}
		if r.Path != shownPath(o) {
			value = t.cut(text.Escaped(r.Path) + " = " + value)
		}
		t.line("", "- "+r.Layer, r.Type, value)
	}
}

// inSecret says where a secret is. Its key is usually its path.
func inSecret(name, key any, path string) string {
	if key == path {
		return fmt.Sprintf("in Secret %v", name)
	}
	return fmt.Sprintf("in Secret %v, key %v", name, key)
}

func (t *table) coerced(c merge.Coercion, path string) {
	from := t.shown(c.Text)
	if t.value > 0 && utf8.RuneCountInString(from) > longText {
		from = string([]rune(from)[:longText]) + "…"
	}
	words := fmt.Sprintf("from the text %s: %s", from, c.Because)
	if c.Failed {
		words = fmt.Sprintf("stays text, as no %s: %s", c.To, c.Because)
	}
	if c.Path != path {
		words = fmt.Sprintf("%s %s", text.Escaped(c.Path), words)
	}
	fmt.Fprintf(t, "%*s%s\n", t.path+2, "", words)
}

func (t *table) line(path, layer, kind, value string) {
	t.row(path, fmt.Sprintf("%-*s  %-*s  %s", layerWidth, layer, typeWidth, kind, value))
}

// row prints a line of the table. A path that is too long is followed by a line break.
func (t *table) row(path, columns string) {
	if utf8.RuneCountInString(path) > t.path {
		fmt.Fprintln(t, path)
		path = ""
	}
	fmt.Fprintf(t, "%-*s  %s\n", t.path, path, columns)
}

// shown is a value as JSON, in which nothing moves a terminal's cursor, cut to the width of the table.
func (t *table) shown(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprintf("(%v)", err) // cannot happen: it came out of YAML
	}
	return t.cut(text.Escaped(strings.TrimSuffix(out.String(), "\n")))
}

func (t *table) cut(value string) string {
	if t.value == 0 || utf8.RuneCountInString(value) <= t.value {
		return value
	}
	return string([]rune(value)[:t.value-1]) + "…"
}
