package handlers

import (
	"context"
	"sync"
)

// claims keep two workloads, or two pools, that have one name from acting on it at the same time. They are of different tenants, so they
// have lanes of their own: the second one would look, find nothing that is another's, and then change what the first one has made
// meanwhile. Almost always nobody else has the name, and then this costs nothing.
type claims struct {
	mu    sync.Mutex
	names map[string]*claimedName // that somebody looks at or acts on
}

type claimedName struct {
	users int
	acts  int           // that have ended
	free  chan struct{} // has one token while nobody acts
}

// claim is one event's interest in a name, from its first look to its last act.
type claim struct {
	of   *claims
	name string
	at   *claimedName
	seen int // the acts before the look
}

// look is to be called before the cluster is asked what there is under a name.
func (c *claims) look(name string) *claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.names[name]
	if at == nil {
		at = &claimedName{free: make(chan struct{}, 1)}
		at.free <- struct{}{}
		if c.names == nil {
			c.names = map[string]*claimedName{}
		}
		c.names[name] = at
	}
	at.users++
	return &claim{c, name, at, at.acts}
}

// act returns when nobody else acts on the name. outdated: somebody has since the look, so look again, now. done is to be called when the
// act has ended.
func (h *Handlers) act(ctx context.Context, t *task, c *claim) (outdated bool, done func(), err error) {
	select {
	case <-c.at.free:
	default: // without a slot: it may take long
		err = h.rest(ctx, t, func() error {
			select {
			case <-c.at.free:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if err != nil {
		return false, nil, err
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return c.at.acts != c.seen, c.done, nil
}

// alone is act for what looks only then. done is to be called when the act has ended.
func (h *Handlers) alone(ctx context.Context, t *task, name string) (done func(), err error) {
	c := h.claims.look(name)
	_, acted, err := h.act(ctx, t, c)
	if err != nil {
		c.leave()
		return nil, err
	}
	return func() { acted(); c.leave() }, nil
}

func (c *claim) done() {
	c.of.mu.Lock()
	c.at.acts++
	c.seen = c.at.acts
	c.of.mu.Unlock()
	c.at.free <- struct{}{}
}

// leave ends the interest. nil: there is none.
func (c *claim) leave() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.at.users--; c.at.users == 0 {
		delete(c.of.names, c.name)
	}
}
