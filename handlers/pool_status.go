package handlers

import (
	"context"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
)

// PoolStatus is told how a pool's registration goes, and writes it into the pool's resources.
func (h *Handlers) PoolStatus(pool hub.Pool, status string) {
	h.pools.setLast(pool, status)
	if status == hub.StatusRegistered {
		select {
		case h.pools.registered <- struct{}{}:
		default:
		}
	}
	for _, resource := range h.pools.of(pool) {
		h.pools.writeStatus(resource, status)
	}
}

func (p *pools) setLast(pool hub.Pool, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == "" {
		delete(p.last, poolLabel(pool))
		return
	}
	p.last[poolLabel(pool)] = status
}

func (p *pools) writeStatus(resource kube.Pool, status string) {
	if resource.Status == status {
		return
	}
	resource.Status = status
	p.mu.Lock()
	if _, known := p.resources[keyOf(resource)]; known {
		p.resources[keyOf(resource)] = resource
	}
	p.mu.Unlock()
	select {
	case p.statuses <- resource:
	default: // a status is for people to look at: it must not hold up a registration
	}
}

// statusWait lets what is superseded soon not be written at all.
const statusWait = 200 * time.Millisecond

func (h *Handlers) writeStatuses(ctx context.Context) {
	for {
		newest := map[resourceKey]kube.Pool{}
		collect := func(p kube.Pool) { newest[keyOf(p)] = p }
		select {
		case p := <-h.pools.statuses:
			collect(p)
		case <-ctx.Done():
			return
		}
		full := time.After(statusWait)
		for waiting := true; waiting; {
			select {
			case p := <-h.pools.statuses:
				collect(p)
			case <-full:
				waiting = false
			}
		}
		var batch []kube.Pool
		for _, p := range newest {
			batch = append(batch, p)
		}
		if err := h.kubectl.WritePoolStatus(ctx, fieldManager, batch); err != nil && ctx.Err() == nil {
			h.log.Warn("status of pools not written", "pools", len(batch), "reason", err)
		}
	}
}
