package handlers

import (
	"context"
	"errors"
	"sync"
)

// kind decides which queued or running events a newer event of its lane makes pointless.
type kind int

const (
	other kind = iota
	deploy
	undeploy
	scale
)

// job is an event in its lane.
type job struct {
	lane   string // a release or a pool
	tenant string
	kind   kind
	alone  bool // nothing else of the tenant may run beside it
	run    func(context.Context)
	// superseded is called instead of run.
	superseded func()
}

var (
	// errUndeployed stops a running deploy.
	errUndeployed = errors.New("stopped: the workload is being undeployed")
	// errTakenOver stops whatever runs in a lane.
	errTakenOver = errors.New("stopped: another operator has taken over the release, because this one could not reach the API server for too long")
)

// lanes runs jobs: one after the other within a lane, in the order added; lanes beside each other, up to a limit.
type lanes struct {
	// hold, if not nil, makes a lane this operator's before anything runs in it, and makes sure that what has been added to
	// it would survive. It may wait for long, and returns jobs that come before those that were added. An error means
	// that the lane's work is to be left.
	hold func(ctx context.Context, lane string) (older []*job, err error)

	ctx   context.Context
	slots chan struct{}
	idle  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	lanes   map[string]*lane
	tenants map[string]*sync.RWMutex
}

type lane struct {
	queue   []*job
	running *job
	stop    context.CancelCauseFunc // of what is running
}

func newLanes(ctx context.Context, concurrency int) *lanes {
	return &lanes{
		ctx: ctx, slots: make(chan struct{}, concurrency),
		lanes: map[string]*lane{}, tenants: map[string]*sync.RWMutex{},
	}
}

// add queues a job in place of those before it that it makes pointless. An undeploy also stops a running deploy.
func (l *lanes) add(j *job) {
	for _, pointless := range l.enqueue(j) {
		pointless.superseded() // writes to disk: not while the lanes are locked
	}
}

func (l *lanes) enqueue(j *job) (pointless []*job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	target := l.at(j.lane)
	target.queue, pointless = behind(target.queue, j)
	if j.kind == undeploy && target.running != nil && target.running.kind == deploy {
		target.stop(errUndeployed)
	}
	return pointless
}

// at is a lane with a worker. l.mu is held.
func (l *lanes) at(name string) *lane {
	target := l.lanes[name]
	if target == nil {
		target = &lane{}
		l.lanes[name] = target
		l.idle.Add(1)
		go l.work(name, target)
	}
	return target
}

// touch lets a lane take what hold finds for it.
func (l *lanes) touch(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at(name)
}

// lose drops a lane's work: it is somebody else's now.
func (l *lanes) lose(name string) {
	l.mu.Lock()
	lost := l.lanes[name]
	var queued []*job
	if lost != nil {
		queued, lost.queue = lost.queue, nil
		if lost.running != nil {
			lost.stop(errTakenOver)
		}
	}
	l.mu.Unlock()
	for _, j := range queued {
		j.superseded()
	}
}

// close lets nothing start any more. What runs goes on.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// ended tells whether nothing may start any more: what has not started stays on disk. l.mu is held.
func (l *lanes) ended() bool { return l.closed || l.ctx.Err() != nil }

// behind puts a job at the end of a queue, in place of those that it makes pointless.
func behind(queue []*job, j *job) (kept, pointless []*job) {
	for _, queued := range queue {
		if replaces(j.kind, queued.kind) {
			pointless = append(pointless, queued)
		} else {
			kept = append(kept, queued)
		}
	}
	return append(kept, j), pointless
}

// replaces tells whether a newer job makes an older one that is still queued pointless. Of deploys, and of scalings, only
// the newest counts; an undeploy ends them all. A deploy never takes an undeploy's place: after both, the release is a
// fresh one.
func replaces(newer, older kind) bool {
	switch older {
	case deploy:
		return newer == deploy || newer == undeploy
	case scale:
		return newer == scale || newer == undeploy
	case undeploy:
		return newer == undeploy
	}
	return false
}

// work runs a lane's jobs until none is left.
func (l *lanes) work(name string, own *lane) {
	defer l.idle.Done()
	for l.holds(name, own) {
		l.mu.Lock()
		if len(own.queue) == 0 || l.ended() {
			delete(l.lanes, name)
			l.mu.Unlock()
			return
		}
		head := own.queue[0]
		gate := l.gate(head.tenant)
		l.mu.Unlock()

		l.runNext(name, own, gate, head.alone)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lanes, name)
}

// holds makes sure that the lane is ours, and puts what was left in it before what has been added.
func (l *lanes) holds(name string, own *lane) bool {
	if l.hold == nil {
		return true
	}
	older, err := l.hold(l.ctx, name)
	if err != nil {
		return false
	}
	l.mu.Lock()
	all := append(older, own.queue...)
	own.queue = nil
	var pointless []*job
	for _, j := range all {
		var gone []*job
		own.queue, gone = behind(own.queue, j)
		pointless = append(pointless, gone...)
	}
	l.mu.Unlock()
	for _, j := range pointless {
		j.superseded()
	}
	return true
}

// gate of a tenant: every job holds it for reading, one that must be alone for writing. A waiting writer lets nothing
// new start while what is in flight settles.
func (l *lanes) gate(tenant string) *sync.RWMutex {
	if l.tenants[tenant] == nil {
		l.tenants[tenant] = &sync.RWMutex{}
	}
	return l.tenants[tenant]
}

// runNext waits for the tenant's gate and for a free slot, in this order: whoever waits for a tenant must not keep the
// others from running. Only then the job is taken from the queue, so that until then a newer one can take its place.
// All jobs of a lane are alike in tenant and alone.
func (l *lanes) runNext(name string, own *lane, gate *sync.RWMutex, alone bool) {
	if alone {
		gate.Lock()
		defer gate.Unlock()
	} else {
		gate.RLock()
		defer gate.RUnlock()
	}
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	if !l.holds(name, own) { // again: a newer job may have come meanwhile, and what runs must survive
		return
	}
	ctx, stop := context.WithCancelCause(l.ctx)
	defer stop(nil)

	l.mu.Lock()
	if l.ended() || len(own.queue) == 0 {
		l.mu.Unlock()
		return
	}
	j := own.queue[0]
	own.queue, own.running, own.stop = own.queue[1:], j, stop
	l.mu.Unlock()

	j.run(ctx)

	l.mu.Lock()
	own.running, own.stop = nil, nil
	l.mu.Unlock()
}

// wait returns when nothing is queued or running.
func (l *lanes) wait() { l.idle.Wait() }
