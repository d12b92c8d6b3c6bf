package pools

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/kube"
	"octo-operator/names"
)

// referenceFinalizers are what the reference operator puts on each pool's resource. Its framework removes them after a step that does
// nothing. Where that operator is gone nobody would remove them, and whoever deletes the resource would wait for ever. This operator gives its
// own resources none.
var referenceFinalizers = []string{names.Group + "/communicationpoolfinalizer", names.Group + "/deploymentsitefinalizer"}

// clusterFinalizers are removed by the cluster itself when what belongs to the object is gone.
var clusterFinalizers = []string{"foregroundDeletion", "orphan"}

// finalizers removes the reference operator's finalizers from resources that are being deleted. Those of others stay: whoever has put them
// there removes them.
type finalizers struct {
	cluster   *kube.Client
	resources *resources
	log       *slog.Logger
	due       chan struct{}   // has a token when a resource that is being deleted was seen
	held      map[string]bool // by uid: resources that somebody else's finalizer holds, which was said; of keepRemoved alone
}

func newFinalizers(cluster *kube.Client, resources *resources, log *slog.Logger) *finalizers {
	return &finalizers{cluster: cluster, resources: resources, log: log, due: make(chan struct{}, 1), held: map[string]bool{}}
}

// look lets keepRemoved look at the resources that are being deleted. It does not wait.
func (f *finalizers) look() { fill(f.due) }

const (
	firstRemovalRetry   = time.Second
	longestRemovalRetry = time.Minute
)

// keepRemoved removes finalizers until ctx ends.
func (f *finalizers) keepRemoved(ctx context.Context) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstRemovalRetry, longestRemovalRetry
	again := (<-chan time.Time)(nil)
	for {
		select {
		case <-f.due:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		if f.removeAll(ctx) {
			waits.Reset()
		} else {
			again = time.After(min(waits.NextBackOff(), longestRemovalRetry))
		}
	}
}

// removeAll is false if a finalizer that should go is still there.
func (f *finalizers) removeAll(ctx context.Context) bool {
	done, seen := true, map[string]bool{}
	for _, p := range f.resources.all() {
		if !p.Deleting {
			continue
		}
		seen[p.UID] = true
		log := f.log.With("kind", p.Kind, "namespace", p.Namespace, "name", p.Name)
		if others := finalizersOfOthers(p); len(others) > 0 && !f.held[p.UID] {
			f.held[p.UID] = true
			log.Warn("pool is being deleted, and stays until somebody else's finalizers are removed", "finalizers", others)
		}
		if !slices.ContainsFunc(p.Finalizers, isReferenceFinalizer) {
			continue
		}
		err := f.cluster.RemoveFinalizers(ctx, names.FieldManager, p, referenceFinalizers)
		switch {
		case err == nil:
			log.Info("finalizer of the reference operator removed from a pool that is being deleted")
		case kube.Conflict(err): // it has changed: the watch will tell, and this begins again
		case ctx.Err() == nil:
			log.Warn("pool that is being deleted stays: the reference operator's finalizer is not removed yet", "reason", err,
				"next", "it is tried again within a minute")
			done = false
		}
	}
	for uid := range f.held {
		if !seen[uid] {
			delete(f.held, uid)
		}
	}
	return done
}

func isReferenceFinalizer(name string) bool { return slices.Contains(referenceFinalizers, name) }

// finalizersOfOthers are those that neither this operator nor the cluster removes.
func finalizersOfOthers(p kube.Pool) []string {
	return slices.DeleteFunc(slices.Clone(p.Finalizers), func(name string) bool {
		return isReferenceFinalizer(name) || slices.Contains(clusterFinalizers, name)
	})
}
