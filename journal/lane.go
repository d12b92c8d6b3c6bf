package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

	writing chan struct{} // room for one, as in a Mutex, but waiting for it can end: see enter
	// Under writing:
	version string   // the Secret's resourceVersion, as we wrote it; empty: there is none
	aside   int      // the change that is set aside; 0: none
	sides   []string // what others had set aside, and is taken over: to be deleted
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

func (l *lane) secretsPath() string { return "/api/v1/namespaces/" + l.Namespace + "/secrets" }

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

// write makes the cluster know what there is in the lane. If it may take, it takes over what had been left there and returns
// it; otherwise it leaves that to Hold.
func (j *Journal) write(ctx context.Context, l *lane, take bool) (left []*runs.Run, err error) {
	leave, err := j.enter(ctx, l)
	if err != nil {
		return nil, err
	}
	defer leave()
	for took := false; ; took = true {
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
			if err := j.removeSides(ctx, l); err != nil {
				return left, err
			}
			j.settle(l, change)
			return left, nil
		case errors.Is(err, errTaken) && !take && j.ending():
			return nil, j.setAside(ctx, l, entries, change) // nobody will hold the lane any more
		case errors.Is(err, errTaken) && !take:
			j.o.Found(l.Name)
			return nil, errTaken
		case errors.Is(err, errTaken) && took: // another conflict: Hold takes its time before it tries again
			return left, err
		case errors.Is(err, errTaken):
			restored, err := j.takeOver(ctx, l)
			left = append(left, restored...)
			if errors.Is(err, errHeld) {
				err = errors.Join(err, j.setAside(ctx, l, entries, change))
			}
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

// enter waits for its turn to write in the lane, and then for one of the slots for writing at all. Those before it may wait
// for an API server that does not answer, so it ends with ctx.
func (j *Journal) enter(ctx context.Context, l *lane) (leave func(), err error) {
	select {
	case l.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case j.slots <- struct{}{}:
	case <-ctx.Done():
		<-l.writing
		return nil, ctx.Err()
	}
	return func() { <-j.slots; <-l.writing }, nil
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
	path := l.secretsPath()
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
