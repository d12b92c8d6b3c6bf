package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"octo-operator/bounds"
)

// driftManager is a field manager that owns no fields. A dry run with it keeps fields that the manifest does not mention, so they are no difference.
const driftManager = "octo-communication-operator-drift"

// Drift tells how the objects of a release differ from its manifest, such as "Deployment demo: spec.template differs"; "": they do not.
// namespace is for objects whose manifest names none.
//
// It applies each object in a dry run and compares the result with the object: so defaults, quantities and other spellings of the same
// value are no drift. Replica counts are ignored, because workloads are scaled. An object about which the API server does not answer (the
// operator may not read it, a webhook does not support dry runs) counts as equal.
func (k *Client) Drift(ctx context.Context, manifest []byte, namespace string) (string, error) {
	if len(manifest) > bounds.Manifest {
		return "", fmt.Errorf("cannot read the manifest: it has %d bytes, more than %d", len(manifest), bounds.Manifest)
	}
	for document := range documents(manifest) {
		r := manifestReader{namespace: namespace}
		if err := r.read(document); err != nil {
			return "", fmt.Errorf("cannot read the manifest: %w", err)
		}
		for _, o := range r.objects {
			text := document
			if len(r.objects) > 1 {
				text = nil // the document is a list: only check that its items exist
			}
			drift, err := k.driftOf(ctx, o, text)
			if drift != "" || err != nil {
				return drift, err
			}
		}
	}
	return "", nil
}

// driftOf compares an object twice before it reports a difference: a controller may have changed the object between the two requests of a
// comparison.
func (k *Client) driftOf(ctx context.Context, o Object, text []byte) (drift string, err error) {
	name, found, err := k.resource(ctx, o)
	if err != nil || !found {
		return "", err
	}
	for range 2 {
		if drift, err = k.compare(ctx, o, o.path(name), text); drift == "" {
			break
		}
	}
	if status := (*StatusError)(nil); errors.As(err, &status) {
		k.log.Debug("object not compared: the API server does not answer about it", "kind", o.Kind, "name", o.Name, "reason", err)
		return "", nil
	}
	if drift != "" {
		drift = fmt.Sprintf("%s %s%s", o.Kind, o.Name, drift)
	}
	return drift, err
}

func (k *Client) compare(ctx context.Context, o Object, path string, text []byte) (drift string, err error) {
	var is, would map[string]any
	err = k.Do(ctx, http.MethodGet, path, nil, &is)
	if NotFound(err) {
		if groupKind(o) == "batch/Job" {
			return "", nil // finished, and removed by its ttlSecondsAfterFinished
		}
		return " is not there", nil
	}
	if err != nil || text == nil {
		return "", err
	}
	if err = k.Do(ctx, http.MethodPatch, dryRunPath(path, driftManager), Patch{applyPatch, text}, &would); err != nil {
		return "", err
	}
	if field := firstDifference(declared(is), declared(would)); field != "" {
		return ": " + field + " differs", nil
	}
	return "", nil
}

// declared removes from an object what is no drift: fields that a manifest cannot set, and the number of replicas.
func declared(o map[string]any) map[string]any {
	delete(o, "status")
	if meta, ok := o["metadata"].(map[string]any); ok {
		for _, key := range []string{"managedFields", "resourceVersion", "generation"} {
			delete(meta, key)
		}
	}
	if spec, ok := o["spec"].(map[string]any); ok {
		delete(spec, "replicas")
	}
	return o
}

// firstDifference returns the path of the first field that differs, such as spec.template.spec.containers; "": none does. It returns no
// values: they may be secret.
func firstDifference(a, b map[string]any) string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if reflect.DeepEqual(a[key], b[key]) {
			continue
		}
		inA, isMapA := a[key].(map[string]any)
		inB, isMapB := b[key].(map[string]any)
		if isMapA && isMapB {
			return key + "." + firstDifference(inA, inB)
		}
		return key
	}
	return ""
}
