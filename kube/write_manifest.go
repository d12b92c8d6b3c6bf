package kube

import (
	"fmt"
	"maps"

	"sigs.k8s.io/yaml"
)

// Manifest returns a Kubernetes object as YAML. annotations may be nil; content has the fields besides metadata.
func Manifest(apiVersion, kind, name, namespace string, labels, annotations map[string]string, content map[string]any) ([]byte, error) {
	metadata := map[string]any{"name": name, "namespace": namespace, "labels": labels}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	object := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	maps.Copy(object, content)
	text, err := yaml.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s %s: %w", kind, name, err)
	}
	return text, nil
}

// SecretManifest returns a Secret as YAML. It writes data, not stringData: with server-side apply a key that is left out of data is removed.
func SecretManifest(name, namespace string, labels, annotations map[string]string, values map[string]string) ([]byte, error) {
	data := map[string][]byte{} // base64 in YAML
	for key, value := range values {
		data[key] = []byte(value)
	}
	return Manifest("v1", "Secret", name, namespace, labels, annotations, map[string]any{"type": "Opaque", "data": data})
}
