package pools

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// statuses tell people, in the status of a pool's resources, how the pool's registration goes.
type statuses struct {
	cluster   *kube.Client
	resources *resources
	log       *slog.Logger
	changes   chan statusChange // to be written by keepWritten

	mu     sync.Mutex
	newest map[hub.PoolKey]string
}

// statusChange is a resource with its new status, and the status that the cluster has.
type statusChange struct {
	kube.Pool
	before string
}

// waitingStatuses is how many changes of a status may wait to be written; those beyond are dropped.
const waitingStatuses = 10_000

func newStatuses(cluster *kube.Client, resources *resources, log *slog.Logger) *statuses {
	return &statuses{cluster: cluster, resources: resources, log: log, changes: make(chan statusChange, waitingStatuses), newest: map[hub.PoolKey]string{}}
}

// note keeps how a pool's registration goes; "": there is no registration of it.
func (s *statuses) note(pool hub.Pool, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == "" {
		delete(s.newest, pool.Key())
		return
	}
	s.newest[pool.Key()] = status
}

// last is what was noted last of a pool; "": nothing.
func (s *statuses) last(pool hub.Pool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest[pool.Key()]
}

// write lets keepWritten write a status into a resource that has another one. It does not wait.
func (s *statuses) write(resource kube.Pool, status string) {
	if resource.Status == status {
		return
	}
	change := statusChange{resource, resource.Status}
	change.Status = status
	s.resources.update(change.Pool)
	select {
	case s.changes <- change:
	default: // a status is for people to look at: it must not hold up a registration
	}
}

// statusWait gathers changes: a status that is superseded within this time is not written at all.
const statusWait = 200 * time.Millisecond

// keepWritten writes statuses until ctx ends.
func (s *statuses) keepWritten(ctx context.Context) {
	for {
		batch := s.nextBatch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := s.cluster.WritePoolStatus(ctx, names.FieldManager, batch); err != nil && ctx.Err() == nil {
			s.log.Warn("status of pools not written", "pools", len(batch), "reason", err, "next", "they are registered all the same; each is written again when its status changes")
		}
	}
}

// nextBatch waits for a change, and returns the resources with the newest status of each that changes within statusWait. After ctx has
// ended it means nothing.
func (s *statuses) nextBatch(ctx context.Context) (batch []kube.Pool) {
	newest := map[resourceKey]statusChange{}
	full := (<-chan time.Time)(nil) // until the first change
	for {
		select {
		case c := <-s.changes:
			if full == nil {
				full = time.After(statusWait)
			}
			if older, found := newest[keyOf(c.Pool)]; found {
				c.before = older.before
			}
			newest[keyOf(c.Pool)] = c
			continue
		case <-full:
		case <-ctx.Done():
			return nil
		}
		for _, c := range newest {
			if c.Status != c.before { // a pool that is registered again within a moment is what it was
				batch = append(batch, c.Pool)
			}
		}
		return batch
	}
}
