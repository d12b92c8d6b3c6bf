package kube

import (
	"bytes"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// Applied returns those documents of helm template's output that helm applies as the release. It leaves out hooks, and what comes from a
// chart's crds/ directory, which helm creates once and does not manage. The error says which document cannot be read.
func Applied(manifest []byte) ([]byte, error) {
	var kept bytes.Buffer
	var reader documentReader
	crds := false
	for document := range documents(manifest) {
		if source := sourceComment.FindSubmatch(document); source != nil { // stands only in the first document of each file
			crds = bytes.Contains(source[1], []byte("/crds/"))
		}
		hook := false
		err := reader.each(document, func(node *yaml.Node) error {
			hook = hook || field(node.Content[0], "metadata", "annotations", "helm.sh/hook") != nil
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !crds && !hook {
			kept.WriteString("---")
			kept.Write(document)
			if !bytes.HasSuffix(document, []byte("\n")) {
				kept.WriteByte('\n')
			}
		}
	}
	return kept.Bytes(), nil
}

var sourceComment = regexp.MustCompile(`(?m)^# Source: ([^\n]*)$`)
