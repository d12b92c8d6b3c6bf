package kube

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxNames is in bytes: ten thousand objects have fewer, and an index of them takes five times as much memory.
const maxNames = 1 << 20

// Names are what a rendered manifest calls its objects, hooks included, their containers, and the images of these: whoever sees a pod sees them. Of
// more than maxNames the rest is left out.
func Names(manifest []byte) ([]string, error) {
	var n nameReader
	n.seen = map[*yaml.Node]bool{}
	err := eachDocument(manifest, "read", func(document []byte) error {
		return n.each(document, func(node *yaml.Node) error {
			n.object(node.Content[0])
			return nil
		})
	})
	return n.names, err
}

type nameReader struct {
	documentReader
	names []string
	size  int                 // bytes
	seen  map[*yaml.Node]bool // aliases can multiply nodes, or form a circle
}

// podSpecs are where objects have the specification of their pods.
var podSpecs = [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}}

func (n *nameReader) object(node *yaml.Node) {
	if n.seen[node] {
		return
	}
	n.seen[node] = true
	if items := field(node, "items"); items != nil {
		for _, item := range items.Content {
			n.object(resolved(item))
		}
	}
	n.add(textOf(node, "metadata", "name"))
	for _, spec := range podSpecs {
		for _, list := range []string{"initContainers", "containers"} {
			containers := field(node, append(slices.Clone(spec), list)...)
			if containers == nil || n.seen[containers] {
				continue
			}
			n.seen[containers] = true
			for _, item := range containers.Content {
				n.add(textOf(resolved(item), "name"))
				n.add(textOf(resolved(item), "image"))
			}
		}
	}
}

func (n *nameReader) add(name string) {
	if n.size += len(name); name != "" && n.size <= maxNames {
		n.names = append(n.names, name)
	}
}
