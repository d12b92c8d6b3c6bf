package pools

import (
	"context"
	"sync"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
)

// turns keep the events of two pools that have one name from acting at the same time. They are in two lanes: each would find nothing that
// is another's, and then write over what the other one has made meanwhile. (Two workloads with one name are in one lane.)
type turns struct {
	mu     sync.Mutex
	byName map[string]*turn // of the resource
}

type turn struct {
	users int           // that act or wait
	free  chan struct{} // has one token while nobody acts
}

// Lock returns when no other event acts on a pool's resource of that name. unlock lets others act; it is nil with an error, which is why ctx
// has ended.
func (ps *Pools) Lock(ctx context.Context, t *dispatch.Task, name string) (unlock func(), err error) {
	mine := ps.turns.join(name)
	select {
	case <-mine.free:
	default: // it waits without a slot, of which there are few
		err = t.Park(ctx, runs.WaitLane, "an event of another pool that has the same name", true, func() error {
			select {
			case <-mine.free:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if err != nil {
		ps.turns.leave(name, mine)
		return nil, err
	}
	return func() { mine.free <- struct{}{}; ps.turns.leave(name, mine) }, nil
}

func (ts *turns) join(name string) *turn {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byName[name]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		ts.byName[name] = t
	}
	t.users++
	return t
}

func (ts *turns) leave(name string, t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(ts.byName, name)
	}
}
