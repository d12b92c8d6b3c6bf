package queue

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turns decides who works next. Work needs a slot; waiting, for pods or for the next try, does not. Slots are fair between
// tenants: the tenant that holds the fewest is next, and of one tenant whoever came first. A tenant's update is alone: it
// waits for what the tenant has in flight, and nothing new of the tenant starts meanwhile.
type turns struct {
	limit   int           // of slots
	most    int           // work at a time, with a slot or overdue: more of it the memory does not bear; 0: any number
	overdue time.Duration // see overdueAfter

	mu      sync.Mutex
	working int // slots that are taken
	late    int // overdue, of all tenants
	lonely  int // of those that wait, how many must be alone
	tenants map[string]*tenantTurns
	waiting []*turn // in the order they came
}

// tenantTurns is what one tenant has. It is forgotten when that is nothing.
type tenantTurns struct {
	flying  int  // turns that have begun and not ended, with a slot or without
	working int  // of them with a slot
	overdue int  // of them at work without a slot
	alone   bool // the one in flight must be alone
	closed  int  // how often close was called without open
}

// overdueAfter is when work loses its slot without having ended: helm works for a second, so what takes longer waits for a
// hook, say, or hangs, and must not keep other tenants from starting. A tenant gets no more slots while as many of its
// own as there are slots are overdue.
const overdueAfter = 10 * time.Second

func newTurns(limit, most int) *turns {
	return &turns{limit: limit, most: most, overdue: overdueAfter, tenants: map[string]*tenantTurns{}}
}

// close lets nothing new of a tenant start until open, but what must be alone.
func (ts *turns) close(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).closed++
}

// open takes close back.
func (ts *turns) open(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).closed--
	ts.dispatch()
}

// turn is one job's, from its begin to its end.
type turn struct {
	all    *turns
	tenant string
	alone  bool
	leaves bool       // while it rests it is not in flight: a tenant's update does not wait for it, and keeps it waiting
	rests  func(bool) // told when it begins to rest, and when it works again

	granted chan struct{} // closed when it may go on
	begun   bool
	slot    bool
	late    bool // at work without a slot
	lend    *time.Timer
}

// take waits for a turn. It is the caller's to end, after an error too. The error is ctx's.
func (ts *turns) take(ctx context.Context, t *turn) (*turn, error) {
	t.all = ts
	if t.rests == nil {
		t.rests = func(bool) {}
	}
	return t, t.wait(ctx)
}

