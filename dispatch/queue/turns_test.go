package queue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// desk is turns with a diary, in which each turn records its name when it begins.
type desk struct {
	*turns
	ctx context.Context
	diary
}

// begin asks for a turn in the background; the diary shows when it was granted.
func (d *desk) begin(name, tenant string, alone bool) *Turn {
	t := &Turn{turns: d.turns, tenant: tenant, alone: alone, onPark: func(bool) {}}
	go func() {
		if t.wait(d.ctx, func(Wait) {}) == nil {
			d.write("%s", name)
		}
	}()
	synctest.Wait()
	return t
}

func atDesk(t *testing.T, limit int, test func(*testing.T, *desk)) {
	synctest.Test(t, func(t *testing.T) { test(t, &desk{turns: newTurns(limit, 0), ctx: t.Context()}) })
}

func TestOneTenantsBacklogDoesNotKeepAnotherWaiting(t *testing.T) {
	atDesk(t, 2, func(t *testing.T, d *desk) {
		first := d.begin("a1", "a", false)
		d.begin("a2", "a", false)
		for i := range 50 {
			d.begin(fmt.Sprintf("backlog %d", i), "a", false)
		}
		d.begin("b1", "b", false)
		first.end()
		synctest.Wait()
		d.expect(t, "a1", "a2", "b1")
	})
}

func TestWhoeverWaitsForPodsKeepsNobodyFromStarting(t *testing.T) {
	atDesk(t, 1, func(t *testing.T, d *desk) {
		parked := d.begin("a1", "a", false)
		ready := make(chan struct{})
		go func() {
			_ = parked.Park(true, func() error { <-ready; return nil })
			if parked.TakeSlot(d.ctx, func(Wait) {}) == nil {
				d.write("a1 again")
			}
		}()
		synctest.Wait()
		b := d.begin("b1", "b", false)
		d.begin("a2", "a", false)
		close(ready)
		synctest.Wait()
		d.expect(t, "a1", "b1")
		b.end() // a turn that was parked goes before new ones
		synctest.Wait()
		d.expect(t, "a1", "b1", "a1 again")
	})
}

func TestWorkThatHangsLosesItsSlot(t *testing.T) {
	atDesk(t, 2, func(t *testing.T, d *desk) {
		var hanging []*Turn
		for i := range 6 {
			hanging = append(hanging, d.begin(fmt.Sprintf("a%d", i), "a", false))
		}
		d.begin("b", "b", false)
		time.Sleep(slotTime)
		synctest.Wait()
		d.expect(t, "a0", "a1", "b") // and no more of a, which has as many overdue turns as there are slots
		hanging[0].end()
		synctest.Wait()
		d.expect(t, "a0", "a1", "b", "a2")
		if d.working != 2 {
			t.Errorf("%d slots are taken, want 2", d.working)
		}
	})
}

func TestWhatIsOverdueStillCountsAgainstWhatTheMemoryBears(t *testing.T) {
	atDesk(t, 2, func(t *testing.T, d *desk) {
		d.most = 3
		var hanging []*Turn
		for i := range 6 {
			hanging = append(hanging, d.begin(fmt.Sprint("hangs ", i), fmt.Sprint("tenant ", i), false))
		}
		time.Sleep(3 * slotTime)
		synctest.Wait()
		d.expect(t, "hangs 0", "hangs 1", "hangs 2") // the third has the slot that an overdue one has lost; a fourth would be too many
		hanging[0].end()
		synctest.Wait()
		d.expect(t, "hangs 0", "hangs 1", "hangs 2", "hangs 3")
		for _, t := range hanging {
			t.end()
		}
		if d.working != 0 || d.overdue != 0 {
			t.Errorf("%d slots are taken and %d are overdue when nothing runs", d.working, d.overdue)
		}
	})
}

func TestATenantWhoseWorkHangsLeavesOthersThatTheMemoryBearsOneMore(t *testing.T) {
	atDesk(t, 4, func(t *testing.T, d *desk) {
		d.most = 4
		d.begin("a0", "a", false)
		time.Sleep(slotTime)
		synctest.Wait()
		for i := range 5 {
			d.begin(fmt.Sprint("a", i+1), "a", false)
		}
		time.Sleep(slotTime)
		synctest.Wait()
		d.expect(t, "a0", "a1", "a2")
		d.begin("b", "b", false)
		d.expect(t, "a0", "a1", "a2", "b")
	})
}

