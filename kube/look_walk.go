package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// manifestCheck walks through the nodes of a manifest and checks each by the rules.
type manifestCheck struct {
	documentReader
	rules Rules
	seen  map[visit]bool // a node is checked once per kind of place: aliases can multiply nodes, or form a circle
	steps int            // keys compared so far: aliases can multiply these too
}

// maxSteps is far more than the longest manifest without aliases needs, and takes less than a second.
const maxSteps = 20_000_000

type visit struct {
	node  *yaml.Node
	place place
}

// place says where a value stands, as far as the rules depend on it.
type place struct {
	inSecret  bool // anywhere below a key with "secret" in its name, such as secretKeyRef
	inAccount bool // directly below serviceAccount or serviceAccountName
}

// value checks a node and all that is in it. object is the name of the object it belongs to, for errors.
func (l *manifestCheck) value(node *yaml.Node, at place, object string) error {
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

func (l *manifestCheck) mapping(node *yaml.Node, at place, object string) error {
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
		if key == "<<" { // the merged fields stand at this place, not one level below
			below = at
		}
		if err := l.value(node.Content[i+1], below, object); err != nil {
			return err
		}
	}
	return nil
}

func (l *manifestCheck) scalar(node *yaml.Node, at place, object string) error {
	text, err := scalar(node)
	if err != nil {
		return err
	}
	return l.text(text, at, object)
}

// scalar returns a scalar's text as helm and kubectl read it: a !!binary is decoded.
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

// all returns every value of a key: the key may be there twice, or be merged in with <<, and YAML readers disagree on which value counts.
func (l *manifestCheck) all(node *yaml.Node, key string) (values []*yaml.Node) {
	merged := map[*yaml.Node]bool{}
	for next := []*yaml.Node{node}; len(next) > 0 && l.steps <= maxSteps; {
		node, next = resolved(next[0]), next[1:]
		if merged[node] {
			continue
		}
		merged[node] = true
		if node.Kind == yaml.SequenceNode && len(merged) > 1 { // << may list several mappings
			next = append(next, node.Content...)
		}
		if node.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			l.steps++
			switch name, _ := scalar(resolved(node.Content[i])); name { // a key that cannot be read is an error in value
			case key:
				values = append(values, resolved(node.Content[i+1]))
			case "<<":
				next = append(next, node.Content[i+1])
			}
		}
	}
	return values
}

// texts returns all strings at a path of keys.
func (l *manifestCheck) texts(node *yaml.Node, path ...string) (found []string) {
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

// describe returns an object's kind and name, for errors.
func (l *manifestCheck) describe(node *yaml.Node) string {
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
