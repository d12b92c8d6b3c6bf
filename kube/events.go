package kube

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// event is one of the core API: something that happened to an object, now and then or once.
type event struct {
	Metadata       struct{ CreationTimestamp time.Time }
	InvolvedObject struct{ UID, FieldPath string }

	Reason, Message          string
	LastTimestamp, EventTime time.Time
	Series                   struct{ LastObservedTime time.Time }
}

// last is when it happened last. Who writes an event sets one field or another.
func (e event) last() time.Time {
	return slices.MaxFunc([]time.Time{e.LastTimestamp, e.EventTime, e.Series.LastObservedTime, e.Metadata.CreationTimestamp}, time.Time.Compare)
}

// warnings are the events in a namespace that say what is wrong.
func (k *Kubectl) warnings(ctx context.Context, namespace string) ([]event, error) {
	return list[event](ctx, k, request{path: collection(core, namespace, "events") + "?fieldSelector=type%3DWarning"})
}

// perSubject keeps of the events since a time what concerns each object, by its uid: the newest of each reason and container.
func perSubject(events []event, since time.Time) map[string][]event {
	events = slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.last().Before(since) })
	slices.SortStableFunc(events, func(a, b event) int { return b.last().Compare(a.last()) })
	type what struct{ uid, reason, fieldPath string }
	seen := map[what]bool{}
	subjects := map[string][]event{}
	for _, e := range events {
		key := what{e.InvolvedObject.UID, e.Reason, e.InvolvedObject.FieldPath}
		if key.uid == "" || seen[key] {
			continue
		}
		seen[key] = true
		subjects[key.uid] = append(subjects[key.uid], e)
	}
	return subjects
}

// text is such as: FailedCreate: exceeded quota.
func (e event) text() string {
	if e.Reason == "Unhealthy" { // the message says which probe
		return e.container() + cmp.Or(e.Message, e.Reason)
	}
	return reasonOf(e.Reason, e.Message)
}

// container is that of a field path such as spec.containers{app}, as the beginning of a line.
func (e event) container() string {
	_, name, found := strings.Cut(e.InvolvedObject.FieldPath, "{")
	if !found {
		return ""
	}
	return "container " + strings.TrimSuffix(name, "}") + ": "
}
