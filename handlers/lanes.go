package handlers

import (
	"context"
	"errors"
	"sync"
)

var (
	// errUndeployed stops a running deploy.
	errUndeployed = errors.New("stopped: the workload is being undeployed")
	// errPoolUndeployed stops a pool's deploy.
	errPoolUndeployed = errors.New("stopped: the pool is being undeployed")
	// errEnds stops what only waits, so that the operator can end. The next life resumes it.
	errEnds = errors.New("the operator ends")
)

// lanes runs jobs: one after the other within a lane, in the order of arrange; lanes beside each other, as turns allow.
type lanes struct {
	// hold, if not nil, returns when the lane's work may start, and what has been added to it would survive. It may wait for long, and
	// returns jobs that come before those that were added. An error means that the lane's work is to be left.
	hold func(ctx context.Context, lane string) (older []*job, err error)

	ctx      context.Context
	starting context.Context // ends when nothing may start any more
	close    context.CancelFunc
	turns    *turns
	pools    *turns // of the pools' events: these neither wait for workloads nor keep them waiting

	mu    sync.Mutex
	idle  *sync.Cond // lanes is empty
	lanes map[string]*lane
}

type lane struct {
	queue   []*job
	closes  string // the tenant of which nothing new starts while this lane, its updates', has work; empty: of none
	running *job
	resting bool                    // what runs waits, to be tried again or for its pods
	touched bool                    // since its worker last asked hold
	stop    context.CancelCauseFunc // of what is running
}

func newLanes(ctx context.Context, slots, most int) *lanes {
	l := &lanes{ctx: ctx, turns: newTurns(slots, most), pools: newTurns(poolSlots, 0), lanes: map[string]*lane{}}
	l.starting, l.close = context.WithCancel(ctx)
	l.idle = sync.NewCond(&l.mu)
	return l
}

// poolSlots are few: each is a kubectl of 50 MiB beside the helms, and a pool's takes a tenth of a second.
const poolSlots = 2

// shut lets nothing start any more, and stops what only waits, for pods or for its next try: the next life waits on, and until then nobody
// leads.
func (l *lanes) shut() {
	l.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.lanes {
		own.endRest()
	}
}

// endRest stops what only waits. The lanes' mu is held.
func (l *lane) endRest() {
	if l.running != nil && l.resting {
		l.stop(errEnds)
	}
}

// turn waits for a job's turn; end gives it back, after an error too. A tenant's update is alone among workloads and pools.
func (l *lanes) turn(j *job) (t *turn, end func(), err error) {
	if j.pool {
		t, err = l.pools.take(l.starting, &turn{tenant: j.tenant, leaves: true})
		return t, t.end, err
	}
	t, err = l.turns.take(l.starting, &turn{tenant: j.tenant, alone: j.alone})
	if err != nil || !j.alone {
		return t, t.end, err
	}
	among, err := l.pools.take(l.starting, &turn{tenant: j.tenant, alone: true})
	return t, func() { among.end(); t.end() }, err
}

// add queues jobs, one after the other, in place of those that they make pointless, and stops what runs if that is to make way.
func (l *lanes) add(jobs ...*job) {
	finish(l.enqueue(jobs)) // writes to disk: not while the lanes are locked
}

// finishers is how many jobs that are not to be run are ended at the same time. Each syncs a file, and a disk syncs many together
// in the time of one.
const finishers = 16

func finish(gone []dropped) {
	slots := make(chan struct{}, finishers)
	var all sync.WaitGroup
	for _, d := range gone {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			d.superseded(d.reason)
		})
	}
	all.Wait()
}

func (l *lanes) enqueue(jobs []*job) (gone []dropped) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		var pointless []dropped
		target := l.at(j.lane)
		target.queue, pointless = arrange(target.running, target.queue, j)
		l.closeTenant(target, j)
		target.makeWay()
		gone = append(gone, pointless...)
	}
	return gone
}

// closeTenant lets nothing new of a tenant start once its update has come, and not only when that asks for its turn: until then its
// copy is written into the cluster, which takes long where the API server is slow. mu is held.
func (l *lanes) closeTenant(own *lane, j *job) {
	if !j.alone || own.closes != "" {
		return
	}
	own.closes = j.tenant
	l.turns.close(j.tenant)
	l.pools.close(j.tenant)
}

