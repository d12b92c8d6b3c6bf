package merge

import (
	"bytes"
	"fmt"

	yamlnode "go.yaml.in/yaml/v3"

	"octo-operator/bounds"
)

// checkAliases refuses a document that exceeds the bounds when its aliases are written out. The YAML library has a limit too, but counts
// values and not bytes: 400,000 aliases of one long text pass it and would then all be copied.
func (p part) checkAliases() error {
	if bytes.IndexByte(p.text, '&') < 0 || bytes.IndexByte(p.text, '*') < 0 {
		return nil
	}
	var root yamlnode.Node
	if err := yamlnode.Unmarshal(p.text, &root); err != nil {
		return p.explain(err)
	}
	switch written := expand(&root, map[*yamlnode.Node]expansion{}); {
	case written.bytes > bounds.Document:
		return fmt.Errorf("its aliases expand to more than %d bytes", bounds.Document)
	case written.values > bounds.Values:
		return fmt.Errorf("its aliases expand to more than %d values", bounds.Values)
	}
	return nil
}

// expansion is the approximate size of a node with its aliases written out.
type expansion struct{ bytes, values int }

func (e expansion) tooLarge() bool { return e.bytes > bounds.Document || e.values > bounds.Values }

// expand computes the expansion of a node and stops above the bounds. known holds the anchored nodes already counted, which keeps the
// time linear. A node that contains itself counts as 0; the decoder reports it.
func expand(n *yamlnode.Node, known map[*yamlnode.Node]expansion) expansion {
	if n.Kind == yamlnode.AliasNode {
		n = n.Alias
	}
	if e, ok := known[n]; ok {
		return e
	}
	if n.Anchor != "" {
		known[n] = expansion{}
	}
	e := expansion{bytes: len(n.Value) + 1}
	switch n.Kind { // counted as in bounds.Places
	case yamlnode.MappingNode:
		e.values = 1 + len(n.Content)/2
	case yamlnode.SequenceNode:
		e.values = 1 + len(n.Content)
	}
	for _, child := range n.Content {
		below := expand(child, known)
		if e.bytes, e.values = e.bytes+below.bytes, e.values+below.values; e.tooLarge() {
			break
		}
	}
	if n.Anchor != "" {
		known[n] = e
	}
	return e
}
