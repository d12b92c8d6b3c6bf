// Package journal is what several operators of one controller know of each other through the cluster.
//
// A Leader decides which of them works. The Journal keeps a copy of every unfinished event of the one that does, so that it survives a
// pod that is replaced with its disk: one Secret per lane (a release or a pool) holds the lane's. Whoever leads next loads them all, and
// takes what others hand over later: events that they had accepted and not copied when they stopped leading.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	Controller string   // its address: only operators of the same controller take over from each other
	Key        string   // seals what a release's own Secret does not hold; empty: that is left out
	Namespaces []string // in which there may be lanes

	// MayWrite tells whether this operator leads for certain: the copies may soon be another one's. nil: it does.
	MayWrite func() bool
	// Restore puts an event that is in the cluster on this operator's disk, with its notes (see runs.Run.Inherit); nil, nil: it was there,
	// and has ended.
	Restore func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error)
	// Report sends a report that is in the cluster.
	Report func(run *runs.Run, report []byte)
	// Found is told of an event that has come out of the cluster, and is to be done.
	Found func(run *runs.Run)
}

// Journal is safe for use by several goroutines. A nil one keeps nothing.
type Journal struct {
	api     API
	o       Options
	log     *slog.Logger
	cluster string // label of all that belongs to one controller
	slots   chan struct{}
	missing map[string]bool // namespaces that could not be loaded

	mu      sync.Mutex
	lanes   map[string]*lane
	dirty   map[*lane]bool
	wake    *sync.Cond
	closed  bool // what is dirty is written, and then no more
	stopped bool // nothing is written any more
}

// New makes a journal. Load what there is, then let it Run.
func New(api API, o Options, log *slog.Logger) *Journal {
	j := &Journal{
		api: api, o: o, log: log, cluster: shortHash(o.Controller), slots: make(chan struct{}, writers), missing: map[string]bool{},
		lanes: map[string]*lane{}, dirty: map[*lane]bool{},
	}
	j.wake = sync.NewCond(&j.mu)
	return j
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:10])
}

// Add puts a run that is to be done into its lane. It returns at once: see Copied.
func (j *Journal) Add(l Lane, run *runs.Run) {
	j.change(l, func(own *lane) {
		e := own.entry(run.ID)
		if e == nil {
			e = own.insert(&entry{run: run, reported: true})
		}
		e.finished = false // killed between its report and its result: it is run again
	})
}

// Reporting adds what the controller is to be told of a run's end.
func (j *Journal) Reporting(l Lane, run *runs.Run, report []byte) {
	j.change(l, func(own *lane) {
		e := own.entry(run.ID)
		if e == nil { // of a run that had ended when the operator was started
			e = own.insert(&entry{run: run, finished: true})
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
	return j.write(ctx, j.known(l.Name))
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
// What runs does not wait for it: see Copied.
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
		own = &lane{Lane: l, secret: j.secretName(l), writing: make(chan struct{}, 1)}
		j.lanes[l.Name] = own
	}
	return own
}

func (j *Journal) secretName(l Lane) string {
	return "octo-journal-" + shortHash(j.o.Controller+"\x00"+l.Name)
}

// known is a lane, or nil.
func (j *Journal) known(name string) *lane {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lanes[name]
}