// openTenant takes closeTenant back. mu is held.
func (l *lanes) openTenant(own *lane) {
	if own.closes == "" {
		return
	}
	l.turns.open(own.closes)
	l.pools.open(own.closes)
	own.closes = ""
}

// makeWay stops what runs if something that is queued ends it. The lanes' mu is held.
func (l *lane) makeWay() {
	for _, queued := range l.queue {
		if l.running == nil || queued.owner != l.running.owner {
			continue // another workload's, which has the same release name
		}
		if reason := stops(queued, l.running, l.resting); reason != nil {
			l.stop(reason)
			return
		}
		if queued.kind == scale {
			return // it is to find what runs deployed: on a fresh release there would be nothing to scale
		}
	}
}

// at is a lane with a worker. l.mu is held.
func (l *lanes) at(name string) *lane {
	target := l.lanes[name]
	if target == nil {
		target = &lane{}
		l.lanes[name] = target
		go l.work(name, target)
	}
	return target
}

// busy tells whether something is queued or running in a lane.
func (l *lanes) busy(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[name] != nil
}

// touch lets a lane take what hold finds for it.
func (l *lanes) touch(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(name).touched = true
}

// work runs a lane's jobs until none is left. What may not start any more stays on disk.
func (l *lanes) work(name string, own *lane) {
	for more := true; more; {
		more = l.holds(name, own) && l.runNext(name, own)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (len(own.queue) > 0 || own.touched) && l.starting.Err() == nil { // since the last look
		go l.work(name, own)
		return
	}
	delete(l.lanes, name)
	l.openTenant(own)
	l.idle.Broadcast()
}

// holds waits until the lane's work may start, and puts what was left in it before what has been added.
func (l *lanes) holds(name string, own *lane) bool {
	l.mu.Lock()
	own.touched = false
	l.mu.Unlock()
	if l.hold == nil {
		return true
	}
	older, err := l.hold(l.starting, name)
	if err != nil {
		return false
	}
	l.mu.Lock()
	var gone []dropped
	all := append(older, own.queue...)
	own.queue = nil
	for _, j := range all {
		var more []dropped
		own.queue, more = arrange(nil, own.queue, j)
		gone = append(gone, more...)
		l.closeTenant(own, j)
	}
	l.mu.Unlock()
	finish(gone)
	return true
}

// runNext waits for a turn and runs the head of the queue. It is taken from the queue only then, so that until then a newer
// one can take its place. All jobs of a lane are alike in pool and alone. False: there is nothing to run any more.
func (l *lanes) runNext(name string, own *lane) bool {
	l.mu.Lock()
	if len(own.queue) == 0 {
		l.mu.Unlock()
		return false
	}
	head := own.queue[0]
	l.mu.Unlock()

	turn, end, err := l.turn(head)
	defer end()
	if err != nil || !l.holds(name, own) { // again: a newer job may have come meanwhile, and what runs must survive
		return false
	}
	ctx, stop := context.WithCancelCause(l.ctx)
	defer stop(nil)
	j := l.begin(own, turn, stop)
	if j == nil {
		return true // the next look finds out why
	}
	j.run(withTurn(ctx, turn))

	l.mu.Lock()
	defer l.mu.Unlock()
	own.running, own.resting, own.stop = nil, false, nil
	return true
}

// begin takes the head of the queue to run it; nil: nothing may start, or the head is another tenant's by now, whose turn it is not.
func (l *lanes) begin(own *lane, turn *turn, stop context.CancelCauseFunc) *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.starting.Err() != nil || len(own.queue) == 0 || own.queue[0].tenant != turn.tenant {
		return nil
	}
	j := own.queue[0]
	own.queue, own.running, own.stop = own.queue[1:], j, stop
	turn.rests = func(resting bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		own.resting = resting
		own.makeWay()
		if l.starting.Err() != nil {
			own.endRest()
		}
	}
	return j
}

// wait returns when nothing is queued that could start, and nothing is running.
func (l *lanes) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.lanes) > 0 {
		l.idle.Wait()
	}
}
