package kube

import (
	"bytes"
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// WithoutSecrets returns a rendered manifest with a placeholder for each value in its Secrets, and those values: they may stand elsewhere
// in it too. It reads what Objects reads; an error means that nobody can tell what in it is secret.
func WithoutSecrets(manifest []byte, placeholder string) (clean []byte, secrets []string, err error) {
	cleaner := manifestCleaner{placeholder: placeholder, hidden: map[*yaml.Node]bool{}}
	err = eachDocument(manifest, "read", cleaner.clean)
	return cleaner.written.Bytes(), cleaner.secrets, err
}

type manifestCleaner struct {
	documentReader
	placeholder string
	written     bytes.Buffer
	secrets     []string
	hidden      map[*yaml.Node]bool // each once: aliases can make a small document a large one, or lead in a circle
}

// clean writes a document. It is never copied: only what has been read is known to be no Secret.
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

// object takes the values out of a Secret. A key may be there twice: what any of them says counts.
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

// hide replaces all that is in a node, an alias' target too. Only the names of what is in it stay.
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
