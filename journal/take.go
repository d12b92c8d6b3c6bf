package journal

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"octo-operator/kube"
	"octo-operator/runs"
)

// takeOver makes the lane ours, unless its holder is alive, and restores to our disk what its Secret holds and what others
// had set aside for it, who are dead. l.writing is held.
func (j *Journal) takeOver(ctx context.Context, l *lane) (left []*runs.Run, err error) {
	j.mu.Lock()
	l.found = true // until all of it is restored
	j.mu.Unlock()
	var found struct{ Items []secret }
	err = j.api.Do(ctx, "GET", l.secretsPath()+"?labelSelector="+url.QueryEscape(laneLabel+"="+l.secret), nil, &found)
	if err != nil {
		return nil, err
	}
	l.version = ""
	var ours []secret
	for _, s := range found.Items {
		holder := s.Metadata.Labels[holderLabel]
		if s.Metadata.Name == l.secret {
			if err := j.claim(ctx, l, s, holder); err != nil {
				return nil, err
			}
			ours = append(ours, s)
		} else if holder == j.o.Identity || !j.holders.alive(holder) {
			ours = append(ours, s)
			l.sides = append(l.sides, s.Metadata.Name)
		}
	}
	for _, s := range ours {
		restored, err := j.restoreAll(l, s)
		left = append(left, restored...)
		if err != nil {
			return left, err // it is tried again, and so is what comes after it
		}
	}
	j.mine(l)
	return left, nil
}

// claim makes the lane's Secret ours. Nil without a version: it has changed meanwhile, and writing will show it.
func (j *Journal) claim(ctx context.Context, l *lane, s secret, holder string) error {
	if holder == j.o.Identity {
		l.version = s.Metadata.ResourceVersion
		return nil
	}
	if j.holders.alive(holder) {
		j.lost(l)
		return fmt.Errorf("%w: %s", errHeld, holder)
	}
	j.log.Info("events of another operator taken over", "lane", l.Name, "from", holder, "events", len(s.Data))
	s.APIVersion, s.Kind = "v1", "Secret"
	s.Metadata.Labels[holderLabel] = j.o.Identity
	var answer secret
	err := j.api.Do(ctx, "PUT", l.secretsPath()+"/"+l.secret, s, &answer)
	l.version = answer.Metadata.ResourceVersion
	if kube.Conflict(err) || kube.NotFound(err) {
		return fmt.Errorf("%w: somebody else was faster", errHeld)
	}
	return err
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
	if was {
		j.o.Lost(l.Name)
	}
}

// setAside copies what waits for another operator's lane into a Secret of its own: this operator, too, may be replaced.
func (j *Journal) setAside(ctx context.Context, l *lane, entries []entry, change int) error {
	if len(entries) == 0 || l.aside == change {
		return nil
	}
	l.version = ""
	s := j.secretOf(l, entries)
	s.Metadata.Name = l.asideName(j.o.Identity)
	s.Metadata.Labels[waitingLabel] = "true"
	path := l.secretsPath() + "/" + s.Metadata.Name + "?force=true&fieldManager=octo-communication-operator"
	if err := j.api.Do(ctx, "PATCH", path, kube.Patch{Type: kube.ApplyPatch, Object: s}, nil); err != nil {
		return err
	}
	l.aside = change
	return nil
}

func (l *lane) asideName(identity string) string { return l.secret + "-" + identity }

// removeSides deletes what had been set aside: it is in the lane's own Secret now.
func (j *Journal) removeSides(ctx context.Context, l *lane) error {
	if l.aside != 0 {
		l.sides = append(l.sides, l.asideName(j.o.Identity))
		l.aside = 0
	}
	for len(l.sides) > 0 {
		err := j.api.Do(ctx, "DELETE", l.secretsPath()+"/"+l.sides[0], nil, nil)
		if err != nil && !kube.NotFound(err) {
			return err
		}
		l.sides = l.sides[1:]
	}
	return nil
}

// restoreAll restores what one Secret holds.
func (j *Journal) restoreAll(l *lane, s secret) (left []*runs.Run, err error) {
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		if strings.HasSuffix(key, notesSuffix) {
			continue // they come with their event
		}
		run, err := j.restore(l, s, key)
		if err != nil {
			return left, err
		}
		if run != nil {
			left = append(left, run)
		}
	}
	return left, nil
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
	run, err := j.o.Restore(l.Lane, left.id, *left.event, found.Data[left.id+notesSuffix])
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
