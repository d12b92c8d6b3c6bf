// Package journal is the operator's part of what several operators of one controller share through the cluster: a Lease, and copies of unfinished
// events.
//
// A Leader decides, by the Lease, which operator works. The Journal of that one copies each unfinished event into the cluster, so that it
// survives the loss of the pod with its disk: one Secret for each lane (a release or a pool). The next leader loads all copies. Later it also
// takes events that others hand over: those that they had accepted and not copied when they stopped leading.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/kube"
)

// API is the Kubernetes API.
type API interface {
	Do(ctx context.Context, method, path string, body, into any) error
	Metadata(ctx context.Context, path string) ([]kube.Metadata, error)
}

// Lane names a lane, whose events run one after the other.
type Lane struct {
	Name      string
	Namespace string // of its Secret
}

// Options are the journal's identity and its callbacks.
type Options struct {
	Controller string   // its address: only operators of the same controller take over from each other
	Identity   string   // of this operator, as in LeaderOptions
	Key        string   // seals what a release's own Secret does not hold; empty: that is left out
	Namespaces []string // in which there may be lanes

	// MayWrite tells whether this operator still leads for certain; if not, the copies may soon belong to another one. nil: it does.
	MayWrite func() bool
	// Restore writes an event from the cluster to this operator's disk, with its notes (see runs.Run.CrashNotes). It returns nil, nil if the event
	// was on the disk and has ended.
	Restore func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error)
	// Report sends a report that is in the cluster.
	Report func(run *runs.Run, report []byte)
	// Found is called for each event from the cluster that is to be carried out. from is the identity of the operator that has handed it over
	// after it had it only on its disk; "": it was copied when it came.
	Found func(run *runs.Run, from string)
}

// Journal may be used by several goroutines. A nil Journal keeps nothing.
type Journal struct {
	api     API
	o       Options
	log     *slog.Logger
	slots   chan struct{}   // for requests that write
	changed chan struct{}   // has a value after a change
	missing map[string]bool // namespaces that are not loaded yet

	mu      sync.Mutex
	lanes   map[string]*lane
	stopped bool // nothing is written any more
}

// lane is a Lane with its entries, and how much of them the cluster has.
type lane struct {
	Lane
	secret string // its name

	// Under Journal.mu:
	entries []*entry // oldest first
	changes int      // how often they have changed
	written int      // which change the cluster has
	due     bool     // it is to be written in the background
	told    bool     // why it cannot be written

	writing chan struct{} // room for one, as in a Mutex, but waiting for it can end: see enter
	// Under writing:
	version string   // the Secret's resourceVersion, as we know it; empty: there is none
	handed  []secret // what others have handed over, and is in the lane now: to be deleted
}

// entry is a run of which the cluster must know.
type entry struct {
	run      *runs.Run
	finished bool   // it has its result
	report   []byte // what the controller is to be told, and does not know yet; nil: nothing
}

// New makes a journal. Call Load, and then Run.
func New(api API, o Options, log *slog.Logger) *Journal {
	j := &Journal{
		api: api, o: o, log: log, slots: make(chan struct{}, writers), changed: make(chan struct{}, 1), missing: map[string]bool{}, lanes: map[string]*lane{},
	}
	for _, namespace := range o.Namespaces {
		j.missing[namespace] = true
	}
	return j
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:10])
}

// Add puts a run that is to be carried out into its lane. It returns at once: see Copied.
func (j *Journal) Add(l Lane, run *runs.Run) {
	j.change(l, func(own *lane) { own.entry(run).finished = false }) // killed between its report and its result, it is run again
}

// Reporting adds the report of a run's end to the copies, until Reported.
func (j *Journal) Reporting(l Lane, run *runs.Run, report []byte) {
	j.change(l, func(own *lane) {
		if own.find(run.ID) == nil { // it had ended when the operator was started
			own.entry(run).finished = true
		}
		own.entry(run).report = report
	})
}

// Reported is to be called when the controller has accepted the report of a run's end, or never will.
func (j *Journal) Reported(l Lane, id string) { j.update(l, id, func(e *entry) { e.report = nil }) }

// Finished is to be called when a run has its result.
func (j *Journal) Finished(l Lane, id string) { j.update(l, id, func(e *entry) { e.finished = true }) }

// NotesChanged is to be called when the crash notes of a run from another disk have changed (see runs.Run.CrashNotes). They are copied in the
// background.
func (j *Journal) NotesChanged(l Lane) { j.change(l, func(*lane) {}) }

// CopyNotes is NotesChanged, but returns when the cluster has the notes. The error is why it does not have them.
func (j *Journal) CopyNotes(ctx context.Context, l Lane) error {
	if j == nil {
		return nil
	}
	j.NotesChanged(l)
	return j.write(ctx, j.known(l.Name))
}

// update changes an entry, if the lane has it.
func (j *Journal) update(l Lane, id string, update func(*entry)) {
	j.change(l, func(own *lane) {
		if e := own.find(id); e != nil {
			update(e)
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
	own.entries = slices.DeleteFunc(own.entries, func(e *entry) bool { return e.finished && e.report == nil })
	j.hasChanged(own)
}

// hasChanged lets Run write a lane. j.mu is held.
func (j *Journal) hasChanged(own *lane) {
	own.changes++
	own.due = true
	select {
	case j.changed <- struct{}{}:
	default: // it has a value already
	}
}

// at finds a lane, or makes it. j.mu is held.
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

func (l *lane) path() string { return "/api/v1/namespaces/" + l.Namespace + "/secrets" }

// find is a run's entry, or nil.
func (l *lane) find(id string) *entry {
	for _, e := range l.entries {
		if e.run.ID == id {
			return e
		}
	}
	return nil
}

// entry finds a run's entry, or makes it. Entries are in the order of the runs' ids, which is that of time.
func (l *lane) entry(run *runs.Run) *entry {
	if e := l.find(run.ID); e != nil {
		return e
	}
	e := &entry{run: run}
	at, _ := slices.BinarySearchFunc(l.entries, e, func(a, b *entry) int { return strings.Compare(a.run.ID, b.run.ID) })
	l.entries = slices.Insert(l.entries, at, e)
	return e
}
