package journal

import (
	"context"
	"sync"
	"time"

	"octo-operator/kube"
)

// holders is what is known of other operators.
type holders struct {
	mu   sync.Mutex
	seen map[string]*sight
}

// sight is how an operator's Lease was last seen.
type sight struct {
	beat  string // its renewTime
	since time.Time
	gone  bool
}

// observe looks at an operator's Lease.
func (j *Journal) observe(ctx context.Context, identity string) error {
	var found lease
	err := j.api.Do(ctx, "GET", j.leasePath(identity), nil, &found)
	if err != nil && !kube.NotFound(err) {
		return err
	}
	j.holders.saw(identity, found.Spec.RenewTime, err != nil, time.Now())
	return nil
}

func (h *holders) saw(identity, beat string, gone bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = map[string]*sight{}
	}
	if known := h.seen[identity]; known == nil || known.beat != beat {
		h.seen[identity] = &sight{beat: beat, since: now}
	}
	known := h.seen[identity]
	known.gone = gone || now.Sub(known.since) > leaseDuration
}

// alive: not known to be dead.
func (h *holders) alive(identity string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.seen[identity]
	return known == nil || !known.gone
}

// unseen forgets since when everybody's Lease has been as it is: it could not be looked at.
func (h *holders) unseen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.seen)
}
