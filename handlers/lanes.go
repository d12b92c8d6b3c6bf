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

// errUndeployed stops a running deploy.
var errUndeployed = errors.New("stopped: the workload is being undeployed")

// lanes runs jobs: one after the other within a lane, in the order added; lanes beside each other, up to a limit.
type lanes struct {
	ctx   context.Context
	slots chan struct{}
	idle  sync.WaitGroup

	mu      sync.Mutex
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
	target := l.lanes[j.lane]
	if target == nil {
		target = &lane{}
		l.lanes[j.lane] = target
		l.idle.Add(1)
		go l.work(j.lane, target)
	}
	var kept []*job
	for _, queued := range target.queue {
		if replaces(j.kind, queued.kind) {
			pointless = append(pointless, queued)
		} else {
			kept = append(kept, queued)
		}
	}
	target.queue = append(kept, j)
	if j.kind == undeploy && target.running != nil && target.running.kind == deploy {
		target.stop(errUndeployed)
	}
	return pointless
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
	for {
		l.mu.Lock()
		if len(own.queue) == 0 {
			delete(l.lanes, name)
			l.mu.Unlock()
			return
		}
		head := own.queue[0]
		gate := l.gate(head.tenant)
		l.mu.Unlock()

		l.runNext(own, gate, head.alone)
	}
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
func (l *lanes) runNext(own *lane, gate *sync.RWMutex, alone bool) {
	if alone {
		gate.Lock()
		defer gate.Unlock()
	} else {
		gate.RLock()
		defer gate.RUnlock()
	}
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	ctx, stop := context.WithCancelCause(l.ctx)
	defer stop(nil)

	l.mu.Lock()
	if ctx.Err() != nil { // shutting down: what has not started stays on disk
		own.queue = nil
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
