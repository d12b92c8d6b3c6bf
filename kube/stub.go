package kube

import (
	"context"
	"time"
)

type Object struct{ APIVersion, Kind, Namespace, Name string }

func Objects(manifest []byte, namespace string) ([]Object, error) { return nil, nil }

type Rollout struct {
	Ready    bool
	Waiting  []string
	Findings []string
	Hopeless string
}

func (k *Kubectl) Rollout(ctx context.Context, objects []Object, since time.Time) (Rollout, error) {
	return Rollout{Ready: true}, nil
}

func (k *Kubectl) HookFindings(ctx context.Context, namespace, release string, since time.Time) ([]string, error) {
	return nil, nil
}

func (k *Kubectl) PatchLabels(ctx context.Context, namespace, resource, name string, labels map[string]*string) error {
	return k.Do(ctx, "PATCH", "/api/v1/namespaces/"+namespace+"/"+resource+"/"+name, Patch{"application/merge-patch+json", map[string]any{"metadata": map[string]any{"labels": labels}}}, nil)
}

func (k *Kubectl) Revisions(ctx context.Context, namespace, release string) ([]map[string]string, error) {
	revisions, err := k.revisions(ctx, namespace, "name="+release)
	var all []map[string]string
	for _, r := range revisions {
		all = append(all, r.Labels)
	}
	for i := range all {
		for j := range all {
			if number(all[i]) > number(all[j]) {
				all[i], all[j] = all[j], all[i]
			}
		}
	}
	return all, err
}
