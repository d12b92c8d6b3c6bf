package kube

import (
	"bytes"
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// WithoutSecrets returns a rendered manifest in which each value in a Secret is replaced by placeholder, and the replaced values (as they
// stand there and decoded), because they may also occur elsewhere in the manifest. An error means that it cannot be told what is secret.
func WithoutSecrets(manifest []byte, placeholder string) (clean []byte, secrets []string, err error) {
	cleaner := manifestCleaner{placeholder: placeholder, seen: map[*yaml.Node]bool{}, hidden: map[*yaml.Node]bool{}}
	if err := eachDocument(manifest, "read", cleaner.clean); err != nil {
		return nil, nil, err // never half a manifest
	}
	return cleaner.written.Bytes(), cleaner.secrets, nil
}

type manifestCleaner struct {
	documentReader
	placeholder string
	written     bytes.Buffer
	secrets     []string
	seen        map[*yaml.Node]bool // objects
	hidden      map[*yaml.Node]bool // nodes already replaced: aliases can multiply nodes, or form a circle
}

// clean writes a document from its parsed nodes, never from its text: only what was parsed is known to hold no secret.
func (c *manifestCleaner) clean(document []byte) error {
	return c.each(document, func(node *yaml.Node) error {
		c.object(node.Content[0])
		text, err := yaml.Marshal(node)
		if err != nil {
			return err
		}
		c.written.WriteString("---\n")
		c.written.Write(text)
		return nil
	})
}

// object replaces the values if the node is a Secret, or a list that has one. A key may occur twice: if one of its values says Secret, it
// is one.
func (c *manifestCleaner) object(node *yaml.Node) {
	if c.seen[node] {
		return
	}
	c.seen[node] = true
	for _, items := range valuesOf(node, "items") {
		for _, listed := range items.Content {
			c.object(resolved(listed))
		}
	}
	secret := false
	for _, kind := range valuesOf(node, "kind") {
		text, _ := scalar(kind)
		secret = secret || strings.EqualFold(text, "Secret")
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

func withoutComments(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		withoutComments(child)
	}
}
