package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Metadata is what the operator wants to know of an object without its content.
type Metadata struct {
	Name                string
	Labels, Annotations map[string]string
	CreationTimestamp   time.Time
	ManagedFields       []struct{ Time time.Time }
	OwnerReferences     []OwnerReference
}

// What to accept where the content of objects shall stay in the cluster: Helm's Secrets have a megabyte per revision.
const (
	onlyMetadata  = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	onlyMetadatas = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// Metadata lists the metadata of the objects at a path, which may have a query.
func (k *Kubectl) Metadata(ctx context.Context, path string) ([]Metadata, error) {
	objects, err := list[struct{ Metadata Metadata }](ctx, k, request{path: path, accept: onlyMetadatas})
	all := make([]Metadata, len(objects))
	for i, object := range objects {
		all[i] = object.Metadata
	}
	return all, err
}

// list reads all objects of a collection.
func list[T any](ctx context.Context, k *Kubectl, r request) ([]T, error) {
	var answer struct{ Items []T }
	r.method = http.MethodGet
	err := k.do(ctx, r, &answer)
	return answer.Items, err
}

// collection is the path of the objects of a kind, in all namespaces if namespace is empty. api is such as /api/v1.
func collection(api, namespace, resource string) string {
	if namespace == "" {
		return api + "/" + resource
	}
	return api + "/namespaces/" + url.PathEscape(namespace) + "/" + resource
}

// labelled restricts a collection to objects with labels.
func labelled(collection, selector string) string {
	return collection + "?labelSelector=" + url.QueryEscape(selector)
}

const core, apps = "/api/v1", "/apis/apps/v1"

// SecretNames are the names of the secrets in a namespace that have a label.
func (k *Kubectl) SecretNames(ctx context.Context, namespace, label string) (map[string]bool, error) {
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

// Changed is when an object of the core API (resource is such as secrets) was changed last, or made if nobody has changed it.
func (k *Kubectl) Changed(ctx context.Context, namespace, resource, name string) (time.Time, error) {
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

// PatchLabels changes labels of an object of the core API (resource is such as secrets) and leaves the others: nil removes one.
func (k *Kubectl) PatchLabels(ctx context.Context, fieldManager, namespace, resource, name string, labels map[string]*string) error {
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
