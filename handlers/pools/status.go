package pools

import (
	"context"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// PoolStatus is told how a pool's registration goes, and writes it into the pool's resources.
func (ps *Pools) PoolStatus(pool hub.Pool, status string) {
	ps.setLast(pool, status)
	if status == hub.StatusRegistered {
		fill(ps.Registered)
	}
	for _, resource := range ps.Of(pool) {
		ps.writeStatus(resource, status)
	}
}

func (p *Pools) setLast(pool hub.Pool, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == "" {
		delete(p.last, Label(pool))
		return
	}
	p.last[Label(pool)] = status
}

func (p *Pools) lastOf(pool hub.Pool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[Label(pool)]
}

// statusChange is a resource with its new status, and what the cluster has.
type statusChange struct {
	kube.Pool
	before string
}

func (p *Pools) writeStatus(resource kube.Pool, status string) {
	if resource.Status == status {
		return
	}
	change := statusChange{resource, resource.Status}
	change.Status = status
	p.mu.Lock()
	if _, known := p.resources[keyOf(resource)]; known {
		p.resources[keyOf(resource)] = change.Pool
	}
	p.mu.Unlock()
	select {
	case p.statuses <- change:
	default: // a status is for people to look at: it must not hold up a registration
	}
}

// statusWait lets what is superseded soon not be written at all.
const statusWait = 200 * time.Millisecond

func (ps *Pools) writeStatuses(ctx context.Context) {
	for {
		newest := map[resourceKey]statusChange{}
		collect := func(c statusChange) {
			if older, found := newest[keyOf(c.Pool)]; found {
				c.before = older.before
			}
			newest[keyOf(c.Pool)] = c
		}
		select {
		case c := <-ps.statuses:
			collect(c)
		case <-ctx.Done():
			return
		}
		full := time.After(statusWait)
		for waiting := true; waiting; {
			select {
			case c := <-ps.statuses:
				collect(c)
			case <-full:
				waiting = false
			}
		}
		var batch []kube.Pool
		for _, c := range newest {
			if c.Status != c.before { // a pool that is registered again within a moment is what it was
				batch = append(batch, c.Pool)
			}
		}
		if err := ps.Kubectl.WritePoolStatus(ctx, names.FieldManager, batch); err != nil && ctx.Err() == nil {
			ps.log.Warn("status of pools not written", "pools", len(batch), "reason", err)
		}
	}
}
