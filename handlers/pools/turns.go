package pools

import (
	"context"
	"sync"

	"octo-operator/dispatch"
)

// poolTurns keep the events of two pools that have one name, which are in two lanes, from acting at the same time: each would find nothing
// that is another's, and then write over what the other one has made meanwhile. (Two workloads with one name are in one lane.)
type poolTurns struct {
	mu    sync.Mutex
	names map[string]*poolTurn // of resources
}

type poolTurn struct {
	users int           // that act or wait
	free  chan struct{} // has one token while nobody acts
}

// Alone returns when nobody else acts on a pool's resource of that name, or with ctx. done lets others act.
func (ps *Pools) Alone(ctx context.Context, t *dispatch.Task, name string) (done func(), err error) {
	p := &ps.turns
	p.mu.Lock()
	at := p.names[name]
	if at == nil {
		at = &poolTurn{free: make(chan struct{}, 1)}
		at.free <- struct{}{}
		p.names[name] = at
	}
	at.users++
	p.mu.Unlock()
	select {
	case <-at.free:
	default: // without a slot: there are few
		err = t.Park(ctx, true, func() error {
			select {
			case <-at.free:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if err != nil {
		p.leave(name, at)
		return nil, err
	}
	return func() { at.free <- struct{}{}; p.leave(name, at) }, nil
}

func (p *poolTurns) leave(name string, at *poolTurn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(p.names, name)
	}
}
