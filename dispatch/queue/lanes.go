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
	// errShut stops a parked job, so that the operator can end. The next life resumes it.
	errShut = errors.New("the operator ends")
)

// Lanes runs jobs: one after the other within a lane, in the order of arrange; in different lanes at the same time, as turns allow. A
// lane has a goroutine while it has jobs. All methods may be called at any time.
type Lanes struct {
	// Prepare, if not nil, is called before a job of a lane starts. It may wait for long: until work may start, and until all jobs that
	// were added would survive a crash. It returns jobs that come before those that were added. After an error nothing of the lane starts
	// until Add or Touch is called for it. It calls waits whenever it begins to wait for something.
	Prepare func(ctx context.Context, lane string, waits func(Wait)) (older []*Job, err error)

	ctx      context.Context
	starting context.Context    // ends at Shut: then nothing starts any more
	shut     context.CancelFunc // ends starting
	turns    *turns
	pools    *turns // for the pools' events, which neither wait for workloads nor make them wait

	mu    sync.Mutex
	idle  *sync.Cond // signals that lanes is empty
	lanes map[string]*lane
}

type lane struct {
	queue   []*Job
	blocks  string // the tenant whose update this lane has, and whose other jobs do not start meanwhile; empty: none
	running *Job
	parked  bool                    // running waits without a slot, for its next try or its pods
	touched bool                    // Touch was called since the worker last called Prepare
	waits   Wait                    // what the head of the queue waits for; zero: for nothing, or for running
	turn    *Turn                   // the turn for which the head of the queue waits; nil: none
	stop    context.CancelCauseFunc // stops running
}

// New makes lanes whose jobs run until ctx ends. slots is how many work at the same time. most is how many may be at work together with
// those that have lost their slot because they take long (see slotTime), so that they fit into the memory; 0: any number.
func New(ctx context.Context, slots, most int) *Lanes {
	l := &Lanes{ctx: ctx, turns: newTurns(slots, most), pools: newTurns(poolSlots, 0), lanes: map[string]*lane{}}
	l.starting, l.shut = context.WithCancel(ctx)
	l.idle = sync.NewCond(&l.mu)
	return l
}

// poolSlots is small: each slot is a kubectl of 50 MiB besides the helms, and a pool's event takes a tenth of a second.
const poolSlots = 2

// Shut lets nothing start any more, and stops parked jobs: the next life goes on waiting for them, and until then nobody leads.
func (l *Lanes) Shut() {
	l.shut()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.lanes {
		own.stopParked()
	}
}

// stopParked stops the running job if it is parked. The lanes' mu is held.
func (l *lane) stopParked() {
	if l.running != nil && l.parked {
		l.stop(errShut)
	}
}

// turn waits for a job's turn. The caller must call end, also after an error. A tenant's update waits for turns of both kinds, because
// nothing else of the tenant, workload or pool, may run beside it.
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

// waits records what the head of a lane's queue waits for; turn is the turn that it waits for, or nil.
func (l *Lanes) waits(own *lane, turn *Turn, w Wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own.turn, own.waits = turn, w
	own.tell()
}

// Look tells each job that waits for a turn what it waits for now, if that has changed.
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

// Add queues jobs, one after the other. They replace the jobs that they make pointless, and stop the running one if they preempt it. It
// returns when the replaced jobs have ended.
func (l *Lanes) Add(jobs ...*Job) {
	endSuperseded(l.enqueue(jobs)) // without holding mu, because it writes to disk
}

// maxEnding is how many superseded jobs are ended at the same time. Each syncs a file, and a disk syncs many at once in the time of one.
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

// blockTenant lets nothing new of a tenant start from the moment its update has come. It is too late to do so when the update asks for
// its turn: before that its copy is written to the cluster, which takes long if the API server is slow. mu is held.
func (l *Lanes) blockTenant(own *lane, j *Job) {
	if !j.Alone || own.blocks != "" {
		return
	}
	own.blocks = j.Tenant
	l.turns.block(j.Tenant)
	l.pools.block(j.Tenant)
}

// unblockTenant undoes blockTenant. mu is held.
func (l *Lanes) unblockTenant(own *lane) {
	if own.blocks == "" {
		return
	}
	l.turns.unblock(own.blocks)
	l.pools.unblock(own.blocks)
	own.blocks = ""
}

// preempt stops the running job if a queued one preempts it. The lanes' mu is held.
func (l *lane) preempt() {
	for _, queued := range l.queue {
		if l.running == nil || queued.Subject != l.running.Subject {
			continue // of another workload with the same release name
		}
		if reason := preempts(queued, l.running, l.parked); reason != nil {
			l.stop(reason)
			return
		}
		if queued.Kind == Scale {
			return // the scaling needs the running deploy to finish: on a fresh release there would be nothing to scale
		}
	}
}

// at returns the lane of that name, and creates it with its worker if necessary. l.mu is held.
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

// Touch makes a lane call Prepare, which may have new jobs for it.
func (l *Lanes) Touch(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(name).touched = true
}

// work runs a lane's jobs until none is left. Jobs that may not start any more stay on disk.
func (l *Lanes) work(name string, own *lane) {
	for more := true; more; {
		more = l.prepare(name, own) && l.runNext(name, own)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (len(own.queue) > 0 || own.touched) && l.starting.Err() == nil { // a job has come meanwhile
		go l.work(name, own)
		return
	}
	delete(l.lanes, name)
	l.unblockTenant(own)
	l.idle.Broadcast()
}

// prepare calls Prepare, and queues the jobs that it returns before those that were added. It returns false if nothing may start.
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

// runNext waits for a turn and runs the head of the queue. The head stays in the queue until it has its turn, so that a newer job can
// replace it until then. All jobs of a lane have the same Pool and Alone. It returns false if no job is left, or none may start.
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
	if err != nil || !l.prepare(name, own) { // prepared again: a newer job may have come meanwhile, and it must survive a crash before it runs
		return false
	}
	ctx, stop := context.WithCancelCause(l.ctx)
	defer stop(nil)
	j := l.begin(own, turn, stop)
	if j == nil {
		return true // the next call finds out why
	}
	j.Run(withTurn(ctx, turn))

	l.mu.Lock()
	defer l.mu.Unlock()
	own.running, own.parked, own.stop = nil, false, nil
	return true
}

// begin takes the head of the queue, to run it. nil: nothing may start, or the queue has another tenant's job at its head by now, to
// which the turn does not belong.
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

// Wait returns when nothing is running, and nothing is queued that could start.
func (l *Lanes) Wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.lanes) > 0 {
		l.idle.Wait()
	}
}
