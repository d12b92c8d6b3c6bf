package kube

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// event is an Event of the core API: something that happened to an object, once or repeatedly.
type event struct {
	Metadata       struct{ CreationTimestamp time.Time }
	InvolvedObject struct{ UID, FieldPath string }

	Reason, Message          string
	LastTimestamp, EventTime time.Time
	Series                   struct{ LastObservedTime time.Time }
}

// last returns when the event happened last. Different components set different time fields.
func (e event) last() time.Time {
	return slices.MaxFunc([]time.Time{e.LastTimestamp, e.EventTime, e.Series.LastObservedTime, e.Metadata.CreationTimestamp}, time.Time.Compare)
}

// warnings returns the events of type Warning in a namespace.
func (k *Client) warnings(ctx context.Context, namespace string) ([]event, error) {
	return list[event](ctx, k, request{path: collection(core, namespace, "events") + "?fieldSelector=type%3DWarning"})
}

// perSubject returns the events since a time by the uid of the object that they are about; of each reason and container only the newest.
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

// text returns the event as a line, such as "FailedCreate: exceeded quota".
func (e event) text() string {
	if e.Reason == "Unhealthy" { // the message says which probe
		return e.container() + cmp.Or(e.Message, e.Reason)
	}
	return reasonOf(e.Reason, e.Message)
}

// container returns "container app: " for a field path such as spec.containers{app}; "" for any other.
func (e event) container() string {
	_, name, found := strings.Cut(e.InvolvedObject.FieldPath, "{")
	if !found {
		return ""
	}
	return "container " + strings.TrimSuffix(name, "}") + ": "
}
