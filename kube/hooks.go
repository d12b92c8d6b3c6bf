package kube

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Hook is an object that helm makes beside a release, such as a Job before an upgrade.
type Hook struct {
	Object
	Events []string // when, such as "pre-upgrade"
}

// Hooks returns the hooks in the output of helm template. The error says which document cannot be read.
func Hooks(manifest []byte, namespace string) (hooks []Hook, err error) {
	var reader documentReader
	err = eachDocument(manifest, "read", func(document []byte) error {
		return reader.each(document, func(node *yaml.Node) error {
			object := node.Content[0]
			events := textOf(object, "metadata", "annotations", "helm.sh/hook")
			if events == "" {
				return nil
			}
			hook := Hook{Object: Object{
				APIVersion: textOf(object, "apiVersion"), Kind: textOf(object, "kind"), Namespace: namespace, Name: textOf(object, "metadata", "name"),
			}}
			for event := range strings.SplitSeq(events, ",") {
				hook.Events = append(hook.Events, strings.TrimSpace(event))
			}
			hooks = append(hooks, hook)
			return nil
		})
	})
	return hooks, err
}

// Runs returns the events at which helm runs the hook in an action such as "upgrade"; nil: it does not run.
func (h Hook) Runs(action string) (at []string) {
	return slices.DeleteFunc(slices.Clone(h.Events), func(event string) bool { return event != "pre-"+action && event != "post-"+action })
}
