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
	// errShut stops what is parked, so that the operator can end. The next life resumes it.
	errShut = errors.New("the operator ends")
)

// Lanes runs jobs: one after the other within a lane, in the order of arrange; lanes beside each other, as turns allow. A lane has a goroutine
// while it has jobs. All methods may be called at any time.
type Lanes struct {
	// Prepare, if not nil, is called before a job of a lane starts, and may wait for long: until work may start, and what was added would survive
	// a crash. It returns jobs that come before those that were added. After an error nothing of the lane starts, until Add or Touch is
	// called for it again. It calls waits with what it begins to wait for.
	Prepare func(ctx context.Context, lane string, waits func(Wait)) (older []*Job, err error)

	ctx      context.Context
	starting context.Context    // ends when nothing may start any more
	shut     context.CancelFunc // ends starting
	turns    *turns
	pools    *turns // of the pools' events: these neither wait for workloads nor keep them waiting

	mu    sync.Mutex
	idle  *sync.Cond // lanes is empty
	lanes map[string]*lane
}

type lane struct {
	queue   []*Job
	blocks  string // the tenant of which nothing new starts while this lane, its updates', has work; empty: of none
	running *Job
	parked  bool                    // what runs waits without a slot, for its next try or its pods
	touched bool                    // since its worker last called Prepare
	waits   Wait                    // what the head of the queue waits for; zero: for nothing, or for what runs
	turn    *Turn                   // which the head of the queue waits for; nil: for none
	stop    context.CancelCauseFunc // of what is running
}

// New makes lanes whose jobs run until ctx ends. slots is how many work at a time; most is how many may be at work with those that have lost
// their slot because they take long (see slotTime): more of them the memory does not bear; 0: any number.
func New(ctx context.Context, slots, most int) *Lanes {
	l := &Lanes{ctx: ctx, turns: newTurns(slots, most), pools: newTurns(poolSlots, 0), lanes: map[string]*lane{}}
	l.starting, l.shut = context.WithCancel(ctx)
	l.idle = sync.NewCond(&l.mu)
	return l
}

// poolSlots are few: each is a kubectl of 50 MiB beside the helms, and a pool's takes a tenth of a second.
const poolSlots = 2

// Shut lets nothing start any more, and stops what is parked: the next life waits on, and until then nobody leads.
func (l *Lanes) Shut() {
	l.shut()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.lanes {
		own.stopParked()
	}
}

// stopParked stops what runs if it is parked. The lanes' mu is held.
func (l *lane) stopParked() {
	if l.running != nil && l.parked {
		l.stop(errShut)
	}
}

// turn waits for a job's turn; end gives it back, and is to be called after an error too. A tenant's update waits for turns of both kinds: it is
// alone among the tenant's workloads and pools.
func (l *Lanes) turn(own *lane, j *Job) (t *Turn, end func(), err error) {
	waits := func(t *Turn, w Wait) { l.waits(own, t, w) }
	defer l.waits(own, nil, Wait{})
	if j.Pool {
		t, err = l.pools.take(l.starting, &Turn{tenant: j.Tenant, leavesFlight: true, onWait: waits})
		return t, t.end, err
	}
	t, err = l.turns.take(l.starting, &Turn{tenant: j.Tenant, alone: j.Alone, onWait: waits})
	if err != nil || !j.Alone {
		return t, t.end, err
	}
	amongPools, err := l.pools.take(l.starting, &Turn{tenant: j.Tenant, alone: true, onWait: waits})
	return t, func() { amongPools.end(); t.end() }, err
}

// waits notes what the head of a lane's queue waits for; turn, if not nil, is what it has not got.
func (l *Lanes) waits(own *lane, turn *Turn, w Wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own.turn, own.waits = turn, w
	own.tell()
}

// Look tells each job that waits for a turn what it waits for by now, if that is something else than it was told.
func (l *Lanes) Look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.lanes {
		if own.turn == nil {
			continue
		}
		if w := own.turn.waitsFor(); w != (Wait{}) {
			own.waits = w
			own.tell()
		}
	}
}

// tell tells the queued jobs what they wait for. The lanes' mu is held.
func (l *lane) tell() {
	for i, j := range l.queue {
		w := behindAnother
		if i == 0 && l.running == nil {
			w = l.waits
		}
		if w == (Wait{}) || w == j.told || j.Waits == nil {
			continue
		}
		j.told = w
		j.Waits(w)
	}
}

// Add queues jobs, one after the other, in place of those that they make pointless, and stops what runs if one of them preempts it. It returns
// when those that are not to be run have ended.
func (l *Lanes) Add(jobs ...*Job) {
	endSuperseded(l.enqueue(jobs)) // writes to disk: not while the lanes are locked
}

