package kube

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"octo-operator/bounds"
)

// WithoutSecrets returns a rendered manifest in which each value in a Secret is replaced by placeholder, and the replaced values (as they
// stand there and decoded), because they may also occur elsewhere in the manifest. An error means that it cannot be told what is secret.
func WithoutSecrets(manifest []byte, placeholder string) (clean []byte, secrets []string, err error) {
	if len(manifest) > bounds.Manifest {
		return nil, nil, fmt.Errorf("cannot read the manifest: it has %d bytes, more than %d", len(manifest), bounds.Manifest)
	}
	cleaner := manifestCleaner{placeholder: placeholder, hidden: map[*yaml.Node]bool{}}
	number := 0
	for document := range documents(manifest) {
		number++
		if number > bounds.Objects {
			return nil, nil, fmt.Errorf("cannot read the manifest: it has more than %d documents", bounds.Objects)
		}
		if err := cleaner.clean(document); err != nil {
			return nil, nil, fmt.Errorf("cannot read the manifest: document %d: %w", number, err)
		}
	}
	return cleaner.written.Bytes(), cleaner.secrets, nil
}

type manifestCleaner struct {
	documentReader
	placeholder string
	written     bytes.Buffer
	secrets     []string
	hidden      map[*yaml.Node]bool // nodes already replaced: aliases can multiply nodes, or form a circle
}

// clean writes a document from its parsed nodes, never from its text: only what was parsed is known to hold no secret.
func (c *manifestCleaner) clean(document []byte) error {
	return c.each(document, func(node *yaml.Node) error {
		c.object(node.Content[0])
		for _, item := range valuesOf(node.Content[0], "items") {
			for _, listed := range item.Content {
				c.object(resolved(listed))
			}
		}
		text, err := yaml.Marshal(node)
		if err != nil {
			return err
		}
		c.written.WriteString("---\n")
		c.written.Write(text)
		return nil
	})
}

// object replaces the values if the node is a Secret. A key may occur twice: if one of its values says Secret, it is one.
func (c *manifestCleaner) object(node *yaml.Node) {
	secret := false
	for _, kind := range valuesOf(node, "kind") {
		secret = secret || strings.EqualFold(kind.Value, "Secret")
	}
	if !secret {
		return
	}
	withoutComments(node)
	for _, key := range []string{"data", "stringData"} {
		for _, values := range valuesOf(node, key) {
			c.hide(values)
		}
	}
}

// hide replaces all scalars below a node, also behind aliases. The keys of mappings stay.
func (c *manifestCleaner) hide(node *yaml.Node) {
	node = resolved(node)
	if c.hidden[node] {
		return
	}
	c.hidden[node] = true
	switch node.Kind {
	case yaml.ScalarNode:
		c.secrets = append(c.secrets, node.Value)
		if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), "")); err == nil {
			c.secrets = append(c.secrets, string(plain))
		}
		node.Value, node.Tag, node.Style = c.placeholder, "!!str", 0
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			c.hide(node.Content[i])
		}
	default:
		for _, item := range node.Content {
			c.hide(item)
		}
	}
}

// valuesOf returns all values of a key, which may occur more than once.
func valuesOf(node *yaml.Node, key string) (all []*yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if resolved(node.Content[i]).Value == key {
			all = append(all, resolved(node.Content[i+1]))
		}
	}
	return all
}

func withoutComments(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		withoutComments(child)
	}
}
