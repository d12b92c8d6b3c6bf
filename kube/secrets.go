package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Secret is a Secret with its decoded content. Type is such as "Opaque".
type Secret struct {
	Namespace, Name     string
	Labels, Annotations map[string]string
	Type                string
	Data                map[string][]byte
	Owners              []OwnerReference
}

// Secret returns a Secret; nil without an error: it does not exist.
func (k *Client) Secret(ctx context.Context, namespace, name string) (*Secret, error) {
	var found struct {
		Metadata Metadata
		Type     string
		Data     map[string][]byte
	}
	err := k.Do(ctx, http.MethodGet, secretPath(namespace, name), nil, &found)
	if NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read secret %s in namespace %s: %w", name, namespace, err)
	}
	return &Secret{namespace, name, found.Metadata.Labels, found.Metadata.Annotations, found.Type, found.Data, found.Metadata.OwnerReferences}, nil
}

// PutSecret creates the Secret, or replaces an existing one whoever has made it.
func (k *Client) PutSecret(ctx context.Context, fieldManager string, s Secret) error {
	metadata := map[string]any{"name": s.Name, "namespace": s.Namespace, "labels": s.Labels, "annotations": s.Annotations}
	if len(s.Owners) > 0 {
		metadata["ownerReferences"] = s.Owners
	}
	object := map[string]any{"apiVersion": "v1", "kind": "Secret", "type": s.Type, "data": s.Data, "metadata": metadata}
	err := k.Do(ctx, http.MethodPost, collection(core, s.Namespace, "secrets")+managedBy(fieldManager), object, nil)
	if Conflict(err) {
		err = k.Do(ctx, http.MethodPut, secretPath(s.Namespace, s.Name)+managedBy(fieldManager), object, nil)
	}
	if err != nil {
		return fmt.Errorf("cannot write secret %s in namespace %s: %w", s.Name, s.Namespace, err)
	}
	return nil
}

// RemoveAnnotation removes an annotation from a Secret. It is no error if the Secret does not exist.
func (k *Client) RemoveAnnotation(ctx context.Context, fieldManager, namespace, secret, annotation string) error {
	patch := map[string]any{"metadata": map[string]any{"annotations": map[string]any{annotation: nil}}}
	err := k.Do(ctx, http.MethodPatch, secretPath(namespace, secret)+managedBy(fieldManager), Patch{MergePatch, patch}, nil)
	if err != nil && !NotFound(err) {
		return fmt.Errorf("cannot remove the annotation %s of secret %s in namespace %s: %w", annotation, secret, namespace, err)
	}
	return nil
}

// DeleteSecret deletes a Secret. It is no error if the Secret does not exist.
func (k *Client) DeleteSecret(ctx context.Context, namespace, name string) error {
	if err := k.Do(ctx, http.MethodDelete, secretPath(namespace, name), nil, nil); err != nil && !NotFound(err) {
		return fmt.Errorf("cannot delete secret %s in namespace %s: %w", name, namespace, err)
	}
	return nil
}

func secretPath(namespace, name string) string {
	return collection(core, namespace, "secrets") + "/" + url.PathEscape(name)
}

func managedBy(fieldManager string) string {
	return "?" + url.Values{"fieldManager": {fieldManager}}.Encode()
}

// Workload is a Deployment, StatefulSet or DaemonSet, as far as it decides which pods there are and when they are replaced.
type Workload struct {
	// Template is the pod template as the API server has it.
	Template json.RawMessage
	// Asleep: the desired number of replicas is 0.
	Asleep bool
	// Manual: a changed template does not replace pods by itself, because the Deployment is paused or the update strategy is OnDelete.
	Manual bool
}

// Workload returns the object if it is a Deployment, StatefulSet or DaemonSet. nil without an error: it is another kind, does not exist,
// or the operator's role does not allow to read it, in which case helm cannot have made it with that role either.
func (k *Client) Workload(ctx context.Context, o Object) (*Workload, error) {
	switch groupKind(o) {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet":
	default:
		return nil, nil
	}
	var found struct {
		Spec struct {
			Replicas       *int
			Paused         bool
			UpdateStrategy struct{ Type string }
			Template       json.RawMessage
		}
	}
	err := k.Do(ctx, http.MethodGet, o.path(builtIn[groupKind(o)]), nil, &found)
	switch {
	case NotFound(err):
		return nil, nil
	case forbidden(err):
		k.log.Debug("not looked at: the operator's role does not allow it", "what", o.String(), "reason", err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read %s in namespace %s: %w", o, o.Namespace, err)
	}
	spec := found.Spec
	return &Workload{
		Template: spec.Template,
		Asleep:   spec.Replicas != nil && *spec.Replicas == 0,
		Manual:   spec.Paused || spec.UpdateStrategy.Type == "OnDelete",
	}, nil
}
