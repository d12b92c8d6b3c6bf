package dispatch

import "sync"

// pendingReleases are the lanes whose release may have a pending revision: a script of ours has failed there, or an earlier life ended during
// one, and since then the release was not found in order.
type pendingReleases struct {
	mu    sync.Mutex
	lanes map[string]bool
}

func (p *pendingReleases) set(lane string, pending bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !pending {
		delete(p.lanes, lane)
		return
	}
	if p.lanes == nil {
		p.lanes = map[string]bool{}
	}
	p.lanes[lane] = true
}

func (p *pendingReleases) has(lane string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lanes[lane]
}

// ReleaseMayBePending tells whether a helm of ours may have been killed while it changed the run's release.
func (t *Task) ReleaseMayBePending() bool { return t.engine.pending.has(t.Lane) }

// SetReleaseMayBePending notes whether it may: true before or after a helm that was killed, false when the release was seen in order.
func (t *Task) SetReleaseMayBePending(pending bool) { t.engine.pending.set(t.Lane, pending) }