func TestATenantsUpdateWaitsForWhatRunsAlone(t *testing.T) {
	atDesk(t, 1, func(t *testing.T, d *desk) {
		running := d.begin("running", "a", false)
		for range 10 {
			d.begin("queued", "a", false)
		}
		update := d.begin("update", "a", true)
		running.end()
		synctest.Wait()
		d.expect(t, "running", "update")
		b := d.begin("other tenant", "b", false)
		d.expect(t, "running", "update", "other tenant")
		b.end()
		synctest.Wait()
		d.expect(t, "running", "update", "other tenant") // nothing of the tenant starts during its update
		update.end()
		synctest.Wait()
		d.expect(t, "running", "update", "other tenant", "queued")
	})
}

func TestATenantsUpdateWaitsForWhatIsParkedToo(t *testing.T) {
	atDesk(t, 1, func(t *testing.T, d *desk) {
		parked := d.begin("parked", "a", false)
		ready := make(chan struct{})
		go func() { _ = parked.Park(true, func() error { <-ready; return nil }); parked.end() }()
		synctest.Wait()
		d.begin("update", "a", true)
		d.expect(t, "parked")
		close(ready)
		synctest.Wait()
		d.expect(t, "parked", "update")
	})
}

// A pool's event may wait for days until somebody repairs the cluster.
func TestATenantsUpdateDoesNotWaitForAPoolsEventThatIsParked(t *testing.T) {
	atDesk(t, 1, func(t *testing.T, d *desk) {
		leaving := d.begin("leaving", "a", false)
		leaving.leavesFlight = true
		back := make(chan struct{})
		go func() {
			_ = leaving.Park(true, func() error { <-back; return nil })
			if leaving.TakeSlot(d.ctx, func(Wait) {}) == nil {
				d.write("back")
			}
		}()
		synctest.Wait()
		update := d.begin("update", "a", true)
		d.expect(t, "leaving", "update")
		close(back)
		synctest.Wait()
		d.expect(t, "leaving", "update") // nothing of the tenant starts during its update
		update.end()
		synctest.Wait()
		d.expect(t, "leaving", "update", "back")
		leaving.end()
		if len(d.tenants)+d.working != 0 {
			t.Errorf("something is left: %+v", d.turns)
		}
	})
}

func TestATurnThatIsGivenUpHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurns(1, 0)
		first, err := ts.take(t.Context(), &Turn{tenant: "a"})
		if err != nil {
			t.Fatal(err)
		}
		for _, alone := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { synctest.Wait(); cancel() }()
			second, err := ts.take(ctx, &Turn{tenant: "a", alone: alone})
			if err == nil {
				t.Fatal("it was let in beside the first")
			}
			second.end()
		}
		first.end()
		if len(ts.tenants)+len(ts.waiting)+ts.working+ts.waitingAlone != 0 {
			t.Errorf("something is left: %+v", ts)
		}
	})
}

func TestSlotsNeverExceedTheirNumberWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurns(3, 0)
		ended := make(chan bool)
		const all = 200
		for i := range all {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+i*7%900)*time.Millisecond)
				defer cancel()
				turn, err := ts.take(ctx, &Turn{tenant: fmt.Sprint(i % 5), alone: i%23 == 0})
				defer func() { turn.end(); ended <- true }()
				if err != nil {
					return
				}
				time.Sleep(time.Duration(i*13%40) * time.Millisecond)
				_ = turn.Park(true, func() error { time.Sleep(time.Duration(i*29%50) * time.Millisecond); return nil })
				_ = turn.TakeSlot(ctx, func(Wait) {})
			}()
		}
		for range all {
			<-ended
			ts.mu.Lock()
			working := 0
			for _, tenant := range ts.tenants {
				working += tenant.working
			}
			if ts.working > ts.limit || ts.working < 0 || working != ts.working {
				t.Errorf("%d slots taken, %d by tenants, of %d", ts.working, working, ts.limit)
			}
			ts.mu.Unlock()
		}
		if len(ts.tenants)+len(ts.waiting)+ts.working != 0 {
			t.Errorf("something is left: %+v", ts)
		}
	})
}
