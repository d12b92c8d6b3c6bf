package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Metadata is the part of an object's metadata that the operator uses.
type Metadata struct {
	Name                string
	Labels, Annotations map[string]string
	CreationTimestamp   time.Time
	ManagedFields       []struct{ Time time.Time }
	OwnerReferences     []OwnerReference
}

// Media types for requests that need no content of the objects: each revision in Helm's Secrets has up to a megabyte.
const (
	onlyMetadata  = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	onlyMetadatas = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// Metadata returns the metadata of the objects at a path, which may have a query.
func (k *Client) Metadata(ctx context.Context, path string) ([]Metadata, error) {
	objects, err := list[struct{ Metadata Metadata }](ctx, k, request{path: path, accept: onlyMetadatas})
	all := make([]Metadata, len(objects))
	for i, object := range objects {
		all[i] = object.Metadata
	}
	return all, err
}

// list returns all objects of a collection.
func list[T any](ctx context.Context, k *Client, r request) ([]T, error) {
	var answer struct{ Items []T }
	r.method = http.MethodGet
	err := k.do(ctx, r, &answer)
	return answer.Items, err
}

// collection returns the path of a resource's objects in a namespace (empty: in all namespaces). api is such as /api/v1.
func collection(api, namespace, resource string) string {
	if namespace == "" {
		return api + "/" + resource
	}
	return api + "/namespaces/" + url.PathEscape(namespace) + "/" + resource
}

// labelled restricts a collection to the objects that match a label selector.
func labelled(collection, selector string) string {
	return collection + "?labelSelector=" + url.QueryEscape(selector)
}

const core, apps = "/api/v1", "/apis/apps/v1"

// SecretNames returns the names of the Secrets in a namespace that match a label selector.
func (k *Client) SecretNames(ctx context.Context, namespace, label string) (map[string]bool, error) {
	secrets, err := k.Metadata(ctx, labelled(collection(core, namespace, "secrets"), label))
	if err != nil {
		return nil, fmt.Errorf("cannot list the secrets in namespace %s: %w", namespace, err)
	}
	names := map[string]bool{}
	for _, secret := range secrets {
		names[secret.Name] = true
	}
	return names, nil
}

// Changed returns when an object of the core API was changed last, or created if nobody has changed it. resource is such as "secrets".
func (k *Client) Changed(ctx context.Context, namespace, resource, name string) (time.Time, error) {
	object, err := k.Object(ctx, collection(core, namespace, resource)+"/"+url.PathEscape(name))
	return object.changed(), err
}

func (m Metadata) changed() time.Time {
	last := m.CreationTimestamp
	for _, field := range m.ManagedFields {
		if field.Time.After(last) {
			last = field.Time
		}
	}
	return last
}

// PatchLabels sets labels of an object of the core API and leaves its other labels alone; a nil value removes a label. resource is such
// as "secrets".
func (k *Client) PatchLabels(ctx context.Context, fieldManager, namespace, resource, name string, labels map[string]*string) error {
	path := collection(core, namespace, resource) + "/" + url.PathEscape(name) + managedBy(fieldManager)
	err := k.do(ctx, request{
		method: http.MethodPatch, path: path, accept: onlyMetadata,
		body: Patch{MergePatch, map[string]any{"metadata": map[string]any{"labels": labels}}},
	}, nil)
	if err != nil {
		return fmt.Errorf("cannot label %s %s in namespace %s: %w", resource, name, namespace, err)
	}
	return nil
}
