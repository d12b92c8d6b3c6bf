package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"octo-operator/kube"
	"octo-operator/runs"
)

// Load finds everything that is unfinished in the cluster, of whomever: who leads is the only one to work on it. Found and Report are told of
// it in no order. The error is that the API server cannot be asked; what it refuses is tried again by Run.
func (j *Journal) Load(ctx context.Context) error {
	if j == nil {
		return nil
	}
	for _, namespace := range j.o.Namespaces {
		err := j.take(ctx, namespace, "")
		if err != nil && (errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			j.missing[namespace] = true
			j.log.Warn("what is unfinished in a namespace is not known yet: it is looked for again", "namespace", namespace, "reason", err)
		}
	}
	return nil
}

// takeHandedOver takes what others have handed over since, and what could not be loaded.
func (j *Journal) takeHandedOver(ctx context.Context) {
	for _, namespace := range j.o.Namespaces {
		selector := "," + waitingLabel
		if j.missing[namespace] {
			selector = ""
		}
		if err := j.take(ctx, namespace, selector); err != nil {
			j.log.Debug("not looked for events of other operators", "namespace", namespace, "reason", err)
			continue
		}
		delete(j.missing, namespace)
	}
}

// take takes what is in the cluster into the lanes.
func (j *Journal) take(ctx context.Context, namespace, selector string) error {
	all, err := j.api.Metadata(ctx, "/api/v1/namespaces/"+namespace+"/secrets?labelSelector="+url.QueryEscape(label+"="+j.cluster+selector))
	if err != nil {
		return err
	}
	var taking sync.WaitGroup
	errs, slots := make([]error, len(all)), make(chan struct{}, writers)
	for i, m := range all {
		if m.Annotations[laneKey] == "" {
			continue // made by somebody else
		}
		slots <- struct{}{}
		taking.Go(func() {
			defer func() { <-slots }()
			errs[i] = j.takeOne(ctx, Lane{m.Annotations[laneKey], namespace}, m.Name)
		})
	}
	taking.Wait()
	return errors.Join(errs...)
}

// takeOne takes one Secret's runs into their lane.
func (j *Journal) takeOne(ctx context.Context, l Lane, name string) error {
	j.mu.Lock()
	own := j.at(l)
	j.mu.Unlock()
	leave, err := j.enter(ctx, own)
	if err != nil {
		return err
	}
	defer leave()
	var s secret
	if err := j.api.Do(ctx, http.MethodGet, own.path()+"/"+name, nil, &s); err != nil {
		if kube.NotFound(err) {
			return nil
		}
		return err
	}
	return j.restoreAll(own, s)
}

// reread finds out what became of the lane's Secret. l.writing is held.
func (j *Journal) reread(ctx context.Context, l *lane) error {
	l.version = ""
	var s secret
	err := j.api.Do(ctx, http.MethodGet, l.path()+"/"+l.secret, nil, &s)
	if kube.NotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return j.restoreAll(l, s)
}

// restoreAll restores what a Secret holds, unless the lane has it. l.writing is held.
func (j *Journal) restoreAll(l *lane, s secret) error {
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		if strings.HasSuffix(key, notesSuffix) {
			continue // they come with their event
		}
		if err := j.restore(l, s, key); err != nil {
			return fmt.Errorf("cannot take an event of lane %s from the cluster: %w", l.Name, err)
		}
	}
	if s.Metadata.Name == l.secret {
		l.version = s.Metadata.ResourceVersion
	} else {
		s.Data = nil
		l.handed = append(l.handed, s)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l.changes++ // what has ended goes
	if !j.stopped {
		j.dirty[l] = true
		j.wake.Signal()
	}
	return nil
}

// restore puts one run on our disk and into the lane.
func (j *Journal) restore(l *lane, s secret, key string) error {
	left, err := s.left(key, j.o.Key)
	if err != nil {
		j.log.Error("event of another operator lost: its copy cannot be read", "lane", l.Name, "run", key, "reason", err)
		return nil
	}
	if j.knows(l, left.id) {
		return nil
	}
	if left.event == nil {
		run := &runs.Run{ID: left.id, Lane: l.Name}
		j.insert(l, &entry{run: run, finished: true, report: left.report, copied: true})
		j.o.Report(run, left.report)
		return nil
	}
	run, err := j.o.Restore(l.Lane, left.id, *left.event, s.Data[left.id+notesSuffix])
	if err != nil || run == nil {
		return err
	}
	run.SetCopied()
	j.insert(l, &entry{run: run, reported: true, copied: true})
	j.o.Found(run)
	return nil
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

// HandOver leaves a run to the operator that leads: one that this operator has accepted and not copied while it led itself. report is what
// the controller is to be told of its end; nil: it is still to be done.
func (j *Journal) HandOver(ctx context.Context, l Lane, run *runs.Run, report []byte) error {
	own := &lane{Lane: l, secret: j.secretName(l)}
	s, copied := j.secretOf(own, []entry{{run: run, finished: report != nil, report: report}})
	if len(copied) == 0 {
		return fmt.Errorf("cannot hand run %s over", run.ID) // the log has said why
	}
	s.Metadata.Name = own.secret + "-" + shortHash(run.ID)
	s.Metadata.Labels[waitingLabel] = "true"
	err := j.api.Do(ctx, http.MethodPost, own.path(), s, nil)
	if err != nil && !kube.Conflict(err) { // a conflict: an earlier try has worked
		return fmt.Errorf("cannot hand run %s over: %w", run.ID, err)
	}
	run.SetCopied()
	return nil
}
