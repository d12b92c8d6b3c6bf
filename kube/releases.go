package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
)

// ReleaseLabels returns the labels of a release's newest revision, Helm's own (name, owner, status, version) among them;
// nil when there is no such release.
func (k *Kubectl) ReleaseLabels(ctx context.Context, namespace, name string) (map[string]string, error) {
	revisions, err := k.revisions(ctx, namespace, "name="+name)
	if err != nil {
		return nil, fmt.Errorf("cannot look up release %s: %w", name, err)
	}
	return newestRevisions(revisions)[name], nil
}

// Releases returns the labels of the newest revision of each release in a namespace that has the label, by release. Superseded ones are
// never the newest, and nine of ten: of a thousand releases they would be 14 MB.
func (k *Kubectl) Releases(ctx context.Context, namespace, label string) (map[string]map[string]string, error) {
	revisions, err := k.revisions(ctx, namespace, "status!=superseded,"+label)
	if err != nil {
		return nil, fmt.Errorf("cannot list the releases in namespace %s: %w", namespace, err)
	}
	return newestRevisions(revisions), nil
}

// revisions are Helm's Secrets, one for each revision of a release, without their content.
func (k *Kubectl) revisions(ctx context.Context, namespace, label string) ([]Metadata, error) {
	return k.Metadata(ctx, labelled(collection(core, namespace, "secrets"), "owner=helm,"+label))
}

// newestRevisions finds the labels of each release's newest revision.
func newestRevisions(revisions []Metadata) map[string]map[string]string {
	newest := map[string]map[string]string{}
	for _, revision := range revisions {
		name := revision.Labels["name"]
		if known := newest[name]; known == nil || number(revision.Labels) > number(known) {
			newest[name] = revision.Labels
		}
	}
	return newest
}

// number is a revision's; 0 if it has none.
func number(labels map[string]string) int {
	n, _ := strconv.Atoi(labels["version"])
	return n
}

// Revisions returns the labels of all revisions of a release, the newest first; nothing when there is no such release.
func (k *Kubectl) Revisions(ctx context.Context, namespace, name string) ([]map[string]string, error) {
	revisions, err := k.revisions(ctx, namespace, "name="+name)
	if err != nil {
		return nil, fmt.Errorf("cannot list the revisions of release %s: %w", name, err)
	}
	var all []map[string]string
	for _, revision := range revisions {
		all = append(all, revision.Labels)
	}
	slices.SortStableFunc(all, func(a, b map[string]string) int { return cmp.Compare(number(b), number(a)) })
	return all, nil
}

// DeploymentReplicas is how many replicas a Deployment shall have.
type DeploymentReplicas struct {
	Name     string
	Replicas int
}

// Replicas returns the replica count of each Deployment of a release, in the order of their names.
func (k *Kubectl) Replicas(ctx context.Context, namespace, release string) ([]DeploymentReplicas, error) {
	deployments, err := list[live](ctx, k, request{path: labelled(collection(apps, namespace, "deployments"), instance+release)})
	if err != nil {
		return nil, fmt.Errorf("cannot look up the Deployments of release %s: %w", release, err)
	}
	var counts []DeploymentReplicas
	for _, deployment := range deployments {
		counts = append(counts, DeploymentReplicas{deployment.Metadata.Name, deployment.replicas()})
	}
	slices.SortFunc(counts, func(a, b DeploymentReplicas) int { return cmp.Compare(a.Name, b.Name) })
	return counts, nil
}
