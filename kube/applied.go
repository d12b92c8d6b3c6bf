package kube

import (
	"bytes"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// Applied leaves out of what helm template has printed what helm does not apply as a part of the release: hooks, and what lies in a
// chart's crds/, which is made once.
func Applied(manifest []byte) ([]byte, error) {
	var kept bytes.Buffer
	var reader documentReader
	crds := false
	for document := range documents(manifest) {
		if source := sourceComment.FindSubmatch(document); source != nil { // only the first document of a file has it
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
