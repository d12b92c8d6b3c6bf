package dispatch

import "sync"

// unclean are the lanes on whose release a helm of ours has not ended well, as far as is known: it may have left a revision pending. Nobody
// else of ours works on them.
type unclean struct {
	mu    sync.Mutex
	lanes map[string]bool
}

func (u *unclean) add(lane string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lanes == nil {
		u.lanes = map[string]bool{}
	}
	u.lanes[lane] = true
}

// remove is called when the release was seen in order.
func (u *unclean) remove(lane string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.lanes, lane)
}

func (u *unclean) has(lane string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lanes[lane]
}

// IsUnclean tells whether a helm of ours may have left the run's release half done.
func (t *Task) IsUnclean() bool { return t.engine.unclean.has(t.Lane) }

// SetUnclean notes it; false: the release was seen in order.
func (t *Task) SetUnclean(unclean bool) {
	if unclean {
		t.engine.unclean.add(t.Lane)
	} else {
		t.engine.unclean.remove(t.Lane)
	}
}
