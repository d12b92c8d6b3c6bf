// Package journal is what several operators of one controller share through the cluster: a Lease, and copies of unfinished events.
//
// A Leader decides, by the Lease, which operator works. The leading operator's Journal copies each unfinished event into the cluster, so
// that it survives the loss of the pod with its disk: one Secret for each lane (a release or a pool). The next leader loads all copies.
// Later it also takes events that other operators hand over: those that they had accepted and not copied when they stopped leading.
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
	Namespace string // of the lane's Secret
}

// Options are the journal's identity and its callbacks.
type Options struct {
	Controller string   // its address: only operators of the same controller take over from each other
	Identity   string   // of this operator, as in LeaderOptions
	Key        string   // encrypts the passwords of chart repositories; empty: they are left out
	Namespaces []string // that may have Secrets of lanes

	// MayWrite tells whether this operator certainly still leads; if not, another one may soon write the copies. nil: it always does.
	MayWrite func() bool
	// Restore writes an event from the cluster to this operator's disk, with its notes (see runs.Run.CrashNotes). It returns nil, nil if
	// the disk has the event and it has ended.
	Restore func(l Lane, id string, event hub.Event, notes []byte) (*runs.Run, error)
	// Report sends a report that was found in the cluster to the controller.
	Report func(run *runs.Run, report []byte)
	// Found is called for each event from the cluster that is to be carried out. from is the identity of the operator that had it only on
	// its disk and has handed it over; "": it was copied when it came.
	Found func(run *runs.Run, from string)
}

// Journal may be used by several goroutines. A nil Journal does nothing.
type Journal struct {
	api     API
	o       Options
	log     *slog.Logger
	slots   chan struct{}   // bounds the requests that write
	changed chan struct{}   // has a value after a change
	missing map[string]bool // namespaces whose copies are not loaded yet

	mu      sync.Mutex
	lanes   map[string]*lane
	stopped bool // see Stop
}

// lane is a Lane with its entries, and how many of their changes the cluster has.
type lane struct {
	Lane
	secret string // name of its Secret

	// Under Journal.mu:
	entries []*entry // oldest first
	changes int      // how often they have changed
	written int      // which change the cluster has
	due     bool     // to be written in the background
	told    bool     // it was logged why it cannot be written

	writing chan struct{} // a lock with room for one; waiting for it ends with a context: see enter
	// Under writing:
	version string   // the last known resourceVersion of the Secret; empty: there is no Secret
	handed  []secret // Secrets that others have handed over and that are in entries now: to be deleted
}

// entry is a run that must have a copy in the cluster.
type entry struct {
	run      *runs.Run
	finished bool   // the run has its result
	report   []byte // the report that the controller has not accepted yet; nil: there is none
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

// Add puts a run that is to be carried out into its lane. It does not wait for the copy: see Copied.
func (j *Journal) Add(l Lane, run *runs.Run) {
	j.change(l, func(own *lane) { own.entry(run).finished = false }) // a run that was killed between its report and its result is run again
}

// Reporting adds the report of a run's end to the copies. It stays there until Reported is called.
func (j *Journal) Reporting(l Lane, run *runs.Run, report []byte) {
	j.change(l, func(own *lane) {
		if own.find(run.ID) == nil { // the run had ended before this life of the operator
			own.entry(run).finished = true
		}
		own.entry(run).report = report
	})
}

// Reported must be called when the controller has accepted the report of a run's end, or never will.
func (j *Journal) Reported(l Lane, id string) { j.update(l, id, func(e *entry) { e.report = nil }) }

// Finished must be called when a run has its result.
func (j *Journal) Finished(l Lane, id string) { j.update(l, id, func(e *entry) { e.finished = true }) }

// NotesChanged must be called when the crash notes of a run from another disk have changed (see runs.Run.CrashNotes). They are copied in
// the background.
func (j *Journal) NotesChanged(l Lane) { j.change(l, func(*lane) {}) }

// CopyNotes is like NotesChanged, but returns when the notes are in the cluster. The error says why they are not.
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

// change changes a lane's entries, drops those that need no copy any more, and has the lane written in the background.
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

// hasChanged has the lane written by Run. j.mu is held.
func (j *Journal) hasChanged(own *lane) {
	own.changes++
	own.due = true
	select {
	case j.changed <- struct{}{}:
	default: // it has a value already
	}
}

// at returns a lane, and creates it if necessary. j.mu is held.
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

// known returns a lane, or nil.
func (j *Journal) known(name string) *lane {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lanes[name]
}

func (l *lane) path() string { return "/api/v1/namespaces/" + l.Namespace + "/secrets" }

// find returns a run's entry, or nil.
func (l *lane) find(id string) *entry {
	for _, e := range l.entries {
		if e.run.ID == id {
			return e
		}
	}
	return nil
}

// entry returns a run's entry, and creates it if necessary. Entries are sorted by the runs' ids, and so by time.
func (l *lane) entry(run *runs.Run) *entry {
	if e := l.find(run.ID); e != nil {
		return e
	}
	e := &entry{run: run}
	at, _ := slices.BinarySearchFunc(l.entries, e, func(a, b *entry) int { return strings.Compare(a.run.ID, b.run.ID) })
	l.entries = slices.Insert(l.entries, at, e)
	return e
}
