package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"octo-operator/bounds"
)

// driftManager is none of those that own fields: what an object has besides what the manifest says stays, and is no difference.
const driftManager = "octo-communication-operator-drift"

// Drift tells in what a release's objects are not what its manifest says, such as "Deployment demo: spec.template differs"; "" if in
// nothing. It lets the API server apply each object without doing it, and compares what would be with what is: so defaults,
// quantities and other spellings of the same are no drift. Neither are counts of replicas, which may be scaled. What the API server
// does not tell (it may not be looked at, a webhook knows no dry run) is taken for the same.
func (k *Kubectl) Drift(ctx context.Context, manifest []byte, namespace string) (string, error) {
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
				text = nil // a list: only whether its items are there can be told
			}
			drift, err := k.driftOf(ctx, o, text)
			if drift != "" || err != nil {
				return drift, err
			}
		}
	}
	return "", nil
}

// driftOf looks a second time before it says that an object differs: its controller may have changed it between the two requests.
func (k *Kubectl) driftOf(ctx context.Context, o Object, text []byte) (drift string, err error) {
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
		k.log.Debug("object not compared: the API server does not tell", "kind", o.Kind, "name", o.Name, "reason", err)
		return "", nil
	}
	if drift != "" {
		drift = fmt.Sprintf("%s %s%s", o.Kind, o.Name, drift)
	}
	return drift, err
}

func (k *Kubectl) compare(ctx context.Context, o Object, path string, text []byte) (drift string, err error) {
	var is, would map[string]any
	err = k.Do(ctx, http.MethodGet, path, nil, &is)
	if NotFound(err) {
		if groupKind(o) == "batch/Job" {
			return "", nil // it has ended: ttlSecondsAfterFinished removes it
		}
		return " is not there", nil
	}
	if err != nil || text == nil {
		return "", err
	}
	query := url.Values{"fieldManager": {driftManager}, "force": {"true"}, "dryRun": {"All"}}
	if err = k.Do(ctx, http.MethodPatch, path+"?"+query.Encode(), Patch{applyPatch, text}, &would); err != nil {
		return "", err
	}
	if field := firstDifference(declared(is), declared(would)); field != "" {
		return ": " + field + " differs", nil
	}
	return "", nil
}

// declared is what a manifest can say of an object.
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

// firstDifference is the path of a field that is not the same, such as spec.template.spec.containers; "" if there is none. Values
// are not told: they may be secret.
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
