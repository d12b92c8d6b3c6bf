package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// manifestLook is a walk through the nodes of a manifest.
type manifestLook struct {
	documentReader
	rules Rules
	seen  map[visit]bool // each once in each kind of place: aliases can make a small document a large one, or lead in a circle
	steps int            // keys that were compared: aliases can multiply them too
}

// maxSteps is far beyond what the longest manifest takes without aliases, and below a second.
const maxSteps = 20_000_000

type visit struct {
	node  *yaml.Node
	place place
}

// place is what is known of where a value stands.
type place struct {
	inSecret  bool // somewhere below a key that speaks of a Secret, as secretKeyRef
	inAccount bool // below serviceAccount or serviceAccountName
}

// value looks at a node, of the named object.
func (l *manifestLook) value(node *yaml.Node, at place, object string) error {
	node = resolved(node)
	if node.Kind == yaml.ScalarNode {
		return l.scalar(node, at, object)
	}
	this := visit{node, at}
	if l.seen[this] {
		return nil
	}
	l.seen[this] = true
	if node.Kind == yaml.MappingNode {
		return l.mapping(node, at, object)
	}
	for _, item := range node.Content {
		if err := l.value(item, at, object); err != nil {
			return err
		}
	}
	return nil
}

func (l *manifestLook) mapping(node *yaml.Node, at place, object string) error {
	if kinds := l.texts(node, "kind"); len(kinds) > 0 && len(l.all(node, "metadata")) > 0 {
		object = l.describe(node)
		if err := l.object(node, kinds, object); err != nil {
			return err
		}
	}
	if err := l.labels(node, object); err != nil {
		return err
	}
	if l.steps > maxSteps {
		return errors.New("its aliases make it too large to read")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if err := l.value(node.Content[i], place{}, object); err != nil {
			return err
		}
		key, _ := scalar(resolved(node.Content[i]))
		below := place{
			inSecret:  at.inSecret || strings.Contains(strings.ToLower(key), "secret"),
			inAccount: strings.HasPrefix(key, "serviceAccount"),
		}
		if key == "<<" { // what is merged in stands here
			below = at
		}
		if err := l.value(node.Content[i+1], below, object); err != nil {
			return err
		}
	}
	return nil
}

func (l *manifestLook) scalar(node *yaml.Node, at place, object string) error {
	text, err := scalar(node)
	if err != nil {
		return err
	}
	return l.text(text, at, object)
}

// scalar is a scalar's text as helm and kubectl read it.
func scalar(node *yaml.Node) (string, error) {
	if node.ShortTag() != "!!binary" {
		return node.Value, nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), ""))
	if err != nil {
		return "", fmt.Errorf("line %d: a !!binary that is no base64", node.Line)
	}
	return string(text), nil
}

// all are the values of a key: there may be several, and some may be merged in with <<. Which one counts, readers disagree on.
func (l *manifestLook) all(node *yaml.Node, key string) (values []*yaml.Node) {
	merged := map[*yaml.Node]bool{}
	for next := []*yaml.Node{node}; len(next) > 0 && l.steps <= maxSteps; {
		node, next = resolved(next[0]), next[1:]
		if merged[node] {
			continue
		}
		merged[node] = true
		if node.Kind == yaml.SequenceNode && len(merged) > 1 { // << takes several
			next = append(next, node.Content...)
		}
		if node.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			l.steps++
			switch name, _ := scalar(resolved(node.Content[i])); name { // of what cannot be read, scalar tells
			case key:
				values = append(values, resolved(node.Content[i+1]))
			case "<<":
				next = append(next, node.Content[i+1])
			}
		}
	}
	return values
}

// texts are all strings at a path of keys.
func (l *manifestLook) texts(node *yaml.Node, path ...string) (found []string) {
	nodes := []*yaml.Node{node}
	for _, key := range path {
		var next []*yaml.Node
		for _, n := range nodes {
			next = append(next, l.all(n, key)...)
		}
		nodes = next
	}
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			continue
		}
		if text, err := scalar(n); err == nil {
			found = append(found, text)
		}
	}
	return found
}

// describe names an object for a person.
func (l *manifestLook) describe(node *yaml.Node) string {
	last := func(paths ...[]string) string {
		for _, path := range paths {
			if texts := l.texts(node, path...); len(texts) > 0 {
				return texts[len(texts)-1]
			}
		}
		return "without a name"
	}
	return fmt.Sprintf("%.100s %.253s", last([]string{"kind"}), last([]string{"metadata", "name"}, []string{"metadata", "generateName"}))
}
