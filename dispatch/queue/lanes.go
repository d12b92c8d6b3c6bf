package queue

import (
	"context"
	"errors"
	"sync"
)

var (
	// ErrUndeployed stops a running deploy.
	ErrUndeployed = errors.New("stopped: the workload is being undeployed")
	// ErrPoolUndeployed stops a pool's deploy.
	ErrPoolUndeployed = errors.New("stopped: the pool is being undeployed")
	// errEnds stops what only waits, so that the operator can end. The next life resumes it.
	errEnds = errors.New("the operator ends")
)

// Lanes runs jobs: one after the other within a lane, in the order of arrange; lanes beside each other, as turns allow.
type Lanes struct {
	// Hold, if not nil, returns when the lane's work may start, and what has been added to it would survive. It may wait for long, and
	// returns jobs that come before those that were added. An error means that the lane's work is to be left.
	Hold func(ctx context.Context, lane string) (older []*Job, err error)

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
	queue   []*Job
	closes  string // the tenant of which nothing new starts while this lane, its updates', has work; empty: of none
	running *Job
	resting bool                    // what runs waits, to be tried again or for its pods
	touched bool                    // since its worker last asked hold
	stop    context.CancelCauseFunc // of what is running
}

func New(ctx context.Context, slots, most int) *Lanes {
	l := &Lanes{ctx: ctx, turns: newTurns(slots, most), pools: newTurns(poolSlots, 0), lanes: map[string]*lane{}}
	l.starting, l.close = context.WithCancel(ctx)
	l.idle = sync.NewCond(&l.mu)
	return l
}

// poolSlots are few: each is a kubectl of 50 MiB beside the helms, and a pool's takes a tenth of a second.
const poolSlots = 2

// Shut lets nothing start any more, and stops what only waits, for pods or for its next try: the next life waits on, and until then nobody
// leads.
func (l *Lanes) Shut() {
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
func (l *Lanes) turn(j *Job) (t *turn, end func(), err error) {
	if j.Pool {
		t, err = l.pools.take(l.starting, &turn{tenant: j.Tenant, leaves: true})
		return t, t.end, err
	}
	t, err = l.turns.take(l.starting, &turn{tenant: j.Tenant, alone: j.Alone})
	if err != nil || !j.Alone {
		return t, t.end, err
	}
	among, err := l.pools.take(l.starting, &turn{tenant: j.Tenant, alone: true})
	return t, func() { among.end(); t.end() }, err
}

// Add queues jobs, one after the other, in place of those that they make pointless, and stops what runs if that is to make way.
func (l *Lanes) Add(jobs ...*Job) {
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
			d.Superseded(d.reason)
		})
	}
	all.Wait()
}

func (l *Lanes) enqueue(jobs []*Job) (gone []dropped) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		var pointless []dropped
		target := l.at(j.Lane)
		target.queue, pointless = arrange(target.running, target.queue, j)
		l.closeTenant(target, j)
		target.makeWay()
		gone = append(gone, pointless...)
	}
	return gone
}

// closeTenant lets nothing new of a tenant start once its update has come, and not only when that asks for its turn: until then its
// copy is written into the cluster, which takes long where the API server is slow. mu is held.
func (l *Lanes) closeTenant(own *lane, j *Job) {
	if !j.Alone || own.closes != "" {
		return
	}
	own.closes = j.Tenant
	l.turns.close(j.Tenant)
	l.pools.close(j.Tenant)
}

// openTenant takes closeTenant back. mu is held.
func (l *Lanes) openTenant(own *lane) {
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
		if l.running == nil || queued.Owner != l.running.Owner {
			continue // another workload's, which has the same release name
		}
		if reason := stops(queued, l.running, l.resting); reason != nil {
			l.stop(reason)
			return
		}
		if queued.Kind == Scale {
			return // it is to find what runs deployed: on a fresh release there would be nothing to scale
		}
	}
}

// at is a lane with a worker. l.mu is held.
func (l *Lanes) at(name string) *lane {
	target := l.lanes[name]
	if target == nil {
		target = &lane{}
		l.lanes[name] = target
		go l.work(name, target)
	}
	return target
}

// Busy tells whether something is queued or running in a lane.
func (l *Lanes) Busy(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[name] != nil
}

// Touch lets a lane take what hold finds for it.
func (l *Lanes) Touch(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(name).touched = true
}

// work runs a lane's jobs until none is left. What may not start any more stays on disk.
func (l *Lanes) work(name string, own *lane) {
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
func (l *Lanes) holds(name string, own *lane) bool {
	l.mu.Lock()
	own.touched = false
	l.mu.Unlock()
	if l.Hold == nil {
		return true
	}
	older, err := l.Hold(l.starting, name)
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
func (l *Lanes) runNext(name string, own *lane) bool {
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
	j.Run(withTurn(ctx, turn))

	l.mu.Lock()
	defer l.mu.Unlock()
	own.running, own.resting, own.stop = nil, false, nil
	return true
}

// begin takes the head of the queue to run it; nil: nothing may start, or the head is another tenant's by now, whose turn it is not.
func (l *Lanes) begin(own *lane, turn *turn, stop context.CancelCauseFunc) *Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.starting.Err() != nil || len(own.queue) == 0 || own.queue[0].Tenant != turn.tenant {
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

// Wait returns when nothing is queued that could start, and nothing is running.
func (l *Lanes) Wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.lanes) > 0 {
		l.idle.Wait()
	}
}
