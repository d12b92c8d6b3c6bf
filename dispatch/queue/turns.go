package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// turns decides who works next. Work needs a slot; what is parked, waiting for pods or for the next try, has none. Slots are fair between
// tenants: the tenant that has the fewest is next, and of one tenant whoever came first. A tenant's update is alone: it
// waits for what the tenant has in flight, and nothing new of the tenant starts meanwhile.
type turns struct {
	limit    int           // of slots
	most     int           // turns at work, with a slot or overdue: more of them the memory does not bear; 0: any number
	slotTime time.Duration // see the constant; tests have their own

	mu           sync.Mutex
	working      int // slots that are taken
	overdue      int // turns at work that have lost their slot
	waitingAlone int // of waiting, how many must be alone
	tenants      map[string]*tenantTurns
	waiting      []*Turn // for a slot, in the order they came
}

// tenantTurns is what one tenant has. It is forgotten when that is nothing.
type tenantTurns struct {
	inFlight int  // turns that have begun and not ended, at work or parked
	working  int  // of them with a slot
	overdue  int  // of them at work without a slot
	alone    bool // the one in flight must be alone
	blocked  int  // how often block was called without unblock
}

// slotTime is when work loses its slot without having ended, and is overdue: helm works for a second, so what takes longer waits for a
// hook, say, or hangs, and must not keep other tenants from starting. A tenant gets no more slots while as many of its
// own as there are slots are overdue.
const slotTime = 10 * time.Second

func newTurns(limit, most int) *turns {
	return &turns{limit: limit, most: most, slotTime: slotTime, tenants: map[string]*tenantTurns{}}
}

// block lets nothing new of a tenant start until unblock is called as often, except what must be alone.
func (ts *turns) block(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).blocked++
}

// unblock takes one block back.
func (ts *turns) unblock(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).blocked--
	ts.dispatch()
}

// Turn is one job's, from its begin to its end: at work, or parked. A nil Turn, of what runs in no lane, never waits.
type Turn struct {
	turns        *turns
	tenant       string
	alone        bool
	leavesFlight bool              // while it is parked it is not in flight: a tenant's update does not wait for it, and keeps it waiting
	onPark       func(bool)        // is told true when it is parked, and false when that ends
	onWait       func(*Turn, Wait) // is told what it waits for, unless it may go on at once

	granted chan struct{} // closed when it may go on
	begun   bool          // it is in flight
	slot    bool
	overdue bool        // at work without a slot
	expiry  *time.Timer // of the slot
}

// take waits for a turn. The caller ends it, after an error too. The error is ctx's.
func (ts *turns) take(ctx context.Context, t *Turn) (*Turn, error) {
	t.turns = ts
	if t.onPark == nil {
		t.onPark = func(bool) {}
	}
	return t, t.wait(ctx, func(w Wait) {
		if t.onWait != nil {
			t.onWait(t, w)
		}
	})
}

