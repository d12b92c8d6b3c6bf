// Package changes describes what a deploy changes in the cluster: by a unified diff of each object as YAML, and by a sentence for all. It sends no
// requests: the caller passes the objects as they are, and as a dry run says they will be.
//
//	secret := changes.Of(changes.Object{Kind: "Secret", Name: "web", Live: live, Made: made}, redact)
//	report := changes.Join([]changes.Change{secret, …})
//	report.Text, report.Summary // "1 object changed: Secret 1 key"
//
// The result never contains values of Secrets, nor fields that the API server maintains. A Redactor of the caller removes secrets from other
// objects.
package changes

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"go.yaml.in/yaml/v3"

	"octo-operator/bounds"
	"octo-operator/text"
)

// Object is an object before and after a deploy. Of modifies both: it removes fields that are not compared.
type Object struct {
	Kind      string
	Namespace string // "": its kind has no namespace
	Name      string

	Live, Made map[string]any // nil: it does not exist before, or after
	Unknown    string         // if not "", why it is not known what changes; Live and Made are ignored then
	Stays      bool           // it no longer belongs to the release, but helm does not delete it: Made is nil
}

// State is what happens to an object.
type State string

// The states of an object. Left: it no longer belongs to the release, and stays in the cluster.
const (
	Same    State = "same"
	Changed State = "changed"
	New     State = "new"
	Removed State = "removed"
	Left    State = "left"
	Unknown State = "unknown"
)

// Change is what happens to one object. Secrets is the only field that holds secrets.
type Change struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name"`
	State     State    `json:"state"`
	What      []string `json:"what,omitempty"`   // of Changed, for the summary: "image 1.2→1.3", "1 key"
	Reason    string   `json:"reason,omitempty"` // if the state is Unknown
	Diff      string   `json:"diff,omitempty"`   // unified; "" if there is none
	Pods      bool     `json:"replacesPods"`     // if the state is Changed: the pod template changes

	// Secrets are the values, not encoded, of a Secret before and after: other objects may contain them too.
	Secrets []string `json:"-"`
}

// String returns the object's name for people, such as "Deployment octo/web".
func (c Change) String() string {
	name := c.Name
	if c.Namespace != "" {
		name = c.Namespace + "/" + c.Name
	}
	return text.Printable(c.Kind + " " + name)
}

// Of compares an object before and after a deploy. redact removes secrets; nil: there are none.
func Of(o Object, redact Redactor) Change {
	if redact == nil {
		redact = nothing{}
	}
	c := Change{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	switch {
	case o.Unknown != "":
		c.State, c.Reason = Unknown, text.Shortened(text.Printable(redact.Text(redact.Value(o.Unknown))), longestReason)
		return c
	case o.Stays:
		c.State = Left
		return c
	}
	tidy(o.Live, o.Made)
	c.Secrets = mask(o.Kind, o.Live, o.Made)
	before, after := " (live)", " (after the deploy)"
	switch {
	case o.Live == nil && o.Made == nil, o.Live != nil && o.Made != nil && reflect.DeepEqual(o.Live, o.Made):
		c.State = Same
		return c
	case o.Live == nil:
		c.State, before, after = New, " (not there)", " (new)"
	case o.Made == nil:
		c.State, after = Removed, " (removed)"
	default:
		c.State, c.Pods = Changed, replacesPods(o)
	}
	h := hiding{redact: redact, numbers: map[string]int{}}
	h.object(o.Live)
	h.object(o.Made)
	if c.State == Changed {
		c.What = what(o)
		for i := range c.What {
			c.What[i] = text.Printable(h.text(c.What[i]))
		}
	}
	c.Diff = cutDiff(h.text(unified(c.String()+before, o.Live, c.String()+after, o.Made)))
	return c
}

// longestReason is in bytes. It is needed because the API server quotes whole objects.
const longestReason = 1 << 10

// unified returns the diff of two objects as YAML.
func unified(liveName string, live any, madeName string, made any) string {
	all := diff.Diff(liveName, asYAML(live), madeName, asYAML(made))
	_, all, _ = bytes.Cut(all, []byte("\n")) // "diff NAME NAME"
	return string(all)
}

func asYAML(object any) []byte {
	if reflect.ValueOf(object).IsNil() {
		return nil
	}
	var to bytes.Buffer
	encoder := yaml.NewEncoder(&to)
	encoder.SetIndent(2)
	if err := encoder.Encode(object); err != nil { // impossible: the object came as JSON
		return []byte("# cannot be written: " + err.Error() + "\n")
	}
	return to.Bytes()
}

// longestLine is in bytes. A key of a ConfigMap may be a line of a megabyte.
const longestLine = 400

// cutDiff makes a diff readable in a terminal, and cuts it between two lines to bounds.ObjectDiff.
func cutDiff(whole string) string {
	var b strings.Builder
	left := 0
	for line := range strings.Lines(whole) {
		line = text.Clip(text.Printable(strings.TrimSuffix(line, "\n")), longestLine)
		if left > 0 || b.Len()+len(line) > bounds.ObjectDiff {
			left++
			continue
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if left > 0 {
		b.WriteString("… and " + counted(left, "more line") + "\n")
	}
	return b.String()
}

// tidy removes from both contents what the API server, controllers and helm store there for themselves.
func tidy(live, made map[string]any) {
	for _, object := range []map[string]any{live, made} {
		delete(object, "status")
		metadata := section(object, "metadata")
		for _, key := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
			delete(metadata, key)
		}
		annotations := section(metadata, "annotations")
		for _, key := range []string{"kubectl.kubernetes.io/last-applied-configuration", "deprecated.daemonset.template.generation"} {
			delete(annotations, key)
		}
		whole(object)
	}
	ofLive, ofMade := section(section(live, "metadata"), "annotations"), section(section(made, "metadata"), "annotations")
	for _, key := range []string{"meta.helm.sh/release-name", "meta.helm.sh/release-namespace"} {
		if live == nil || made == nil || ofLive[key] == ofMade[key] {
			delete(ofLive, key)
			delete(ofMade, key)
		}
	}
	for _, object := range []map[string]any{live, made} {
		if metadata := section(object, "metadata"); metadata["annotations"] != nil && len(section(metadata, "annotations")) == 0 {
			delete(metadata, "annotations")
		}
	}
}

// section returns the map under a key; if there is none it is nil, which can be read.
func section(object map[string]any, key string) map[string]any {
	found, _ := object[key].(map[string]any)
	return found
}

// whole converts floating-point numbers, which all numbers in JSON are, to integers where they are whole: YAML would have 3e+07.
func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			v[key] = whole(child)
		}
	case []any:
		for i, child := range v {
			v[i] = whole(child)
		}
	case float64:
		if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 {
			return n
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	}
	return value
}