// maxEnding is how many superseded jobs are ended at the same time. Each syncs a file, and a disk syncs many together in the time of one.
const maxEnding = 16

func endSuperseded(gone []superseded) {
	slots := make(chan struct{}, maxEnding)
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

func (l *Lanes) enqueue(jobs []*Job) (gone []superseded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	into := map[*lane]bool{}
	for _, j := range jobs {
		var pointless []superseded
		target := l.at(j.Lane)
		into[target] = true
		target.queue, pointless = arrange(target.running, target.queue, j)
		l.blockTenant(target, j)
		target.preempt()
		gone = append(gone, pointless...)
	}
	for target := range into {
		target.tell()
	}
	return gone
}

// blockTenant lets nothing new of a tenant start once its update has come, and not only when that asks for its turn: until then its
// copy is written into the cluster, which takes long where the API server is slow. mu is held.
func (l *Lanes) blockTenant(own *lane, j *Job) {
	if !j.Alone || own.blocks != "" {
		return
	}
	own.blocks = j.Tenant
	l.turns.block(j.Tenant)
	l.pools.block(j.Tenant)
}

// unblockTenant takes blockTenant back. mu is held.
func (l *Lanes) unblockTenant(own *lane) {
	if own.blocks == "" {
		return
	}
	l.turns.unblock(own.blocks)
	l.pools.unblock(own.blocks)
	own.blocks = ""
}

// preempt stops what runs if something that is queued preempts it. The lanes' mu is held.
func (l *lane) preempt() {
	for _, queued := range l.queue {
		if l.running == nil || queued.Subject != l.running.Subject {
			continue // another workload's, which has the same release name
		}
		if reason := preempts(queued, l.running, l.parked); reason != nil {
			l.stop(reason)
			return
		}
		if queued.Kind == Scale {
			return // it is to find what runs deployed: on a fresh release there would be nothing to scale
		}
	}
}

// at is the lane of that name, with a worker. l.mu is held.
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

// Touch makes a lane call Prepare, which may have jobs for it.
func (l *Lanes) Touch(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(name).touched = true
}

// work runs a lane's jobs until none is left. What may not start any more stays on disk.
func (l *Lanes) work(name string, own *lane) {
	for more := true; more; {
		more = l.prepare(name, own) && l.runNext(name, own)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (len(own.queue) > 0 || own.touched) && l.starting.Err() == nil { // since the last look
		go l.work(name, own)
		return
	}
	delete(l.lanes, name)
	l.unblockTenant(own)
	l.idle.Broadcast()
}

// prepare calls Prepare, and queues the jobs that it returns before those that were added. False: nothing may start.
func (l *Lanes) prepare(name string, own *lane) bool {
	l.mu.Lock()
	own.touched = false
	l.mu.Unlock()
	if l.Prepare == nil {
		return true
	}
	older, err := l.Prepare(l.starting, name, func(w Wait) { l.waits(own, nil, w) })
	if err != nil {
		return false
	}
	l.mu.Lock()
	own.waits = Wait{}
	var gone []superseded
	all := append(older, own.queue...)
	own.queue = nil
	for _, j := range all {
		var more []superseded
		own.queue, more = arrange(nil, own.queue, j)
		gone = append(gone, more...)
		l.blockTenant(own, j)
	}
	own.tell()
	l.mu.Unlock()
	endSuperseded(gone)
	return true
}

// runNext waits for a turn and runs the head of the queue. It is taken from the queue only then, so that until then a newer
// one can take its place. All jobs of a lane are alike in Pool and Alone. False: there is nothing to run any more.
func (l *Lanes) runNext(name string, own *lane) bool {
	l.mu.Lock()
	if len(own.queue) == 0 {
		l.mu.Unlock()
		return false
	}
	head := own.queue[0]
	l.mu.Unlock()

	turn, end, err := l.turn(own, head)
	defer end()
	if err != nil || !l.prepare(name, own) { // again: a newer job may have come meanwhile, and what runs must survive
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
	own.running, own.parked, own.stop = nil, false, nil
	return true
}

// begin takes the head of the queue to run it; nil: nothing may start, or the head is another tenant's by now, whose turn it is not.
func (l *Lanes) begin(own *lane, turn *Turn, stop context.CancelCauseFunc) *Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.starting.Err() != nil || len(own.queue) == 0 || own.queue[0].Tenant != turn.tenant {
		return nil
	}
	j := own.queue[0]
	own.queue, own.running, own.stop = own.queue[1:], j, stop
	own.tell()
	turn.onPark = func(parked bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		own.parked = parked
		own.preempt()
		if l.starting.Err() != nil {
			own.stopParked()
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
