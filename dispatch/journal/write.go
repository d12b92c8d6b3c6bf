package journal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/kube"
)

const (
	// writers is how many lanes are written at the same time: a burst of events must not become a burst of requests.
	writers = 8
	// inBackground is how many of them write changes for which nobody waits. More would slow down the accepting of events in a burst:
	// etcd syncs a disk for each write, possibly the same disk.
	inBackground = 2
	// copyDelay lets changes accumulate: a report that is delivered at once needs no copy, and a burst for one release needs only a few.
	// An event that is about to run does not wait for it: see Copied.
	copyDelay = 50 * time.Millisecond
	// againInterval is how often failed writes are repeated, and how often it is looked for events that were handed over.
	againInterval = 5 * time.Second

	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Run copies changes to the cluster and takes events that others hand over, until ctx ends. Then it copies what is not copied yet, for at
// most the time that lastCopies returns, and returns.
func (j *Journal) Run(ctx context.Context, lastCopies func() time.Duration) {
	if j == nil {
		return
	}
	var looking sync.WaitGroup
	looking.Go(func() { j.takeHandedOver(ctx) })
	again := time.NewTicker(againInterval)
	defer again.Stop()
	for ctx.Err() == nil {
		select {
		case <-j.changed:
			_ = pause(ctx, copyDelay)
		case <-again.C:
			j.again()
		case <-ctx.Done():
		}
		j.writeDue(ctx, inBackground)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCopies())
	defer cancel()
	looking.Wait()
	j.again()
	j.writeDue(last, writers) // with all writers: the end of the operator waits for it
}

// Stop ends all writing, because the copies belong to another operator now.
func (j *Journal) Stop() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped = true
}

// Copied returns nil when the cluster has everything that was added to the lane, or when it refuses it, so that only the disk has it.
// While the API server cannot be reached, or this operator may not lead any more, it waits. The error is ctx's.
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
		case errors.Is(err, kube.ErrUnreachable), errors.Is(err, errPaused), kube.Conflict(err): // not 404, which means that the namespace does not exist
			j.tell(own, "events wait", err)
		default: // a role, a quota or a webhook refuses it
			j.tell(own, "events are kept on disk alone", err)
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// Behind tells whether the cluster lacks something that was added to the lane.
func (j *Journal) Behind(name string) bool {
	if j == nil {
		return false
	}
	own := j.known(name)
	if own == nil {
		return false
	}
	_, _, todo := j.snapshot(own)
	return todo
}

// tell logs once why a lane is not copied.
func (j *Journal) tell(own *lane, message string, err error) {
	j.mu.Lock()
	told := own.told
	own.told = true
	j.mu.Unlock()
	if !told {
		j.log.Warn(message, "lane", own.Name, "reason", err, "next", "the copy is tried again in the background")
	}
}

// again makes all lanes due that have unwritten changes.
func (j *Journal) again() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, own := range j.lanes {
		own.due = own.written != own.changes
	}
}

// writeDue writes the lanes that are due, so many at a time, until ctx ends. One that fails becomes due again by again.
func (j *Journal) writeDue(ctx context.Context, atATime int) {
	var due []*lane
	j.mu.Lock()
	for _, own := range j.lanes {
		if own.due && ctx.Err() == nil {
			own.due = false
			due = append(due, own)
		}
	}
	j.mu.Unlock()
	each(atATime, due, func(_ int, own *lane) {
		if ctx.Err() != nil {
			return
		}
		if err := j.write(ctx, own); err != nil && ctx.Err() == nil {
			j.log.Debug("events not copied to the cluster yet", "lane", own.Name, "reason", err)
		}
	})
}

// each calls do for all of them, for so many at a time.
func each[T any](atATime int, all []T, do func(int, T)) {
	var doing sync.WaitGroup
	slots := make(chan struct{}, atATime)
	for i, one := range all {
		slots <- struct{}{}
		doing.Go(func() {
			defer func() { <-slots }()
			do(i, one)
		})
	}
	doing.Wait()
}

// write brings the Secret of a lane up to date; a nil lane needs nothing.
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
		// The answer to an earlier write was lost, or somebody has deleted the Secret by hand.
		if !again || !changed(err) {
			return fmt.Errorf("cannot keep events in the cluster: %w", err)
		}
		if err := j.read(ctx, l, l.secret); err != nil {
			return err
		}
	}
}

var errPaused = errors.New("this operator may not lead any more: its copies may be another one's")

// changed tells whether a request failed because the Secret was not in the version that we know.
func changed(err error) bool { return kube.Conflict(err) || kube.NotFound(err) }

// enter waits until nobody else writes in the lane, and then for one of the slots for all writing. Those ahead may be waiting for an API
// server that does not answer, so the wait ends with ctx.
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

// snapshot returns the entries to be written. todo is false if the cluster has them already, or nothing may be written any more.
func (j *Journal) snapshot(l *lane) (entries []entry, change int, todo bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range l.entries {
		entries = append(entries, *e)
	}
	return entries, l.changes, l.written != l.changes && !j.stopped
}

// put writes the Secret, or deletes it if there are no entries. copied are the runs that are in it. l.writing is held.
func (j *Journal) put(ctx context.Context, l *lane, entries []entry) (copied []*runs.Run, err error) {
	if len(entries) == 0 {
		if l.version != "" {
			err = j.remove(ctx, l, l.secret, l.version)
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

// removeHanded deletes the Secrets that were handed over, because the lane's own Secret has their events now. l.writing is held.
func (j *Journal) removeHanded(ctx context.Context, l *lane) error {
	for len(l.handed) > 0 {
		m := l.handed[0].Metadata
		if err := j.remove(ctx, l, m.Name, m.ResourceVersion); err != nil && !changed(err) { // one that has changed is taken again later
			return err
		}
		l.handed = l.handed[1:]
	}
	return nil
}

// remove deletes a Secret, unless its version has changed.
func (j *Journal) remove(ctx context.Context, l *lane, name, version string) error {
	unless := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": map[string]string{"resourceVersion": version}}
	return j.api.Do(ctx, http.MethodDelete, l.path()+"/"+name, unless, nil)
}

// settle records that the cluster has the changes up to this one. A lane without entries is forgotten. l.writing is held.
func (j *Journal) settle(l *lane, change int, copied []*runs.Run) {
	for _, run := range copied {
		if !run.Copied() {
			run.SetCopied()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l.written, l.told = change, false
	if len(l.entries) == 0 && l.changes == change && l.version == "" {
		delete(j.lanes, l.Name)
	}
}
