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

	"octo-operator/dispatch/runs"
	"octo-operator/kube"
)

// Load reads all copies of unfinished events in the cluster, whichever operator has made them: only the leader calls it. It calls Found and
// Report for them, in no particular order. It returns an error if the API server cannot be reached; other errors are logged, and Run tries again.
func (j *Journal) Load(ctx context.Context) error {
	if j == nil {
		return nil
	}
	err := j.take(ctx)
	if err != nil && (errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil) {
		return err
	}
	if err != nil {
		j.log.Warn("not all that is unfinished in the cluster is known yet: it is looked for again", "reason", err)
	}
	return nil
}

// takeHandedOver looks every few seconds, until ctx ends, for events that were handed over, and for copies that Load could not read.
func (j *Journal) takeHandedOver(ctx context.Context) {
	for pause(ctx, againInterval) == nil {
		if err := j.take(ctx); err != nil {
			j.log.Debug("not looked for events of other operators", "reason", err)
		}
	}
}

// take reads copies into the lanes: the first time all copies of a namespace, afterwards only those that were handed over.
func (j *Journal) take(ctx context.Context) error {
	var errs []error
	for _, namespace := range j.o.Namespaces {
		all, err := j.api.Metadata(ctx, "/api/v1/namespaces/"+namespace+"/secrets?"+j.query(!j.missing[namespace]).Encode())
		failed := make([]error, len(all))
		each(writers, all, func(i int, m kube.Metadata) {
			if lane := m.Annotations[laneKey]; lane != "" { // otherwise somebody else has created the Secret
				failed[i] = j.takeOne(ctx, Lane{lane, namespace}, m.Name)
			}
		})
		if err = errors.Join(append(failed, err)...); err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", namespace, err))
			continue
		}
		delete(j.missing, namespace)
	}
	return errors.Join(errs...)
}

// query selects all copies, or only those that were handed over. All are listed consistently. Those that were handed over are listed from the API
// server's cache (resourceVersion=0), which may be a little behind: a Secret that is missing there is found the next time, and takeOne reads its
// current state. After a consistent list, the API server may delay the next one for the same resource by up to 100 ms. With such a list every few
// seconds, that would often be the first list of an operator that is being restarted.
func (j *Journal) query(handedOver bool) url.Values {
	selector := label + "=" + shortHash(j.o.Controller)
	if !handedOver {
		return url.Values{"labelSelector": {selector}}
	}
	return url.Values{"labelSelector": {selector + "," + waitingLabel}, "resourceVersion": {"0"}}
}

// takeOne takes the runs in a Secret into their lane.
func (j *Journal) takeOne(ctx context.Context, l Lane, name string) error {
	for {
		j.mu.Lock()
		own := j.at(l)
		j.mu.Unlock()
		leave, err := j.enter(ctx, own)
		if err != nil {
			return err
		}
		if j.known(l.Name) == own {
			defer leave()
			return j.read(ctx, own, name)
		}
		leave() // the lane was forgotten meanwhile (settle), and is created again
	}
}

// read takes the runs in a Secret into its lane, except those that the lane has, and records the Secret's version. l.writing is held.
func (j *Journal) read(ctx context.Context, l *lane, name string) error {
	var s secret
	err := j.api.Do(ctx, http.MethodGet, l.path()+"/"+name, nil, &s)
	if err != nil && !kube.NotFound(err) {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		if strings.HasSuffix(key, notesSuffix) {
			continue // notes are read together with their event
		}
		if err := j.restore(l, s, key); err != nil {
			return fmt.Errorf("cannot take an event of lane %s from the cluster: %w", l.Name, err)
		}
	}
	switch {
	case name == l.secret:
		l.version = s.Metadata.ResourceVersion
	case err == nil:
		l.handed = append(l.handed, secret{Metadata: s.Metadata})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hasChanged(l) // the copies of ended runs are removed
	return nil
}

// restore writes one run to this operator's disk and adds it to the lane.
func (j *Journal) restore(l *lane, s secret, key string) error {
	id, event, report, err := s.content(key, j.o.Key)
	if err != nil {
		j.log.Error("event of another operator lost: its copy cannot be read", "lane", l.Name, "run", key, "reason", err, "next", "the controller must send it again")
		return nil
	}
	if j.knows(l, id) {
		return nil
	}
	if report != nil {
		run := &runs.Run{ID: id, Lane: l.Name}
		j.insert(l, entry{run: run, finished: true, report: report})
		j.o.Report(run, report)
		return nil
	}
	run, err := j.o.Restore(l.Lane, id, event, s.Data[id+notesSuffix])
	if err != nil || run == nil {
		return err
	}
	run.SetCopied()
	j.insert(l, entry{run: run})
	j.o.Found(run, s.Metadata.Annotations[fromKey])
	return nil
}

func (j *Journal) knows(l *lane, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return l.find(id) != nil
}

func (j *Journal) insert(l *lane, e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	*l.entry(e.run) = e
}

// HandOver writes a run to the cluster for the operator that leads: a run that this operator has accepted while it led, and not copied.
// report is its undelivered report; nil: the run is unfinished. run.Copied tells afterwards whether the cluster has the run: it has not
// if it is too large for a Secret, which is no error.
func (j *Journal) HandOver(ctx context.Context, l Lane, run *runs.Run, report []byte) error {
	own := &lane{Lane: l, secret: j.secretName(l)}
	s, copied := j.secretOf(own, []entry{{run: run, finished: report != nil, report: report}})
	if len(copied) == 0 {
		return nil // secretOf has logged why
	}
	s.Metadata.Name += "-" + shortHash(run.ID)
	s.Metadata.Labels[waitingLabel] = "true"
	s.Metadata.Annotations[fromKey] = j.o.Identity
	err := j.api.Do(ctx, http.MethodPost, own.path(), s, nil)
	if err != nil && !kube.Conflict(err) { // after a conflict an earlier try has succeeded
		return fmt.Errorf("cannot hand run %s over: %w", run.ID, err)
	}
	run.SetCopied()
	return nil
}
