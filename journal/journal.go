// Package journal keeps a copy of every unfinished event in the cluster, so that it survives a pod that is replaced with its
// disk. One Secret per lane (a release or a pool) holds the lane's unfinished events; whose Secret it is, whose lane it
// is: of two operators that are alive at the same time, as in a rolling update, only one works on a release.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/runs"
)

// API is the Kubernetes API.
type API interface {
	Do(ctx context.Context, method, path string, body, into any) error
	Metadata(ctx context.Context, path string) ([]kube.Metadata, error)
}

// Lane is what events follow each other in.
type Lane struct {
	Name      string
	Namespace string // of its Secret
}

// Options are what the journal is about, and what it calls back.
type Options struct {
	Identity   string   // of this operator; the same after a restart on the same disk
	Controller string   // only operators of the same controller take over from each other
	Key        string   // seals what a release's own Secret does not hold; empty: that is left out
	Namespaces []string // in which there may be lanes
	LeaseIn    string   // the namespace of the operator's Lease

	// Restore puts an event that was left on this operator's disk, with its notes (see runs.Run.Inherit); nil, nil: it was there, and
	// has ended.
	Restore func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error)
	// Report sends a report that was left.
	Report func(run *runs.Run, report []byte)
	// Found tells of a lane in which something was left: Hold it.
	Found func(lane string)
	// Lost tells of a lane that another operator has taken over: stop working in it.
	Lost func(lane string)
}

// Journal is safe for use by several goroutines. A nil one keeps nothing.
type Journal struct {
	api     API
	o       Options
	log     *slog.Logger
	cluster string // label of all that belongs to one controller
	leased  chan struct{}
	holders holders
	slots   chan struct{} // for writing
	looked  bool          // the earlier life's lanes are known

	mu     sync.Mutex
	lanes  map[string]*lane
	dirty  map[*lane]bool
	wake   *sync.Cond
	off    bool // the operator has no Lease: there are no copies
	closed bool
}

// New makes a journal; Run lets it work.
func New(api API, o Options, log *slog.Logger) *Journal {
	j := &Journal{
		api: api, o: o, log: log, cluster: shortHash(o.Controller), leased: make(chan struct{}), slots: make(chan struct{}, writers),
		lanes: map[string]*lane{}, dirty: map[*lane]bool{},
	}
	j.wake = sync.NewCond(&j.mu)
	return j
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:10])
}

// Add puts a run that is to be done into its lane. It returns at once: see Hold.
func (j *Journal) Add(l Lane, run *runs.Run) {
	j.change(l, func(own *lane) {
		e := own.entry(run.ID)
		if e == nil {
			e = &entry{run: run, reported: true}
			own.entries = append(own.entries, e)
		}
		e.finished = false // killed between its report and its result: it is run again
	})
}

// Reporting adds what the controller is to be told of a run's end.
func (j *Journal) Reporting(l Lane, run *runs.Run, report []byte) {
	j.change(l, func(own *lane) {
		e := own.entry(run.ID)
		if e == nil { // of a run that had ended when the operator was started
			e = &entry{run: run, finished: true}
			own.entries = append(own.entries, e)
		}
		e.reported, e.report = false, report
	})
}

// Reported is called when the controller knows, or will never know.
func (j *Journal) Reported(l Lane, id string) {
	j.change(l, func(own *lane) {
		if e := own.entry(id); e != nil {
			e.reported, e.report = true, nil
		}
	})
}

// Noted is called when the notes of an inherited run have changed.
func (j *Journal) Noted(l Lane) { j.change(l, func(*lane) {}) }

// Note is Noted, and returns when the cluster has the notes. The error is why it does not have them.
func (j *Journal) Note(ctx context.Context, l Lane) error {
	if j == nil {
		return nil
	}
	j.Noted(l)
	j.mu.Lock()
	own, off := j.lanes[l.Name], j.off
	j.mu.Unlock()
	if own == nil || off {
		return nil
	}
	_, err := j.write(ctx, own, false)
	return err
}

// Finished is called when a run has its result.
func (j *Journal) Finished(l Lane, id string) {
	j.change(l, func(own *lane) {
		if e := own.entry(id); e != nil {
			e.finished = true
		}
	})
}

// change changes a lane's entries and lets the cluster know, in the background.
func (j *Journal) change(l Lane, change func(*lane)) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.off {
		return
	}
	own := j.at(l)
	change(own)
	own.dropDone()
	own.changes++
	if !own.scheduled {
		own.scheduled = true
		time.AfterFunc(copyDelay, func() { j.schedule(own) })
	}
}

// copyDelay lets changes gather: a report that is delivered at once needs no copy, and a flood for one release needs few.
// What runs does not wait for it: see Hold.
const copyDelay = 50 * time.Millisecond

func (j *Journal) schedule(own *lane) {
	j.mu.Lock()
	defer j.mu.Unlock()
	own.scheduled = false
	j.dirty[own] = true
	j.wake.Signal()
}

// at finds a lane or begins it. j.mu is held.
func (j *Journal) at(l Lane) *lane {
	own := j.lanes[l.Name]
	if own == nil {
		own = &lane{Lane: l, secret: "octo-journal-" + shortHash(j.o.Controller+"\x00"+l.Name), writing: make(chan struct{}, 1)}
		j.lanes[l.Name] = own
	}
	return own
}

const (
	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Hold returns when the lane is this operator's and the cluster has everything that was added to it. It waits for another
// operator that is at work there, and for the API server when that is away; the error is that ctx ended meanwhile. What had been
// left in the lane is returned, oldest first: it comes before what was added.
func (j *Journal) Hold(ctx context.Context, name string) (left []*runs.Run, err error) {
	if j == nil {
		return nil, nil
	}
	select {
	case <-j.leased:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	j.mu.Lock()
	own, off := j.lanes[name], j.off
	j.mu.Unlock()
	if own == nil || off {
		return nil, nil
	}
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		restored, err := j.write(ctx, own, true)
		left = append(left, restored...)
		if err == nil {
			return left, nil
		}
		j.tellWaiting(own, err)
		if errors.Is(err, errHeld) {
			wait = firstWait
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return left, ctx.Err()
		}
	}
}

// tellWaiting says once why nothing happens in a lane.
func (j *Journal) tellWaiting(own *lane, err error) {
	j.mu.Lock()
	told := own.toldWaiting
	own.toldWaiting = true
	j.mu.Unlock()
	if !told {
		j.log.Warn("events wait", "lane", own.Name, "reason", err)
	}
}

const (
	// writers is how many lanes are written at the same time: a burst of events must not become a burst on the API server.
	writers = 8
	// inBackground is how many of them write what nobody waits for. More would take from a burst of events what it needs to be
	// taken in: etcd syncs a disk for each write, which may be the same.
	inBackground = 2
)

// writeChanges writes lanes that have changed, until the journal is closed.
func (j *Journal) writeChanges(ctx context.Context) {
	for {
		own := j.nextDirty()
		if own == nil {
			return
		}
		if _, err := j.write(ctx, own, false); err != nil && ctx.Err() == nil && !errors.Is(err, errTaken) {
			j.log.Debug("events not copied to the cluster yet", "lane", own.Name, "reason", err)
			// The beat makes it dirty again.
		}
	}
}

// nextDirty waits for a lane to write; nil: the journal is closed, and nothing is left to write.
func (j *Journal) nextDirty() *lane {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.dirty) == 0 {
		if j.closed {
			return nil
		}
		j.wake.Wait()
	}
	for own := range j.dirty {
		delete(j.dirty, own)
		return own
	}
	return nil
}
