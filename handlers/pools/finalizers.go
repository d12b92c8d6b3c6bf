package pools

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/kube"
	"octo-operator/names"
)

// referenceFinalizers are what the reference operator puts on each pool's resource: its framework removes them after a step that
// does nothing. Where that operator is gone nobody would, and whoever deletes the resource waits for ever. This operator puts none on.
var referenceFinalizers = []string{names.Group + "/communicationpoolfinalizer", names.Group + "/deploymentsitefinalizer"}

// clusterFinalizers are removed by the cluster itself when what belongs to the object is gone.
var clusterFinalizers = []string{"foregroundDeletion", "orphan"}

const lastLetGo = time.Minute

// letPoolsGo removes the reference operator's finalizers from resources that are being deleted, until ctx ends. Those of others
// stay: they are removed by whoever has put them there.
func (ps *Pools) letPoolsGo(ctx context.Context) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = time.Second, lastLetGo
	held := map[string]bool{} // by uid: resources that somebody else's finalizer holds, which was said
	again := (<-chan time.Time)(nil)
	for {
		select {
		case <-ps.deleting:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		if ps.letAllGo(ctx, held) {
			waits.Reset()
		} else {
			again = time.After(min(waits.NextBackOff(), lastLetGo))
		}
	}
}

// letAllGo is false if a finalizer that should go is still there.
func (ps *Pools) letAllGo(ctx context.Context, held map[string]bool) bool {
	done, seen := true, map[string]bool{}
	for _, p := range ps.All() {
		if !p.Deleting {
			continue
		}
		seen[p.UID] = true
		log := ps.log.With("kind", p.Kind, "namespace", p.Namespace, "name", p.Name)
		if others := finalizersOfOthers(p); len(others) > 0 && !held[p.UID] {
			held[p.UID] = true
			log.Warn("pool is being deleted, and stays until somebody else's finalizers are removed", "finalizers", others)
		}
		if !slices.ContainsFunc(p.Finalizers, isReferenceFinalizer) {
			continue
		}
		err := ps.Kubectl.RemoveFinalizers(ctx, names.FieldManager, p, referenceFinalizers)
		switch {
		case err == nil:
			log.Info("finalizer of the reference operator removed from a pool that is being deleted")
		case kube.Conflict(err): // it has changed: the watch will tell, and this begins again
		case ctx.Err() == nil:
			log.Warn("pool that is being deleted stays: the reference operator's finalizer is not removed yet", "reason", err)
			done = false
		}
	}
	for uid := range held {
		if !seen[uid] {
			delete(held, uid)
		}
	}
	return done
}

func isReferenceFinalizer(f string) bool { return slices.Contains(referenceFinalizers, f) }

func finalizersOfOthers(p kube.Pool) []string {
	return slices.DeleteFunc(slices.Clone(p.Finalizers), func(f string) bool {
		return isReferenceFinalizer(f) || slices.Contains(clusterFinalizers, f)
	})
}
