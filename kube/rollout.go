package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Rollout is how far a release's objects are on their way to being ready. Each text is one line of at most 500 bytes.
type Rollout struct {
	Ready    bool
	Waiting  []string // what is not ready, one line each: "Deployment web: 1 of 2 replicas are available"
	Findings []string // what is wrong, by pods, ReplicaSets and events; sorted, at most 5 and "and N more"
	Hopeless string   // the object and the cause because of which waiting cannot help; "": there is none
}

// clockTolerance allows for different clocks of the API server, the nodes and the operator.
const clockTolerance = 5 * time.Second

// Rollout looks once at the objects of a release. They are ready when helm's own --wait would end. Objects that the operator's role does
// not allow to read, and kinds that the cluster does not have, count as ready. Events, and pods that have ended, count only if they are
// newer than since, the beginning of the deploy.
//
// Hopeless is proof only if a second look, some seconds later, says it again: a Deployment whose replica count and template change
// together has for a moment only its old ReplicaSet. The error wraps ErrUnreachable if the API server could not be asked.
func (k *Client) Rollout(ctx context.Context, objects []Object, since time.Time) (Rollout, error) {
	l := k.inspection(since)
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

// RolledOut tells only whether all objects are ready. It needs one request per object, so it may be called in quick succession.
func (k *Client) RolledOut(ctx context.Context, objects []Object) (bool, error) {
	l := k.inspection(time.Now())
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

// inspection is one look at the objects of a release and their pods.
type inspection struct {
	*Client
	brief      bool // look at the objects only, not at their pods
	since, now time.Time

	waiting  []string                      // see Rollout
	found    []string                      // see Rollout.Findings
	hopeless string                        // see Rollout; the first
	silent   map[string]map[string]subject // by namespace and uid: objects of which only events say what is wrong
}

// subject is an object whose own status does not say what is wrong.
type subject struct {
	name string // as it begins a line, such as "pod web-1"
	pod  *pod   // nil: it is not a pod
}

func (k *Client) inspection(since time.Time) *inspection {
	return &inspection{Client: k, since: since.Add(-clockTolerance), now: time.Now(), silent: map[string]map[string]subject{}}
}

// object looks at one object and, if it is not ready, for the reason.
func (l *inspection) object(ctx context.Context, o Object) error {
	name, known, err := l.resource(ctx, o)
	if err != nil || !known {
		return err
	}
	var text json.RawMessage
	err = l.do(ctx, request{method: http.MethodGet, path: o.path(name)}, &text)
	switch {
	case NotFound(err) && groupKind(o) == "batch/Job":
		return nil // finished, and removed by its ttlSecondsAfterFinished
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
	if groupKind(o) != "Pod" { // podsOf adds a pod if its status does not say what is wrong
		l.add(o.Kind, current.Metadata, nil)
	}
	return l.unlessForbidden(l.podsOf(ctx, o, current, text), "pods of "+o.String())
}

// unlessForbidden returns nil for an error that says that the operator's role does not allow a look: helm could not wait for the object
// either.
func (l *inspection) unlessForbidden(err error, what string) error {
	if !forbidden(err) {
		return err
	}
	l.log.Debug("not looked at: the operator's role does not allow it", "what", what, "reason", err)
	return nil
}

func (l *inspection) giveUp(reason string) {
	if l.hopeless == "" {
		l.hopeless = reason
	}
}

// add registers an object whose events shall be read. Cluster-scoped objects are left out, because their events lie among everybody's.
func (l *inspection) add(kind string, of identity, p *pod) {
	if of.Namespace == "" {
		return
	}
	if l.silent[of.Namespace] == nil {
		l.silent[of.Namespace] = map[string]subject{}
	}
	l.silent[of.Namespace][of.UID] = subject{strings.ToLower(kind) + " " + of.Name, p}
}

// events reads what events say about the silent objects.
func (l *inspection) events(ctx context.Context) error {
	for namespace, subjects := range l.silent {
		all, err := l.warnings(ctx, namespace)
		if err = l.unlessForbidden(err, "events"); err != nil {
			return fmt.Errorf("cannot list the events in namespace %s: %w", namespace, err)
		}
		for uid, about := range perSubject(all, l.since) {
			subject, ours := subjects[uid]
			for _, e := range about {
				if ours && (subject.pod == nil || !subject.pod.isPast(e)) {
					l.found = append(l.found, subject.name+": "+e.text())
				}
			}
		}
	}
	return nil
}

// bindsLater tells whether an object is a volume claim that is not used yet and whose storage class binds it at the first use. helm would
// wait for such a claim even if the workload has no pods (replicas 0). If there is a pod, the pod itself is waited for.
func (l *inspection) bindsLater(ctx context.Context, o Object, current live) bool {
	if groupKind(o) != "PersistentVolumeClaim" || current.Status.Phase != "Pending" {
		return false
	}
	path := collection(core, current.Metadata.Namespace, "events") + "?fieldSelector=involvedObject.uid%3D" + current.Metadata.UID
	events, err := list[event](ctx, l.Client, request{path: path})
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
