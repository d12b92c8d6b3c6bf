package merge

import (
	"bytes"
	"fmt"

	yamlnode "go.yaml.in/yaml/v3"
)

// checkAliases refuses a document that grows beyond MaxDocument when its aliases are written out. The YAML library has
// a limit too, but counts values, not bytes: 400,000 aliases of one long text pass it and would then be copied out.
func (p part) checkAliases() error {
	if bytes.IndexByte(p.text, '&') < 0 || bytes.IndexByte(p.text, '*') < 0 {
		return nil
	}
	var root yamlnode.Node
	if err := yamlnode.Unmarshal(p.text, &root); err != nil {
		return p.explain(err)
	}
	if size := expandedSize(&root, map[*yamlnode.Node]int{}); size > MaxDocument {
		return fmt.Errorf("its aliases expand to more than %d bytes", MaxDocument)
	}
	return nil
}

// expandedSize estimates the bytes of a node with its aliases written out. It stops counting above MaxDocument. known
// holds the sizes of anchored nodes, which keeps this linear in the text; a node that contains itself counts 0 there,
// the decoder reports it.
func expandedSize(n *yamlnode.Node, known map[*yamlnode.Node]int) int {
	if n.Kind == yamlnode.AliasNode {
		n = n.Alias
	}
	if size, ok := known[n]; ok {
		return size
	}
	if n.Anchor != "" {
		known[n] = 0
	}
	size := len(n.Value) + 1
	for _, child := range n.Content {
		if size += expandedSize(child, known); size > MaxDocument {
			size = MaxDocument + 1
			break
		}
	}
	if n.Anchor != "" {
		known[n] = size
	}
	return size
}
