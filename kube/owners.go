package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// strategicPatch is the type of a Patch whose lists are merged by a key. The API server supports it only for its built-in kinds.
const strategicPatch = "application/strategic-merge-patch+json"

// OwnerReference makes the cluster delete an object together with its owner, which must be in the same namespace.
type OwnerReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// Owner returns the reference that makes a pool's resource an owner: not the controlling one, and without delaying its own deletion.
func (p Pool) Owner() OwnerReference {
	return OwnerReference{p.APIVersion, p.Kind, p.Name, p.UID}
}

// SetOwner adds an owner to a release's Deployments and to a Secret, as far as they exist, and returns the number of Deployments.
// namespace must be the owner's: the cluster deletes an object at once whose owner is not in its own namespace.
func (k *Client) SetOwner(ctx context.Context, fieldManager, namespace, release, secret string, owner OwnerReference) (deployments int, err error) {
	found, err := list[live](ctx, k, request{path: labelled(collection(apps, namespace, "deployments"), instance+release)})
	if err != nil {
		return 0, fmt.Errorf("cannot look up the Deployments of release %s: %w", release, err)
	}
	errs := []error{k.setOwner(ctx, fieldManager, secretPath(namespace, secret), owner)}
	for _, deployment := range found {
		path := collection(apps, namespace, "deployments") + "/" + url.PathEscape(deployment.Metadata.Name)
		errs = append(errs, k.setOwner(ctx, fieldManager, path, owner))
	}
	return len(found), errors.Join(errs...)
}

func (k *Client) setOwner(ctx context.Context, fieldManager, path string, owner OwnerReference) error {
	patch := map[string]any{"metadata": map[string]any{"ownerReferences": []OwnerReference{owner}}}
	err := k.Do(ctx, http.MethodPatch, path+managedBy(fieldManager), Patch{strategicPatch, patch}, nil)
	if err != nil && !NotFound(err) {
		return fmt.Errorf("cannot set the owner of %s: %w", path, err)
	}
	return nil
}
