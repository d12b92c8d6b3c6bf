package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"octo-operator/bounds"
)

// Object identifies an object of a release. APIVersion is such as "apps/v1".
type Object struct{ APIVersion, Kind, Namespace, Name string }

// group returns the API group; "" is the core group.
func (o Object) group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// Objects returns the objects of a rendered manifest, a stream of YAML documents. The items of a list are returned one by one. Hooks are
// left out, and objects without a name, which the API server generates. An object without a namespace gets the given one, even if its
// kind is cluster-scoped: only the cluster knows that.
func Objects(manifest []byte, namespace string) ([]Object, error) {
	r := manifestReader{namespace: namespace}
	if err := eachDocument(manifest, "read", r.read); err != nil {
		return nil, err
	}
	return r.objects, nil
}

// eachDocument calls do for each document of a manifest, unless there are too many. doing is the verb for errors, such as "read".
func eachDocument(manifest []byte, doing string, do func(document []byte) error) error {
	if len(manifest) > bounds.Manifest {
		return fmt.Errorf("cannot %s the manifest: it has %d bytes, more than %d", doing, len(manifest), bounds.Manifest)
	}
	number := 0
	for document := range documents(manifest) {
		number++
		if number > bounds.Objects {
			return fmt.Errorf("cannot %s the manifest: it has more than %d documents", doing, bounds.Objects)
		}
		if err := do(document); err != nil {
			return fmt.Errorf("cannot %s the manifest: document %d: %w", doing, number, err)
		}
	}
	return nil
}

// documents yields the documents of a manifest that are not empty, without the marker "---". A line that begins with --- ends a document
// even inside a multi-line text.
func documents(manifest []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		begin, end := 0, 0
		for line := range bytes.Lines(manifest) {
			if isMarker(line) {
				if document := manifest[begin:end]; saysAnything(document) && !yield(document) {
					return
				}
				begin = end + len("---")
			}
			end += len(line)
		}
		if document := manifest[begin:]; saysAnything(document) {
			yield(document)
		}
	}
}

func isMarker(line []byte) bool {
	rest, marked := bytes.CutPrefix(line, []byte("---"))
	return marked && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// saysAnything tells whether a document has more than blank lines and comments.
func saysAnything(document []byte) bool {
	for line := range bytes.Lines(document) {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			return true
		}
	}
	return false
}

// documentReader parses the documents of one manifest and keeps to the bounds for all of them together.
type documentReader struct{ places int }

// each parses a document and calls do with it; node.Content[0] is its value. It calls do several times if a line "..." ends a YAML
// document inside.
func (r *documentReader) each(document []byte, do func(*yaml.Node) error) error {
	n := bounds.Places(document)
	if r.places += n; n > bounds.ObjectPlaces || r.places > bounds.ManifestTotal {
		return fmt.Errorf("it has %d places at which a value may begin, the manifest so far %d, more than %d or %d", n, r.places, bounds.ObjectPlaces, bounds.ManifestTotal)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(&node)
		}
		if err != nil {
			return err
		}
	}
}

type manifestReader struct {
	documentReader
	namespace string
	objects   []Object
}

// read adds the objects of a document.
func (r *manifestReader) read(document []byte) error {
	return r.each(document, func(node *yaml.Node) error { return r.add(node.Content[0], false) })
}

// add reads the YAML nodes of an object directly. Decoding into a map would expand aliases and compare all keys with each other.
func (r *manifestReader) add(node *yaml.Node, listed bool) error {
	if node.Tag == "!!null" {
		return nil
	}
	o := Object{APIVersion: textOf(node, "apiVersion"), Kind: textOf(node, "kind"), Namespace: r.namespace, Name: textOf(node, "metadata", "name")}
	if items := field(node, "items"); items != nil && !listed && strings.HasSuffix(o.Kind, "List") {
		return r.addItems(items)
	}
	if field(node, "metadata", "annotations", "helm.sh/hook") != nil || o.Name == "" && o.Kind != "" {
		return nil
	}
	if namespace := textOf(node, "metadata", "namespace"); namespace != "" {
		o.Namespace = namespace
	}
	if err := o.check(); err != nil {
		return err
	}
	if len(r.objects) == bounds.Objects {
		return fmt.Errorf("there are more than %d objects", bounds.Objects)
	}
	r.objects = append(r.objects, o)
	return nil
}

