package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"octo-operator/kube"
	"octo-operator/names"
)

// Installed is what the cluster has under a release's name.
type Installed struct {
	revisions []map[string]string // their labels, the newest first; nothing: there is no such release
	Labels    map[string]string   // of the newest revision; nil: there is no such release
	replicas  []kube.DeploymentReplicas
	secret    *kube.Secret // with its secret values; nil: there is none
	// byHand: somebody else has made the newest revision, with the labels that helm hands down from the one before.
	byHand bool
}

// lookUp asks the cluster, in the background: it takes as long as getting the chart does.
func (rs *Releases) lookUp(ctx context.Context, r names.Release) (wait func() (Installed, error)) {
	type answer struct {
		revisions []map[string]string
		replicas  []kube.DeploymentReplicas
		secret    *kube.Secret
		err       error
	}
	revisions, replicas, secret := make(chan answer, 1), make(chan answer, 1), make(chan answer, 1)
	go func() {
		found, err := rs.Kubectl.Revisions(ctx, r.Namespace, r.Name)
		revisions <- answer{revisions: found, err: err}
	}()
	go func() {
		found, err := rs.Kubectl.Replicas(ctx, r.Namespace, r.Name)
		replicas <- answer{replicas: found, err: err}
	}()
	go func() {
		found, err := rs.Kubectl.Secret(ctx, r.Namespace, r.SecretName())
		secret <- answer{secret: found, err: err}
	}()
	return func() (Installed, error) {
		v, r, s := <-revisions, <-replicas, <-secret
		found := Installed{revisions: v.revisions, replicas: r.replicas, secret: s.secret}
		if len(v.revisions) > 0 {
			found.Labels = v.revisions[0]
		}
		found.byHand = handedDown(v.revisions)
		return found, errors.Join(v.err, r.err, s.err)
	}
}

// handedDown tells whether somebody else has made the newest revision, with the labels that helm hands down from the one before: a run
// whose revision has been ready once makes no other.
func handedDown(revisions []map[string]string) bool {
	return len(revisions) > 1 && revisions[0][names.RunLabel] == revisions[1][names.RunLabel] && revisions[1][names.RolloutLabel] == names.RolloutReady
}

// keptReplicas is the count that a deploy keeps: the largest that a Deployment has, if it is above 0. Whoever scaled owns the
// field; helm applies server-side and would fail on it with any other count.
func (i Installed) keptReplicas() (count int, keep bool) {
	for _, d := range i.replicas {
		count = max(count, d.Replicas)
	}
	return count, count > 0
}

// disagreement names the Deployments and their counts; empty if they are the same.
func (i Installed) disagreement() string {
	differ := false
	var counts []string
	for _, d := range i.replicas {
		differ = differ || d.Replicas != i.replicas[0].Replicas
		counts = append(counts, fmt.Sprintf("%s has %d", d.Name, d.Replicas))
	}
	if !differ {
		return ""
	}
	return strings.Join(counts, ", ")
}

func joinLabels(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}
