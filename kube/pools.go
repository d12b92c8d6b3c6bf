package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// PoolKind is one of the two kinds of custom resources for pools.
type PoolKind struct {
	Resource   string // PLURAL.GROUP, as kubectl takes it
	Kind       string
	APIVersion string
}

// The kinds of pool resources. G4 calls a pool a deployment site.
var (
	CommunicationPool = PoolKind{"communicationpools.octo-mesh.meshmakers.io", "CommunicationPool", "octo-mesh.meshmakers.io/v1alpha1"}
	DeploymentSite    = PoolKind{"deploymentsites.octo-mesh.meshmakers.io", "DeploymentSite", "octo-mesh.meshmakers.io/v1"}
)

// PoolKinds returns the kinds that the cluster has and the operator's role allows to list in the namespace (empty: all namespaces).
func (k *Client) PoolKinds(ctx context.Context, namespace string) (kinds []PoolKind, err error) {
	for _, kind := range []PoolKind{CommunicationPool, DeploymentSite} {
		err := k.Do(ctx, http.MethodGet, kind.path(namespace)+"?limit=1", nil, nil)
		switch {
		case err == nil:
			kinds = append(kinds, kind)
		case !NotFound(err) && !forbidden(err):
			return nil, fmt.Errorf("cannot find out whether the cluster has %s: %w", kind.Resource, err)
		}
	}
	return kinds, nil
}

// path returns the path of the kind's resources in a namespace (empty: in all).
func (kind PoolKind) path(namespace string) string {
	plural, _, _ := strings.Cut(kind.Resource, ".")
	return collection("/apis/"+kind.APIVersion, namespace, plural)
}

// Pool is a pool's custom resource. Of its three identities only that of its kind and generation is set.
type Pool struct {
	PoolKind
	Namespace, Name, UID, ResourceVersion            string
	TenantID, PoolName, PoolRtID, DeploymentSiteRtID string
	Status                                           string // communicationStatus
	// Deleting: somebody has deleted the resource. It disappears when it has no finalizers any more; a deletion cannot be undone.
	Deleting   bool
	Finalizers []string
}

// resource is a Pool in the API server's JSON.
type resource struct {
	Metadata struct {
		Namespace, Name, UID, ResourceVersion string
		DeletionTimestamp                     *time.Time
		Finalizers                            []string
	}
	Spec   struct{ TenantID, PoolName, PoolRtID, DeploymentSiteRtID string }
	Status struct{ CommunicationStatus string }
}

func (r resource) pool(kind PoolKind) Pool {
	m := r.Metadata
	return Pool{
		PoolKind: kind, Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		TenantID: r.Spec.TenantID, PoolName: r.Spec.PoolName, PoolRtID: r.Spec.PoolRtID,
		DeploymentSiteRtID: r.Spec.DeploymentSiteRtID, Status: r.Status.CommunicationStatus,
		Deleting: m.DeletionTimestamp != nil, Finalizers: m.Finalizers,
	}
}

func (p Pool) path() string { return p.PoolKind.path(p.Namespace) + "/" + url.PathEscape(p.Name) }

// Pool returns a pool's resource; nil without an error: it does not exist, or the cluster does not have the kind.
func (k *Client) Pool(ctx context.Context, kind PoolKind, namespace, name string) (*Pool, error) {
	var found resource
	err := k.Do(ctx, http.MethodGet, Pool{PoolKind: kind, Namespace: namespace, Name: name}.path(), nil, &found)
	if NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %s in namespace %s: %w", kind.Kind, name, namespace, err)
	}
	p := found.pool(kind)
	return &p, nil
}

// RemoveFinalizers removes the given finalizers from a pool's resource and leaves others. The error is a Conflict if the resource has
// changed since p was read, because somebody may have added a finalizer. A resource that does not exist is no error.
func (k *Client) RemoveFinalizers(ctx context.Context, fieldManager string, p Pool, finalizers []string) error {
	kept := slices.DeleteFunc(slices.Clone(p.Finalizers), func(f string) bool { return slices.Contains(finalizers, f) })
	metadata := map[string]any{"resourceVersion": p.ResourceVersion, "uid": p.UID, "finalizers": append([]string{}, kept...)}
	err := k.Do(ctx, http.MethodPatch, p.path()+managedBy(fieldManager), Patch{MergePatch, map[string]any{"metadata": metadata}}, nil)
	if err != nil && !NotFound(err) {
		return fmt.Errorf("cannot remove finalizers of %s %s in namespace %s: %w", p.Kind, p.Name, p.Namespace, err)
	}
	return nil
}

// PoolFields returns the names of the spec's fields in the cluster's CustomResourceDefinition of a kind. nil without an error: the
// cluster does not have the kind, or does not say.
func (k *Client) PoolFields(ctx context.Context, kind PoolKind) (map[string]bool, error) {
	// It reads the published OpenAPI schema, which everybody may read, and not the definition, for which the operator's role has no right.
	var published struct {
		Components struct {
			Schemas map[string]struct {
				Properties struct {
					Spec struct{ Properties map[string]any }
				}
				Kinds []struct{ Kind string } `json:"x-kubernetes-group-version-kind"`
			}
		}
	}
	err := k.Do(ctx, http.MethodGet, "/openapi/v3/apis/"+kind.APIVersion, nil, &published)
	if NotFound(err) || Denied(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find out which fields %s has: %w", kind.Resource, err)
	}
	for _, schema := range published.Components.Schemas {
		if len(schema.Kinds) == 1 && schema.Kinds[0].Kind == kind.Kind {
			fields := map[string]bool{}
			for name := range schema.Properties.Spec.Properties {
				fields[name] = true
			}
			return fields, nil
		}
	}
	return nil, nil
}

// maxFailures bounds how many pools an error names: hundreds may fail for the same reason.
const maxFailures = 5

// WritePoolStatus writes the status (communicationStatus) of each pool. A pool that fails does not stop the others, and one that no
// longer exists is skipped. It stops early when the API server is unreachable.
func (k *Client) WritePoolStatus(ctx context.Context, fieldManager string, pools []Pool) error {
	var failures []error
	for _, p := range pools {
		err := k.applyStatus(ctx, fieldManager, p)
		if err != nil && !NotFound(err) {
			failures = append(failures, fmt.Errorf("cannot write the status of pool %s in namespace %s: %w", p.Name, p.Namespace, err))
		}
		if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			break
		}
	}
	if more := len(failures) - maxFailures; more > 0 {
		failures = append(failures[:maxFailures], fmt.Errorf("and %d more", more))
	}
	return errors.Join(failures...)
}

func (k *Client) applyStatus(ctx context.Context, fieldManager string, p Pool) error {
	path := p.path() + "/status?" + url.Values{"fieldManager": {fieldManager}, "force": {"true"}}.Encode()
	return k.Do(ctx, http.MethodPatch, path, Patch{applyPatch, map[string]any{
		"apiVersion": p.APIVersion, "kind": p.Kind,
		"metadata": map[string]string{"name": p.Name, "namespace": p.Namespace},
		"status":   map[string]string{"communicationStatus": p.Status},
	}}, nil)
}