// wait returns when it is this turn's time to work.
func (t *turn) wait(ctx context.Context) error {
	ts := t.all
	ts.mu.Lock()
	t.granted = make(chan struct{})
	ts.waiting = append(ts.waiting, t)
	ts.lonely += lonely(t)
	ts.dispatch()
	ts.mu.Unlock()
	select {
	case <-t.granted:
		return nil
	case <-ctx.Done():
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if i := slices.Index(ts.waiting, t); i >= 0 {
		ts.remove(i)
	}
	if !t.begun {
		ts.dispatch() // it may have been alone, and in the way
		return ctx.Err()
	}
	select {
	case <-t.granted: // at the last moment
		t.giveBack()
	default:
	}
	return ctx.Err()
}

// end gives everything back.
func (t *turn) end() {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if !t.begun {
		return
	}
	t.giveBack()
	t.land()
	t.all.dispatch()
}

// land ends its flight. all.mu is held.
func (t *turn) land() {
	t.begun = false
	tenant := t.all.of(t.tenant)
	tenant.flying--
	if t.alone {
		tenant.alone = false
	}
}

// Park gives the slot back while f waits for something. The turn stays in flight, unless it leaves: a tenant's update waits for
// it. What works afterwards calls work first. yields: rests is told. A nil turn, and one that is alone, just runs f.
func (t *turn) Park(yields bool, f func() error) error {
	if t == nil || t.alone {
		return f()
	}
	t.all.mu.Lock()
	t.giveBack()
	if t.leaves && t.begun {
		t.land()
	}
	t.all.dispatch()
	t.all.mu.Unlock()
	if yields {
		t.rests(true)
		defer t.rests(false)
	}
	return f()
}

// TakeSlot makes sure that the turn has its slot, and waits for one after a rest. The error is ctx's.
func (t *turn) TakeSlot(ctx context.Context) error {
	if t == nil || t.alone {
		return nil
	}
	t.all.mu.Lock()
	has := t.slot || t.late
	t.all.mu.Unlock()
	if has {
		return nil
	}
	return t.wait(ctx)
}

// giveBack frees the slot, if there is one. all.mu is held.
func (t *turn) giveBack() {
	tenant := t.all.of(t.tenant)
	if t.lend != nil {
		t.lend.Stop()
	}
	if t.slot {
		t.slot = false
		t.all.working--
		tenant.working--
	}
	if t.late {
		t.late = false
		t.all.late--
		tenant.overdue--
	}
}

// of is never nil. ts.mu is held.
func (ts *turns) of(tenant string) *tenantTurns {
	if ts.tenants[tenant] == nil {
		ts.tenants[tenant] = &tenantTurns{}
	}
	return ts.tenants[tenant]
}

// dispatch lets everybody go on who may. ts.mu is held.
func (ts *turns) dispatch() {
	for {
		next := ts.next()
		if next < 0 {
			break
		}
		ts.grant(ts.remove(next))
	}
	for name, tenant := range ts.tenants {
		if *tenant == (tenantTurns{}) {
			delete(ts.tenants, name)
		}
	}
}

// remove takes a turn from those that wait. ts.mu is held.
func (ts *turns) remove(i int) *turn {
	t := ts.waiting[i]
	ts.waiting = slices.Delete(ts.waiting, i, i+1)
	ts.lonely -= lonely(t)
	return t
}

func lonely(t *turn) int {
	if t.alone {
		return 1
	}
	return 0
}

// full: there is no slot. ts.mu is held.
func (ts *turns) full() bool {
	return ts.working >= ts.limit || ts.most > 0 && ts.working+ts.late >= ts.most
}

// isLastFor: the tenant, whose work hangs, holds all that the memory bears but one. That one is for others: it might hang for minutes,
// too. Where the memory bears only two at a time, the tenant may have both. ts.mu is held.
func (ts *turns) isLastFor(tenant *tenantTurns) bool {
	return ts.most > 2 && tenant.overdue > 0 && tenant.working+tenant.overdue >= ts.most-1
}

// next is the index of the turn that is to go on; -1: nobody can.
func (ts *turns) next() int {
	if ts.full() && ts.lonely == 0 {
		return -1 // of thousands that wait, none needs to be looked at
	}
	best := -1
	for i, t := range ts.waiting {
		tenant := ts.of(t.tenant)
		switch {
		case t.alone && tenant.flying == 0:
			return i // it needs no slot: its script is the environment's own, and others wait for it
		case t.alone || ts.full():
			continue
		case t.begun: // what comes back from a rest is nearly done
			return i
		case tenant.alone || tenant.closed > 0 || tenant.overdue >= ts.limit || ts.isLastFor(tenant):
			continue
		}
		if best < 0 || tenant.working < ts.of(ts.waiting[best].tenant).working {
			best = i
		}
	}
	return best
}

// grant lets a turn go on. ts.mu is held.
func (ts *turns) grant(t *turn) {
	tenant := ts.of(t.tenant)
	if !t.begun {
		t.begun = true
		tenant.flying++
	}
	if t.alone {
		tenant.alone = true
	} else {
		t.slot = true
		ts.working++
		tenant.working++
		t.lend = time.AfterFunc(ts.overdue, t.lendSlot)
	}
	close(t.granted)
}

// lendSlot takes the slot away from work that takes long.
func (t *turn) lendSlot() {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if !t.slot {
		return
	}
	t.giveBack()
	t.late = true
	t.all.late++
	t.all.of(t.tenant).overdue++
	t.all.dispatch()
}

type turnKey struct{}

// withTurn lets what a job runs find its turn.
func withTurn(ctx context.Context, t *turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// TurnOf is the turn of the job that runs with ctx; nil: it needs none.
func TurnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}
