package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Rollout is how far a release's objects are. Each text is one line of at most 500 bytes.
type Rollout struct {
	Ready    bool
	Waiting  []string // what is not ready, one line each: "Deployment web: 1 of 2 replicas are available"
	Findings []string // what pods, ReplicaSets and events say is wrong; a stable order, at most 5 and "and N more"
	Hopeless string   // not empty: waiting cannot help; the object and the cause
}

// The API server's clock, the nodes' and ours differ.
const clockTolerance = 5 * time.Second

// Rollout looks once at the objects of a release. They are ready when helm's own wait would end; what the operator's role does
// not allow to look at, and a kind that the cluster does not know, count as ready. Of events, and of pods that are over, only
// those since since count: give the time at which the deploy began.
//
// Hopeless is proof only if a second look, some seconds later, says it again: a Deployment whose replica count and template have
// changed together has for a moment no ReplicaSet but the old one.
func (k *Kubectl) Rollout(ctx context.Context, objects []Object, since time.Time) (Rollout, error) {
	l := k.look(since)
	for _, o := range objects {
		if neverWaited[groupKind(o)] {
			continue
		}
		if err := l.object(ctx, o); err != nil {
			return Rollout{}, fmt.Errorf("cannot look at %s in namespace %s: %w", o, o.Namespace, err)
		}
	}
	if err := l.events(ctx); err != nil {
		return Rollout{}, err
	}
	r := Rollout{Ready: len(l.waiting) == 0, Findings: findings(l.found), Hopeless: line(l.hopeless)}
	for _, text := range l.waiting {
		r.Waiting = append(r.Waiting, line(text))
	}
	return r, nil
}

func (o Object) String() string { return o.Kind + " " + o.Name }

// RolledOut tells only whether the objects are ready, which takes one request for each of them: for looks in quick succession.
func (k *Kubectl) RolledOut(ctx context.Context, objects []Object) (bool, error) {
	l := k.look(time.Now())
	l.brief = true
	for _, o := range objects {
		if neverWaited[groupKind(o)] {
			continue
		}
		if err := l.object(ctx, o); err != nil {
			return false, fmt.Errorf("cannot look at %s in namespace %s: %w", o, o.Namespace, err)
		}
		if len(l.waiting) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// look is one look at objects and their pods.
type look struct {
	*Kubectl
	brief          bool // the objects alone
	since, now     time.Time
	waiting, found []string
	hopeless       string // the first
	silent         map[string]map[string]subject
}

// subject is an object of which events may tell more than itself. The look has them by namespace and uid.
type subject struct {
	name string // as a line begins: pod web-1
	pod  *pod   // nil: it is none
}

func (k *Kubectl) look(since time.Time) *look {
	return &look{Kubectl: k, since: since.Add(-clockTolerance), now: time.Now(), silent: map[string]map[string]subject{}}
}

// object looks at one object, and what keeps it from being ready.
func (l *look) object(ctx context.Context, o Object) error {
	name, known, err := l.resource(ctx, o)
	if err != nil || !known {
		return err
	}
	var text json.RawMessage
	err = l.do(ctx, request{method: http.MethodGet, path: o.path(name)}, &text)
	switch {
	case NotFound(err) && groupKind(o) == "batch/Job":
		return nil // it has ended: ttlSecondsAfterFinished removes it
	case NotFound(err):
		l.waiting = append(l.waiting, o.String()+" is not there yet")
		return nil
	case err != nil:
		return l.unlessForbidden(err, o.String())
	}
	current, err := readLive(text)
	if err != nil {
		return err
	}
	p := progressOf(groupKind(o), current, l.since)
	if p == ready || l.bindsLater(ctx, o, current) {
		return nil
	}
	l.waiting = append(l.waiting, o.String()+": "+p.waiting)
	if l.brief {
		return nil
	}
	if p.final {
		l.giveUp(o.String() + ": " + p.waiting)
	}
	if groupKind(o) != "Pod" { // which is added if it says nothing itself
		l.add(o.Kind, current.Metadata, nil)
	}
	return l.unlessForbidden(l.podsOf(ctx, o, current, text), "pods of "+o.String())
}

// unlessForbidden leaves out what the role does not allow to see: helm could not wait for it either.
func (l *look) unlessForbidden(err error, what string) error {
	if !forbidden(err) {
		return err
	}
	l.log.Debug("not looked at: the operator's role does not allow it", "what", what, "reason", err)
	return nil
}

func (l *look) giveUp(reason string) {
	if l.hopeless == "" {
		l.hopeless = reason
	}
}

// add makes an object's events count. One without a namespace has to say itself what is wrong: its events are among everybody's.
func (l *look) add(kind string, of identity, p *pod) {
	if of.Namespace == "" {
		return
	}
	if l.silent[of.Namespace] == nil {
		l.silent[of.Namespace] = map[string]subject{}
	}
	l.silent[of.Namespace][of.UID] = subject{strings.ToLower(kind) + " " + of.Name, p}
}

// events adds what they say about the objects that say nothing themselves.
func (l *look) events(ctx context.Context) error {
	for namespace, subjects := range l.silent {
		all, err := l.warnings(ctx, namespace)
		if err = l.unlessForbidden(err, "events"); err != nil {
			return fmt.Errorf("cannot list the events in namespace %s: %w", namespace, err)
		}
		for uid, about := range perSubject(all, l.since) {
			subject, ours := subjects[uid]
			for _, e := range about {
				if ours && (subject.pod == nil || !subject.pod.isOver(e)) {
					l.found = append(l.found, subject.name+": "+e.text())
				}
			}
		}
	}
	return nil
}

// bindsLater tells whether an object is a claim that nobody uses yet, where the storage class binds a claim when the first pod
// uses it. helm would wait for that even if there shall be no pod, as in a workload that sleeps; who has a pod is waited for anyway.
func (l *look) bindsLater(ctx context.Context, o Object, current live) bool {
	if groupKind(o) != "PersistentVolumeClaim" || current.Status.Phase != "Pending" {
		return false
	}
	path := collection(core, current.Metadata.Namespace, "events") + "?fieldSelector=involvedObject.uid%3D" + current.Metadata.UID
	events, err := list[event](ctx, l.Kubectl, request{path: path})
	if err != nil {
		l.log.Debug("events not looked at", "of", o.String(), "reason", err)
	}
	newest := event{}
	for _, e := range events {
		if !e.last().Before(newest.last()) {
			newest = e
		}
	}
	return newest.Reason == "WaitForFirstConsumer"
}
