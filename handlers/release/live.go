package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"octo-operator/kube"
	"octo-operator/names"
)

// liveState is what the cluster has of a release.
type liveState struct {
	revisions history
	labels    map[string]string // of the newest revision; nil: there is no such release
	replicas  []kube.DeploymentReplicas
	secret    *kube.Secret // with its secret values; nil: there is none
	// byHand: somebody else has made the newest revision, with the labels that helm hands down from the one before.
	byHand bool
}

// readLive reads a release from the cluster in the background, because that takes as long as getting the chart. wait returns the result.
func (d *Deployer) readLive(ctx context.Context, r names.Release) (wait func() (liveState, error)) {
	var live liveState
	var errs [3]error
	var asking sync.WaitGroup
	asking.Go(func() { live.revisions, errs[0] = historyOf(ctx, d.cluster, r) })
	asking.Go(func() { live.replicas, errs[1] = d.cluster.Replicas(ctx, r.Namespace, r.Name) })
	asking.Go(func() { live.secret, errs[2] = d.cluster.Secret(ctx, r.Namespace, r.SecretName()) })
	return func() (liveState, error) {
		asking.Wait()
		live.labels, live.byHand = live.revisions.newest(), live.revisions.handedDown()
		return live, errors.Join(errs[:]...)
	}
}

// keptReplicas returns the number of replicas that a deploy keeps: the largest of the Deployments, if above 0. Whoever scaled owns the field, and
// helm, which uses server-side apply, would fail if it asked for another number.
func (l liveState) keptReplicas() (count int, keep bool) {
	for _, d := range l.replicas {
		count = max(count, d.Replicas)
	}
	return count, count > 0
}

// disagreement names the Deployments and their numbers of replicas; "": they are the same.
func (l liveState) disagreement() string {
	differ := false
	var counts []string
	for _, d := range l.replicas {
		differ = differ || d.Replicas != l.replicas[0].Replicas
		counts = append(counts, fmt.Sprintf("%s has %d", d.Name, d.Replicas))
	}
	if !differ {
		return ""
	}
	return strings.Join(counts, ", ")
}
