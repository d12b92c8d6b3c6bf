package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"octo-operator/kube"
	"octo-operator/runs"
)

// lane is a Lane, and how much of it the cluster has.
type lane struct {
	Lane
	secret string // its name

	// Under Journal.mu:
	entries     []*entry // oldest first
	changes     int      // how often they have changed
	written     int      // which change the cluster has
	found       bool     // somebody has left something in it
	held        bool     // the Secret in the cluster is ours
	scheduled   bool     // to be written soon
	toldWaiting bool

	writing sync.Mutex
	version string // the Secret's resourceVersion, as we wrote it; empty: there is none. Under writing.
}

// entry is a run of which the cluster must know.
type entry struct {
	run      *runs.Run
	finished bool   // it has its result
	reported bool   // the controller knows, or need not
	report   []byte // what it is to be told
}

func (l *lane) entry(id string) *entry {
	for _, e := range l.entries {
		if e.run.ID == id {
			return e
		}
	}
	return nil
}

func (l *lane) dropDone() {
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool { return e.finished && e.reported })
}

// insert adds what was left, in the order of time, which is that of the ids.
func (l *lane) insert(e *entry) {
	at, _ := slices.BinarySearchFunc(l.entries, e, func(a, b *entry) int { return strings.Compare(a.run.ID, b.run.ID) })
	l.entries = slices.Insert(l.entries, at, e)
}

// errHeld means that another operator, which is alive, is at work in the lane.
var errHeld = errors.New("another operator is at work there")

// write makes the cluster know what there is in the lane. It returns what had been left in it.
func (j *Journal) write(ctx context.Context, l *lane) (left []*runs.Run, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	j.slots <- struct{}{}
	defer func() { <-j.slots }()
	for {
		entries, change, todo, found := j.snapshot(l)
		if !todo && !found {
			return left, nil
		}
		if found {
			err = errTaken
		} else {
			err = j.put(ctx, l, entries)
		}
		switch {
		case err == nil:
			j.settle(l, change)
			return left, nil
		case errors.Is(err, errTaken):
			restored, err := j.takeOver(ctx, l)
			left = append(left, restored...)
			if err != nil {
				return left, err
			}
		case errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil:
			return left, err
		default:
			// Its role, a quota, a webhook: what will not change by waiting. The disk has the events.
			j.log.Warn("events are kept on disk alone", "lane", l.Name, "reason", err)
			j.settle(l, change)
			return left, nil
		}
	}
}

// snapshot is what is to be written. todo is false when the cluster has it already.
func (j *Journal) snapshot(l *lane) (entries []entry, change int, todo, found bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range l.entries {
		entries = append(entries, *e)
	}
	return entries, l.changes, l.written != l.changes, l.found
}

// settle: the cluster has the change. A lane that is done with is forgotten.
func (j *Journal) settle(l *lane, change int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.written, l.held, l.toldWaiting = change, l.version != "", false
	if len(l.entries) == 0 && l.changes == change && l.version == "" {
		delete(j.lanes, l.Name)
	}
}

// errTaken means that the lane's Secret is not as we left it.
var errTaken = errors.New("the lane's Secret is not ours")

// put writes the Secret, or deletes it when nothing is left to do. l.writing is held.
func (j *Journal) put(ctx context.Context, l *lane, entries []entry) (err error) {
	path := "/api/v1/namespaces/" + l.Namespace + "/secrets"
	var answer secret
	switch {
	case len(entries) == 0 && l.version == "":
		return nil
	case len(entries) == 0:
		err = j.api.Do(ctx, "DELETE", path+"/"+l.secret, deleteThis(l.version), nil)
		if err == nil || kube.NotFound(err) {
			l.version = ""
			return nil
		}
	case l.version == "":
		err = j.api.Do(ctx, "POST", path, j.secretOf(l, entries), &answer)
	default:
		err = j.api.Do(ctx, "PUT", path+"/"+l.secret, j.secretOf(l, entries), &answer)
	}
	switch {
	case err == nil:
		l.version = answer.Metadata.ResourceVersion
	case kube.Conflict(err):
		return errTaken
	case kube.NotFound(err) && l.version != "": // somebody has deleted it by hand
		l.version = ""
		return errTaken
	default:
		return fmt.Errorf("cannot keep events in the cluster: %w", err)
	}
	return nil
}

// takeOver makes an existing Secret of the lane ours, unless its holder is alive, and restores what is in it to our disk.
// l.writing is held.
func (j *Journal) takeOver(ctx context.Context, l *lane) (left []*runs.Run, err error) {
	path := "/api/v1/namespaces/" + l.Namespace + "/secrets/" + l.secret
	var found secret
	if err = j.api.Do(ctx, "GET", path, nil, &found); kube.NotFound(err) {
		l.version = ""
		j.mine(l)
		return nil, nil
	}
	holder := found.Metadata.Labels[holderLabel]
	if err == nil && holder != j.o.Identity {
		if j.holders.alive(holder) {
			j.lost(l)
			return nil, fmt.Errorf("%w: %s", errHeld, holder)
		}
		j.log.Info("events of another operator taken over", "lane", l.Name, "from", holder, "events", len(found.Data))
		found.Metadata.Labels[holderLabel] = j.o.Identity
		err = j.api.Do(ctx, "PUT", path, found, &found)
	}
	if kube.Conflict(err) || kube.NotFound(err) {
		return nil, nil // it has changed again: look again
	}
	if err != nil {
		return nil, err
	}
	l.version = found.Metadata.ResourceVersion
	for _, key := range slices.Sorted(maps.Keys(found.Data)) {
		run, err := j.restore(l, found, key)
		if err != nil {
			return left, err // it is tried again, and so is what comes after it
		}
		if run != nil {
			left = append(left, run)
		}
	}
	j.mine(l)
	return left, nil
}

// mine ends the search for what was left; what there is now must be written.
func (j *Journal) mine(l *lane) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.found = false
	l.changes++
}

// lost: what was ours has been taken over.
func (j *Journal) lost(l *lane) {
	j.mu.Lock()
	was := l.held
	l.held = false
	if was {
		l.entries = nil
	}
	j.mu.Unlock()
	l.version = ""
	if was {
		j.o.Lost(l.Name)
	}
}

// restore puts one that was left on our disk and into the lane. It returns a run that is still to be done.
func (j *Journal) restore(l *lane, found secret, key string) (*runs.Run, error) {
	left, err := found.left(key, j.o.Key)
	if err != nil {
		j.log.Error("event of another operator lost: its copy cannot be read", "lane", l.Name, "run", key, "reason", err)
		return nil, nil
	}
	if j.knows(l, left.id) {
		return nil, nil
	}
	if left.event == nil {
		run := &runs.Run{ID: left.id, Lane: l.Name}
		j.insert(l, &entry{run: run, finished: true, report: left.report})
		j.o.Report(run, left.report)
		return nil, nil
	}
	run, err := j.o.Restore(l.Lane, left.id, *left.event)
	if err == nil && run != nil {
		j.insert(l, &entry{run: run, reported: true})
	}
	return run, err
}

func (j *Journal) knows(l *lane, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return l.entry(id) != nil
}

func (j *Journal) insert(l *lane, e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.insert(e)
}
