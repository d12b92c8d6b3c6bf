package kube

import (
	"bytes"
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// WithoutSecrets returns a rendered manifest in which placeholder replaces each value of a Secret. It also returns the replaced values, as SecretValues
// does. They may occur in other places too: elsewhere is called with the values outside of Secrets, and returns what replaces each. An error means that
// it is not known what is secret.
func WithoutSecrets(manifest []byte, placeholder string, elsewhere func(value string) string) (clean []byte, secrets []string, err error) {
	cleaner := newManifestCleaner(placeholder, elsewhere)
	if err := eachDocument(manifest, "read", cleaner.clean); err != nil {
		return nil, nil, err // never half a manifest
	}
	return cleaner.written.Bytes(), cleaner.secrets, nil
}

// SecretValues returns the values of the Secrets in a rendered manifest, hooks included: decoded, and as they stand there unless that is the base64 of
// the decoded value.
func SecretValues(manifest []byte) ([]string, error) {
	cleaner := newManifestCleaner("", nil)
	err := eachDocument(manifest, "read", func(document []byte) error {
		return cleaner.each(document, func(node *yaml.Node) error {
			cleaner.object(node.Content[0])
			return nil
		})
	})
	return cleaner.secrets, err
}

type manifestCleaner struct {
	documentReader
	placeholder string
	elsewhere   func(string) string
	written     bytes.Buffer
	secrets     []string
	seen        map[*yaml.Node]bool // objects
	hidden      map[*yaml.Node]bool // nodes already replaced or looked at: aliases can multiply nodes, or form a circle
}

func newManifestCleaner(placeholder string, elsewhere func(string) string) *manifestCleaner {
	return &manifestCleaner{placeholder: placeholder, elsewhere: elsewhere, seen: map[*yaml.Node]bool{}, hidden: map[*yaml.Node]bool{}}
}

// clean writes a document from its parsed nodes, never from its text: only what was parsed is known to hold no secret.
func (c *manifestCleaner) clean(document []byte) error {
	return c.each(document, func(node *yaml.Node) error {
		c.object(node.Content[0])
		c.others(node.Content[0], "")
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
			c.hide(values, key == "data")
		}
	}
}

// hide replaces all scalars below a node, also behind aliases. The keys of mappings stay. encoded: the values are base64, of which who knows the plain
// value knows the usual form too; a keystore of a MiB would count twice.
func (c *manifestCleaner) hide(node *yaml.Node, encoded bool) {
	node = resolved(node)
	if c.hidden[node] {
		return
	}
	c.hidden[node] = true
	switch node.Kind {
	case yaml.ScalarNode:
		plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), ""))
		if err == nil {
			c.secrets = append(c.secrets, string(plain))
		}
		if err != nil || !encoded || base64.StdEncoding.EncodeToString(plain) != node.Value {
			c.secrets = append(c.secrets, node.Value)
		}
		node.Value, node.Tag, node.Style = c.placeholder, "!!str", 0
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			c.hide(node.Content[i], encoded)
		}
	default:
		for _, item := range node.Content {
			c.hide(item, encoded)
		}
	}
}

// others calls other for the values outside of Secrets' data, except those that identify an object. path is where the node stands: "", "metadata", or
// "…" for all other places.
func (c *manifestCleaner) others(node *yaml.Node, path string) {
	node = resolved(node)
	if c.hidden[node] {
		return
	}
	c.hidden[node] = true
	switch node.Kind {
	case yaml.ScalarNode:
		c.other(node)
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			switch key := resolved(node.Content[i-1]).Value; {
			case path == "" && (key == "apiVersion" || key == "kind"), path == "metadata" && (key == "name" || key == "namespace"):
			case path == "" && key == "metadata":
				c.others(node.Content[i], key)
			default:
				c.others(node.Content[i], "…")
			}
		}
	default:
		for _, item := range node.Content {
			c.others(item, "…")
		}
	}
}

// shortestNumber is in digits: a number of replicas is no secret, but a port or a code may be one.
const shortestNumber = 4

// other replaces a value by what elsewhere returns. null, booleans and short numbers stay.
func (c *manifestCleaner) other(node *yaml.Node) {
	switch tag := node.ShortTag(); {
	case tag == "!!null" || tag == "!!bool" || tag != "!!str" && len(node.Value) < shortestNumber:
		return
	}
	if shown := c.elsewhere(node.Value); shown != node.Value {
		node.Value, node.Tag = shown, "!!str"
	}
}

func withoutComments(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		withoutComments(child)
	}
}