func (r *manifestReader) addItems(list *yaml.Node) error {
	for i, item := range list.Content {
		if err := r.add(resolved(item), true); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return nil
}

// field returns the node at a path of keys; nil: there is none.
func field(node *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if node = valueOf(node, key); node == nil {
			return nil
		}
	}
	return node
}

// valueOf returns the value of a key that helm uses: the last one that its YAML reader sets, which merges << at the place where it stands; nil if there is
// none.
func valueOf(node *yaml.Node, key string) *yaml.Node {
	l := lastValue{key: key}
	return l.of(node)
}

type lastValue struct {
	key   string
	known map[*yaml.Node]*yaml.Node // by mappings that are merged: aliases can multiply them, or form a circle
}

func (l *lastValue) of(node *yaml.Node) (last *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolved(node.Content[i]), resolved(node.Content[i+1])
		switch name, _ := scalar(key); { // what cannot be read is no key for helm either
		case name == l.key:
			last = value
		case isMerge(key):
			if merged := l.merged(value); merged != nil {
				last = merged
			}
		}
	}
	return last
}

// merged returns what of returns, for what << merges: a mapping, or several, of which the first that has the key counts.
func (l *lastValue) merged(node *yaml.Node) *yaml.Node {
	if known, is := l.known[node]; is {
		return known
	}
	if l.known == nil {
		l.known = map[*yaml.Node]*yaml.Node{}
	}
	l.known[node] = nil
	found := l.of(node)
	if node.Kind == yaml.SequenceNode {
		for _, mapping := range node.Content {
			if found = l.merged(resolved(mapping)); found != nil {
				break
			}
		}
	}
	l.known[node] = found
	return found
}

func isMerge(key *yaml.Node) bool { return key.Value == "<<" && key.ShortTag() == "!!merge" }

// valuesOf returns all values of a key: there may be more than one.
func valuesOf(node *yaml.Node, key string) []*yaml.Node {
	f := fieldValues{key: key}
	f.addOf(node)
	return f.all
}

// fieldValues collects the values of a key, also those that << merges.
type fieldValues struct {
	key    string
	all    []*yaml.Node
	merged map[*yaml.Node]bool // aliases can multiply mappings, or form a circle
}

func (f *fieldValues) addOf(node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := resolved(node.Content[i]), resolved(node.Content[i+1])
		switch name, _ := scalar(key); { // helm ignores a key that cannot be read, too
		case name == f.key:
			f.all = append(f.all, value)
		case isMerge(key):
			f.merge(value)
		}
	}
}

func (f *fieldValues) merge(node *yaml.Node) {
	if f.merged[node] {
		return
	}
	if f.merged == nil {
		f.merged = map[*yaml.Node]bool{}
	}
	f.merged[node] = true
	if node.Kind != yaml.SequenceNode {
		f.addOf(node)
		return
	}
	for _, mapping := range node.Content {
		if mapping = resolved(mapping); !f.merged[mapping] {
			f.merged[mapping] = true
			f.addOf(mapping)
		}
	}
}

func textOf(node *yaml.Node, path ...string) string {
	found := field(node, path...)
	if found == nil || found.Kind != yaml.ScalarNode || found.Tag == "!!null" {
		return ""
	}
	text, _ := scalar(found) // "" if it cannot be read: the API server says what is wrong with it
	return text
}

func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// check refuses values that would change the path of a request, by the API server's own rule for path segments.
func (o Object) check() error {
	group, version, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		version = group
	}
	for _, part := range []struct{ what, text string }{
		{"apiVersion", group}, {"apiVersion", version}, {"kind", o.Kind}, {"metadata.namespace", o.Namespace}, {"metadata.name", o.Name},
	} {
		if part.text == "" || part.text == "." || part.text == ".." || strings.ContainsAny(part.text, "/%") {
			return fmt.Errorf("its %s cannot be %.80q", part.what, part.text)
		}
	}
	return nil
}
