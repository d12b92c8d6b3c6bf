package journal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"octo-operator/kube"
	"octo-operator/runs"
)

const (
	// writers is how many lanes are written at the same time: a burst of events must not become a burst on the API server.
	writers = 8
	// inBackground is how many of them write what nobody waits for. More would take from a burst of events what it needs to be
	// taken in: etcd syncs a disk for each write, which may be the same.
	inBackground = 2
	// againInterval is how often is written again what could not be written, and looked for what others have handed over.
	againInterval = 5 * time.Second

	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Run copies changes to the cluster and takes what others hand over, until ctx ends; then it copies what is still to be copied, for as
// long as lastCopies says then, and returns.
func (j *Journal) Run(ctx context.Context, lastCopies func() time.Duration) {
	if j == nil {
		return
	}
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var writing sync.WaitGroup
	write := func() { j.writeChanges(last) }
	for range inBackground {
		writing.Go(write)
	}
	for pause(ctx, againInterval) == nil {
		j.again(false)
		j.takeHandedOver(ctx)
	}
	time.AfterFunc(lastCopies(), cancel)
	j.again(true)
	for range writers - inBackground { // now the end of the operator waits
		writing.Go(write)
	}
	writing.Wait()
}

// Stop lets nothing be written any more: the copies are another operator's now.
func (j *Journal) Stop() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped, j.closed = true, true
	clear(j.dirty)
	j.wake.Broadcast()
}

// Copied returns when the cluster has everything that was added to the lane, or cannot have it although it answers: then the disk has it.
// The error is that ctx has ended meanwhile.
func (j *Journal) Copied(ctx context.Context, name string) error {
	if j == nil {
		return nil
	}
	own := j.known(name)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := j.write(ctx, own)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kube.ErrUnreachable), errors.Is(err, errPaused), changed(err):
			j.tell(own, "events wait", err)
		default: // its role, a quota, a webhook: it is tried again in the background
			j.tell(own, "events are kept on disk alone", err)
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// tell says once why a lane is not copied.
func (j *Journal) tell(own *lane, message string, err error) {
	j.mu.Lock()
	told := own.told
	own.told = true
	j.mu.Unlock()
	if !told {
		j.log.Warn(message, "lane", own.Name, "reason", err)
	}
}

// writeChanges writes lanes that have changed, until the journal is closed.
func (j *Journal) writeChanges(ctx context.Context) {
	for {
		own := j.nextDirty()
		if own == nil {
			return
		}
		if err := j.write(ctx, own); err != nil && ctx.Err() == nil {
			j.log.Debug("events not copied to the cluster yet", "lane", own.Name, "reason", err) // see again
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

// again makes those lanes dirty that are not written yet.
func (j *Journal) again(closing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = j.closed || closing
	for _, own := range j.lanes {
		if own.written != own.changes && !j.stopped {
			j.dirty[own] = true
		}
	}
	j.wake.Broadcast()
}

// write makes the cluster know what there is in the lane; nil is none.
func (j *Journal) write(ctx context.Context, l *lane) error {
	if l == nil {
		return nil
	}
	leave, err := j.enter(ctx, l)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for again := true; ; again = false {
		entries, change, todo := j.snapshot(l)
		if !todo {
			return nil
		}
		if j.o.MayWrite != nil && !j.o.MayWrite() {
			return errPaused
		}
		copied, err := j.put(ctx, l, entries)
		if err == nil {
			err = j.removeHanded(ctx, l)
		}
		if err == nil {
			j.settle(l, change, copied)
			return nil
		}
		// An answer to us was lost, or somebody has deleted the Secret by hand.
		if !again || !changed(err) {
			return fmt.Errorf("cannot keep events in the cluster: %w", err)
		}
		if err := j.reread(ctx, l); err != nil {
			return err
		}
	}
}

var errPaused = errors.New("this operator may not lead any more: its copies may be another one's")

// changed tells whether the lane's Secret was not as we knew it.
func changed(err error) bool { return kube.Conflict(err) || kube.NotFound(err) }

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

// snapshot is what is to be written. todo is false when the cluster has it already, or is not to have it.
func (j *Journal) snapshot(l *lane) (entries []entry, change int, todo bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range l.entries {
		entries = append(entries, *e)
	}
	return entries, l.changes, l.written != l.changes && !j.stopped
}

// put writes the Secret, or deletes it when nothing is left to do. copied are the runs that are in it. l.writing is held.
func (j *Journal) put(ctx context.Context, l *lane, entries []entry) (copied []*runs.Run, err error) {
	if len(entries) == 0 {
		if l.version != "" {
			err = j.api.Do(ctx, http.MethodDelete, l.path()+"/"+l.secret, deleteThis(l.version), nil)
		}
		if err == nil {
			l.version = ""
		}
		return nil, err
	}
	method, path := http.MethodPost, l.path()
	if l.version != "" {
		method, path = http.MethodPut, path+"/"+l.secret
	}
	var answer secret
	s, copied := j.secretOf(l, entries)
	if err = j.api.Do(ctx, method, path, s, &answer); err == nil {
		l.version = answer.Metadata.ResourceVersion
	}
	return copied, err
}

// removeHanded deletes what was handed over: it is in the lane's own Secret now. l.writing is held.
func (j *Journal) removeHanded(ctx context.Context, l *lane) error {
	for len(l.handed) > 0 {
		m := l.handed[0].Metadata
		err := j.api.Do(ctx, http.MethodDelete, l.path()+"/"+m.Name, deleteThis(m.ResourceVersion), nil)
		if err != nil && !changed(err) { // what has changed is taken once more
			return err
		}
		l.handed = l.handed[1:]
	}
	return nil
}

// settle: the cluster has the change. A lane that is done with is forgotten.
func (j *Journal) settle(l *lane, change int, copied []*runs.Run) {
	for _, run := range j.written(l, change, copied) {
		run.SetCopied()
	}
}

// written is settle without what touches the disk. The runs of which the cluster has a copy for the first time are returned.
func (j *Journal) written(l *lane, change int, copied []*runs.Run) (first []*runs.Run) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.written, l.told = change, false
	for _, run := range copied {
		if e := l.entry(run.ID); e != nil && !e.copied {
			e.copied = true
			first = append(first, run)
		}
	}
	if len(l.entries) == 0 && l.changes == change && l.version == "" {
		delete(j.lanes, l.Name)
	}
	return first
}
