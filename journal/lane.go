package journal

import (
	"slices"
	"strings"

	"octo-operator/runs"
)

// lane is a Lane, and how much of it the cluster has.
type lane struct {
	Lane
	secret string // its name

	// Under Journal.mu:
	entries   []*entry // oldest first
	changes   int      // how often they have changed
	written   int      // which change the cluster has
	scheduled bool     // to be written soon
	told      bool     // why it cannot be written

	writing chan struct{} // room for one, as in a Mutex, but waiting for it can end: see enter
	// Under writing:
	version string   // the Secret's resourceVersion, as we know it; empty: there is none
	handed  []secret // what others have handed over, and is in the lane now: to be deleted
}

// entry is a run of which the cluster must know.
type entry struct {
	run      *runs.Run
	finished bool   // it has its result
	reported bool   // the controller knows, or need not
	report   []byte // what it is to be told
	copied   bool   // the cluster has had it
}

func (l *lane) entry(id string) *entry {
	for _, e := range l.entries {
		if e.run.ID == id {
			return e
		}
	}
	return nil
}

func (l *lane) path() string { return "/api/v1/namespaces/" + l.Namespace + "/secrets" }

func (l *lane) dropDone() {
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool { return e.finished && e.reported })
}

// insert adds an entry in the order of time, which is that of the ids.
func (l *lane) insert(e *entry) *entry {
	at, _ := slices.BinarySearchFunc(l.entries, e, func(a, b *entry) int { return strings.Compare(a.run.ID, b.run.ID) })
	l.entries = slices.Insert(l.entries, at, e)
	return e
}