// wait returns when it is this turn's time to work. waits is told what it waits for, if it waits.
func (t *Turn) wait(ctx context.Context, waits func(Wait)) error {
	ts := t.turns
	ts.mu.Lock()
	t.granted = make(chan struct{})
	ts.waiting = append(ts.waiting, t)
	if t.alone {
		ts.waitingAlone++
	}
	ts.dispatch()
	why := t.why()
	ts.mu.Unlock()
	if why != (Wait{}) {
		waits(why)
	}
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

// waitsFor is what the turn waits for by now; zero: for nothing.
func (t *Turn) waitsFor() Wait {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	return t.why()
}

// why is waitsFor. turns.mu is held.
func (t *Turn) why() Wait {
	select {
	case <-t.granted:
		return Wait{}
	default:
	}
	ts, tenant := t.turns, tenantTurns{}
	if has := t.turns.tenants[t.tenant]; has != nil {
		tenant = *has
	}
	switch {
	case t.alone:
		return Wait{ForTenant, "what the tenant has in flight: nothing of the tenant may run beside its update"}
	case t.begun:
	case tenant.alone || tenant.blocked > 0:
		return Wait{ForTenant, "the tenant's update"}
	case !ts.full():
		return Wait{ForTenant, fmt.Sprintf("what the tenant has at work for longer than %s: the last slots are for other tenants", ts.slotTime)}
	case ts.working < ts.limit:
		return Wait{ForSlot, fmt.Sprintf("%d events are at work: more of them the memory does not bear", ts.working+ts.overdue)}
	}
	return Wait{ForSlot, fmt.Sprintf("all %d slots are taken", ts.limit)}
}

// end gives everything back.
func (t *Turn) end() {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	if !t.begun {
		return
	}
	t.giveBack()
	t.endFlight()
	t.turns.dispatch()
}

// endFlight takes the turn out of what its tenant has in flight. turns.mu is held.
func (t *Turn) endFlight() {
	t.begun = false
	tenant := t.turns.of(t.tenant)
	tenant.inFlight--
	if t.alone {
		tenant.alone = false
	}
}

// Park gives the slot up while f waits for something. The turn stays in flight, so a tenant's update waits for it, unless it is a pool's. What
// works afterwards calls TakeSlot first. yields: a newer job may preempt this one meanwhile. A turn that is alone keeps everything. The error is
// f's.
func (t *Turn) Park(yields bool, f func() error) error {
	if t == nil || t.alone {
		return f()
	}
	t.turns.mu.Lock()
	t.giveBack()
	if t.leavesFlight && t.begun {
		t.endFlight()
	}
	t.turns.dispatch()
	t.turns.mu.Unlock()
	if yields {
		t.onPark(true)
		defer t.onPark(false)
	}
	return f()
}

// TakeSlot returns when the turn may work: at once, unless it was parked since. waits is told what it waits for, if it waits; it must not
// block. The error is ctx's.
func (t *Turn) TakeSlot(ctx context.Context, waits func(Wait)) error {
	if t == nil || t.alone {
		return nil
	}
	t.turns.mu.Lock()
	has := t.slot || t.overdue
	t.turns.mu.Unlock()
	if has {
		return nil
	}
	return t.wait(ctx, waits)
}

// giveBack frees the slot, if there is one. turns.mu is held.
func (t *Turn) giveBack() {
	tenant := t.turns.of(t.tenant)
	if t.expiry != nil {
		t.expiry.Stop()
	}
	if t.slot {
		t.slot = false
		t.turns.working--
		tenant.working--
	}
	if t.overdue {
		t.overdue = false
		t.turns.overdue--
		tenant.overdue--
	}
}

// of is what a tenant has, never nil. ts.mu is held.
func (ts *turns) of(tenant string) *tenantTurns {
	if ts.tenants[tenant] == nil {
		ts.tenants[tenant] = &tenantTurns{}
	}
	return ts.tenants[tenant]
}

// dispatch grants turns to all that may go on. ts.mu is held.
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

// remove takes a turn out of waiting. ts.mu is held.
func (ts *turns) remove(i int) *Turn {
	t := ts.waiting[i]
	ts.waiting = slices.Delete(ts.waiting, i, i+1)
	if t.alone {
		ts.waitingAlone--
	}
	return t
}

// full tells whether there is no slot to give. ts.mu is held.
func (ts *turns) full() bool {
	return ts.working >= ts.limit || ts.most > 0 && ts.working+ts.overdue >= ts.most
}

// lastIsForOthers tells whether a tenant, of whose work some is overdue, has all that the memory bears but one. Its next might hang for minutes
// as well, so the last one is for others; where the memory bears only two at a time, the tenant may have both. ts.mu is held.
func (ts *turns) lastIsForOthers(tenant *tenantTurns) bool {
	return ts.most > 2 && tenant.overdue > 0 && tenant.working+tenant.overdue >= ts.most-1
}

// next is the index in waiting of the turn that is to go on; -1: none can. ts.mu is held.
func (ts *turns) next() int {
	if ts.full() && ts.waitingAlone == 0 {
		return -1 // of thousands that wait, none needs to be looked at
	}
	best := -1
	for i, t := range ts.waiting {
		tenant := ts.of(t.tenant)
		switch {
		case t.alone && tenant.inFlight == 0:
			return i // it needs no slot: its script is the environment's own, and others wait for it
		case t.alone || ts.full():
			continue
		case t.begun: // what was parked is nearly done
			return i
		case tenant.alone || tenant.blocked > 0 || tenant.overdue >= ts.limit || ts.lastIsForOthers(tenant):
			continue
		}
		if best < 0 || tenant.working < ts.of(ts.waiting[best].tenant).working {
			best = i
		}
	}
	return best
}

// grant lets a turn go on. ts.mu is held.
func (ts *turns) grant(t *Turn) {
	tenant := ts.of(t.tenant)
	if !t.begun {
		t.begun = true
		tenant.inFlight++
	}
	if t.alone {
		tenant.alone = true
	} else {
		t.slot = true
		ts.working++
		tenant.working++
		t.expiry = time.AfterFunc(ts.slotTime, t.expireSlot)
	}
	close(t.granted)
}

// expireSlot takes the slot from work that has had it for slotTime.
func (t *Turn) expireSlot() {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	if !t.slot {
		return
	}
	t.giveBack()
	t.overdue = true
	t.turns.overdue++
	t.turns.of(t.tenant).overdue++
	t.turns.dispatch()
}

type turnKey struct{}

// withTurn is the context of a job: see TurnOf.
func withTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// TurnOf is the turn of the job that runs with ctx; nil: ctx is of no job, which needs none.
func TurnOf(ctx context.Context) *Turn {
	t, _ := ctx.Value(turnKey{}).(*Turn)
	return t
}
