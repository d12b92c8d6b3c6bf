package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// turns decides which job works next. A job needs a slot to work; while it is parked, waiting for pods or for its next try, it has none.
// Slots are fair between tenants: the tenant that has the fewest gets the next one, and within a tenant the job that came first. A
// tenant's update is alone: it waits for the tenant's jobs in flight, and nothing new of the tenant starts meanwhile.
type turns struct {
	limit    int           // number of slots
	most     int           // how many turns may be at work, with a slot or overdue, so that they fit into the memory; 0: any number
	slotTime time.Duration // the constant; other values in tests

	mu           sync.Mutex
	working      int // turns that have a slot
	overdue      int // turns at work that have lost their slot
	waitingAlone int // how many of waiting must be alone
	tenants      map[string]*tenantTurns
	waiting      []*Turn // for a slot, in the order they came
}

// tenantTurns counts the turns of one tenant. It is removed when all is zero.
type tenantTurns struct {
	inFlight int  // turns that have begun and not ended, whether at work or parked
	working  int  // those with a slot
	overdue  int  // those at work that have lost their slot
	alone    bool // the turn in flight must be alone
	blocked  int  // calls of block without an unblock yet
}

// slotTime is how long a job may work before it loses its slot and is overdue. helm works for a second; what takes longer waits for a
// hook, for example, or hangs, and must not keep other tenants from starting. A tenant that has as many overdue turns as there are slots
// gets no new slot.
const slotTime = 10 * time.Second

func newTurns(limit, most int) *turns {
	return &turns{limit: limit, most: most, slotTime: slotTime, tenants: map[string]*tenantTurns{}}
}

// block lets nothing new of a tenant start, except turns that must be alone, until unblock was called as often as block.
func (ts *turns) block(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).blocked++
}

// unblock undoes one block.
func (ts *turns) unblock(tenant string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.of(tenant).blocked--
	ts.dispatch()
}

// Turn is the turn of one job, from its beginning to its end, whether it is at work or parked. A nil Turn belongs to no lane and never
// waits.
type Turn struct {
	turns        *turns
	tenant       string
	alone        bool
	leavesFlight bool              // it is not in flight while it is parked: a tenant's update does not wait for it, but it waits for the update
	onPark       func(bool)        // called with true when it is parked, and with false when that ends
	onWait       func(*Turn, Wait) // called with what it waits for, unless it may go on at once

	granted chan struct{} // closed when it may go on
	begun   bool          // it is in flight
	slot    bool
	overdue bool        // at work after it has lost its slot
	expiry  *time.Timer // of the slot
}

// take waits for a turn. The caller must call end, also after an error. The error is ctx's.
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

// wait returns when this turn may work. If it has to wait, it calls waits with what it waits for.
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
		ts.dispatch() // if it must have been alone, it was in the way of others
		return ctx.Err()
	}
	select {
	case <-t.granted: // it was granted at the last moment
		t.giveBack()
	default:
	}
	return ctx.Err()
}

// waitsFor returns what the turn waits for now; zero: for nothing.
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

// end gives back the slot, and takes the turn out of flight.
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

// endFlight takes the turn out of flight. turns.mu is held.
func (t *Turn) endFlight() {
	t.begun = false
	tenant := t.turns.of(t.tenant)
	tenant.inFlight--
	if t.alone {
		tenant.alone = false
	}
}

// Park gives up the slot while f waits for something. The turn stays in flight, so that a tenant's update waits for it, unless it is a
// pool's. Before working again, call TakeSlot. If yields is true, a newer job may preempt this one meanwhile. A turn that is alone keeps
// everything. The error is f's.
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

// TakeSlot returns when the turn may work: at once, unless it was parked since. If it has to wait, it calls waits, which must not block,
// with what it waits for. The error is ctx's.
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

// of returns the counts of a tenant, never nil. ts.mu is held.
func (ts *turns) of(tenant string) *tenantTurns {
	if ts.tenants[tenant] == nil {
		ts.tenants[tenant] = &tenantTurns{}
	}
	return ts.tenants[tenant]
}

// dispatch grants a turn to all that may go on. ts.mu is held.
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

// remove takes a turn out of the waiting ones. ts.mu is held.
func (ts *turns) remove(i int) *Turn {
	t := ts.waiting[i]
	ts.waiting = slices.Delete(ts.waiting, i, i+1)
	if t.alone {
		ts.waitingAlone--
	}
	return t
}

// full tells whether there is no free slot. ts.mu is held.
func (ts *turns) full() bool {
	return ts.working >= ts.limit || ts.most > 0 && ts.working+ts.overdue >= ts.most
}

// lastIsForOthers tells whether a tenant with overdue turns has all that fit into the memory but one. Its next job might hang for minutes
// as well, so the last place is for other tenants. If only two fit into the memory, a tenant may have both. ts.mu is held.
func (ts *turns) lastIsForOthers(tenant *tenantTurns) bool {
	return ts.most > 2 && tenant.overdue > 0 && tenant.working+tenant.overdue >= ts.most-1
}

// next returns the index in waiting of the turn that may go on; -1: none may. ts.mu is held.
func (ts *turns) next() int {
	if ts.full() && ts.waitingAlone == 0 {
		return -1 // spares looking at thousands that wait
	}
	best := -1
	for i, t := range ts.waiting {
		tenant := ts.of(t.tenant)
		switch {
		case t.alone && tenant.inFlight == 0:
			return i // it needs no slot: its script is one of the environment's own, and others wait for it
		case t.alone || ts.full():
			continue
		case t.begun: // it was parked, and is nearly done
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

// expireSlot takes the slot from a job that has had it for slotTime.
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

// withTurn returns the context of a job: see TurnOf.
func withTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// TurnOf returns the turn of the job that runs with ctx; nil if ctx belongs to no job.
func TurnOf(ctx context.Context) *Turn {
	t, _ := ctx.Value(turnKey{}).(*Turn)
	return t
}
