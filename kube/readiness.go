package kube

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"time"
)

// live is an object as the API server returns it: the fields that decide whether it is ready, for all kinds.
type live struct {
	Metadata identity
	Spec     struct {
		Replicas                *int
		Paused                  bool
		ProgressDeadlineSeconds *int
		Selector                selector
		UpdateStrategy          struct {
			Type          string
			RollingUpdate struct{ Partition *int }
		}
		Type, ClusterIP string // of a Service
		Parallelism     *int   // of a Job
		ManagedBy       string
	}
	Status liveStatus
}

type liveStatus struct {
	ObservedGeneration *int64
	Conditions         []condition
	Phase, StartTime   string
	UpdateRevision     string
	CurrentRevision    string

	Replicas, ReadyReplicas, UpdatedReplicas, AvailableReplicas, CurrentReplicas, FullyLabeledReplicas int

	DesiredNumberScheduled                                                       *int
	CurrentNumberScheduled, UpdatedNumberScheduled, NumberAvailable, NumberReady int

	Active, Succeeded, Failed int // pods of a Job, and those that have ended and are not counted there yet
	UncountedTerminatedPods   struct{ Succeeded, Failed []string }
}

// UnmarshalJSON distinguishes upper and lower case in the names of fields, as kstatus does. encoding/json would read Conditions too, under which a
// custom resource may keep anything.
func (s *liveStatus) UnmarshalJSON(text []byte) error {
	type plain liveStatus
	return json.Unmarshal(withoutCapitals(text), (*plain)(s))
}

// UnmarshalJSON does the same as that of liveStatus.
func (c *condition) UnmarshalJSON(text []byte) error {
	type plain condition
	return json.Unmarshal(withoutCapitals(text), (*plain)(c))
}

// withoutCapitals returns a JSON object without the fields whose names begin with a capital letter. Kubernetes has none.
func withoutCapitals(text []byte) []byte {
	if !capital.Match(text) {
		return text
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return text // no object
	}
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return name != "" && name[0] >= 'A' && name[0] <= 'Z' })
	text, _ = json.Marshal(fields) // it was JSON
	return text
}

// capital matches what may be the name of a field that begins with a capital letter.
var capital = regexp.MustCompile(`"[A-Z][A-Za-z]*"\s*:`)

type identity struct {
	Name, Namespace, UID string
	Generation           *int64
	CreationTimestamp    time.Time
	DeletionTimestamp    string
	Labels, Annotations  map[string]string
	OwnerReferences      []owner
}

type owner struct {
	Kind, UID  string
	Controller bool
}

// controller returns the owner that manages the object; its UID is "" if there is none.
func (i identity) controller() owner {
	for _, o := range i.OwnerReferences {
		if o.Controller {
			return o
		}
	}
	return owner{}
}

// condition is one of an object's conditions. The time is a text, because custom resources may write anything there.
type condition struct{ Type, Status, Reason, Message, LastTransitionTime string }

func (c condition) changed() time.Time {
	at, _ := time.Parse(time.RFC3339, c.LastTransitionTime)
	return at
}

func (c condition) String() string { return cmp.Or(reasonOf(c.Reason, c.Message), c.Type) }

// readLive reads an object. A field of an unexpected type is ignored: a custom resource may use the names of these fields for anything.
func readLive(text []byte) (live, error) {
	var o live
	err := json.Unmarshal(text, &o)
	if other := (*json.UnmarshalTypeError)(nil); errors.As(err, &other) {
		err = nil
	}
	return o, err
}

// progress is how far an object is on its way to being ready.
type progress struct {
	waiting string // what it waits for; empty: it is ready
	final   bool   // it will not become ready by itself
}

var ready = progress{}

func waiting(format string, values ...any) progress {
	return progress{waiting: fmt.Sprintf(format, values...)}
}

// progressOf follows the rules of helm 4, which are those of kstatus (github.com/fluxcd/cli-utils, pkg/kstatus/status), kind by kind and
// in the same order. The library itself would add 3 MiB of resident memory. Where a rule differs, its comment says so.
//
// A condition that makes an object's progress final counts only if it has changed after since: an older one may be about to disappear.
func progressOf(kind string, o live, since time.Time) progress {
	if kind == "apps/Deployment" && o.Spec.Paused {
		return ready // as in helm: nothing rolls out until somebody resumes the Deployment
	}
	switch {
	case o.Metadata.DeletionTimestamp != "":
		return waiting("being deleted")
	case !o.observed():
		return waiting("the change is not seen yet")
	}
	for _, c := range o.Status.Conditions {
		if c.Type == "Reconciling" && c.Status == "True" {
			return waiting("%s", c)
		}
		if c.Type == "Stalled" && c.Status == "True" {
			return progress{c.String(), !c.changed().Before(since)}
		}
	}
	if rule := rules[kind]; rule != nil {
		return rule(o, since)
	}
	return readyCondition(o)
}

var rules = map[string]func(live, time.Time) progress{
	"apps/Deployment":  deploymentProgress,
	"apps/StatefulSet": statefulSetProgress,
	"apps/DaemonSet":   daemonSetProgress,
	"apps/ReplicaSet":  replicaSetProgress,
	"batch/Job":        jobProgress,

	"Pod":                   podProgress,
	"PersistentVolumeClaim": claimProgress,
	"Service":               serviceProgress,

	"apiextensions.k8s.io/CustomResourceDefinition": definitionProgress,

	"policy/PodDisruptionBudget": func(live, time.Time) progress { return ready },
}

// observed tells whether the object's controller has seen the newest change. Kinds that do not report this count as observed.
func (o live) observed() bool {
	generation, observed := o.Metadata.Generation, o.Status.ObservedGeneration
	return generation == nil || observed == nil || *observed == *generation
}

func (o live) replicas() int {
	if o.Spec.Replicas == nil {
		return 1
	}
	return *o.Spec.Replicas
}

func (s liveStatus) condition(kind, status string) bool {
	for _, c := range s.Conditions {
		if c.Type == kind && c.Status == status {
			return true
		}
	}
	return false
}

// readyCondition is the rule for kinds without a rule of their own.
func readyCondition(o live) progress {
	for _, c := range o.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return ready
		}
		if c.Type == "Ready" && (c.Status == "False" || c.Status == "Unknown") {
			return waiting("not ready: %s", c)
		}
	}
	return ready
}

func deploymentProgress(o live, since time.Time) progress {
	// A Deployment without a deadline has no condition Progressing.
	deadline := o.Spec.ProgressDeadlineSeconds
	progressing, available := deadline == nil || *deadline == math.MaxInt32, false
	for _, c := range o.Status.Conditions {
		if c.Type == "Progressing" && c.Reason == "ProgressDeadlineExceeded" {
			// The chart sets this deadline, and helm ends its wait there too.
			return progress{c.String(), !c.changed().Before(since)}
		}
		progressing = progressing || c.Type == "Progressing" && c.Status == "True" && c.Reason == "NewReplicaSetAvailable"
		available = available || c.Type == "Available" && c.Status == "True"
	}
	s, want := o.Status, o.replicas()
	switch {
	case s.Replicas < want:
		return waiting("%d of %d replicas exist", s.Replicas, want)
	case s.UpdatedReplicas < want:
		return waiting("%d of %d replicas are updated", s.UpdatedReplicas, want)
	case s.Replicas > want:
		return waiting("the new replicas are not available, old ones that still run: %d", s.Replicas-want)
	case s.AvailableReplicas < s.UpdatedReplicas:
		return waiting("%d of %d replicas are available", s.AvailableReplicas, s.UpdatedReplicas)
	case s.ReadyReplicas < want:
		return waiting("%d of %d replicas are ready", s.ReadyReplicas, want)
	case !progressing:
		return waiting("the new ReplicaSet is not available")
	case !available:
		return waiting("not available")
	}
	return ready
}

func statefulSetProgress(o live, _ time.Time) progress {
	if o.Spec.UpdateStrategy.Type == "OnDelete" {
		return ready // OnDelete: pods are replaced only when somebody deletes them
	}
	s, want, partition := o.Status, o.replicas(), o.Spec.UpdateStrategy.RollingUpdate.Partition
	switch {
	case s.Replicas < want:
		return waiting("%d of %d replicas exist", s.Replicas, want)
	case s.ReadyReplicas < want:
		return waiting("%d of %d replicas are ready", s.ReadyReplicas, want)
	case s.Replicas > want:
		return waiting("%d replicas have not ended yet", s.Replicas-want)
	case partition != nil && s.UpdatedReplicas < want-*partition:
		return waiting("%d of %d replicas are updated", s.UpdatedReplicas, want-*partition)
	case partition != nil:
		return ready
	case s.CurrentReplicas < want:
		return waiting("%d of %d replicas are current", s.CurrentReplicas, want)
	case s.CurrentRevision != s.UpdateRevision:
		return waiting("not all replicas are updated")
	}
	return ready
}

func daemonSetProgress(o live, _ time.Time) progress {
	s := o.Status
	switch {
	case o.Metadata.Generation == nil || s.ObservedGeneration == nil || s.DesiredNumberScheduled == nil:
		return waiting("not seen yet")
	case o.Spec.UpdateStrategy.Type == "OnDelete":
		return ready // as in helm 3; helm 4 would wait until somebody deletes the pods
	}
	for _, count := range []struct {
		pods int
		are  string
	}{
		{s.CurrentNumberScheduled, "exist"}, {s.UpdatedNumberScheduled, "are updated"}, {s.NumberAvailable, "are available"}, {s.NumberReady, "are ready"},
	} {
		if count.pods < *s.DesiredNumberScheduled {
			return waiting("%d of %d pods %s", count.pods, *s.DesiredNumberScheduled, count.are)
		}
	}
	return ready
}

func replicaSetProgress(o live, _ time.Time) progress {
	s, want := o.Status, o.replicas()
	switch {
	case s.condition("ReplicaFailure", "True"):
		return waiting("pods cannot be made")
	case s.FullyLabeledReplicas < want:
		return waiting("%d of %d replicas exist", s.FullyLabeledReplicas, want)
	case s.AvailableReplicas < want:
		return waiting("%d of %d replicas are available", s.AvailableReplicas, want)
	case s.ReadyReplicas < want:
		return waiting("%d of %d replicas are ready", s.ReadyReplicas, want)
	case s.Replicas > want:
		return waiting("%d replicas have not ended yet", s.Replicas-want)
	}
	return ready
}

// podProgress differs from helm 4 in one point: helm 4 counts a failed pod as ready, and so the deploy as a success.
func podProgress(o live, _ time.Time) progress {
	switch phase := o.Status.Phase; phase {
	case "Succeeded":
		return ready
	case "Failed":
		return progress{"failed", true}
	case "Running":
		if o.Status.condition("Ready", "True") {
			return ready
		}
		return waiting("runs, but is not ready")
	default:
		return waiting("%s", cmp.Or(phase, "not seen yet"))
	}
}

// jobProgress follows helm without --wait-for-jobs: a Job that has begun is ready unless it has failed. It differs in one point: here a
// Job has begun only when one of its pods exists, because Pod Security, a quota or a policy can admit the Job and still refuse its pods.
//
// A Job that failed before this deploy, and that the deploy does not run again, counts as ready.
func jobProgress(o live, since time.Time) progress {
	for _, c := range o.Status.Conditions {
		switch {
		case c.Type == "Complete" && c.Status == "True":
			return ready
		case c.Type == "Failed" && c.Status == "True" && c.changed().Before(since):
			return ready
		case c.Type == "Failed" && c.Status == "True":
			return progress{c.String(), true}
		}
	}
	if o.Status.StartTime == "" {
		return waiting("not begun")
	}
	uncounted := o.Status.UncountedTerminatedPods
	pods := o.Status.Active + o.Status.Succeeded + o.Status.Failed + len(uncounted.Succeeded) + len(uncounted.Failed)
	if wants := o.Spec.Parallelism == nil || *o.Spec.Parallelism > 0; wants && pods == 0 && o.Spec.ManagedBy == "" {
		return waiting("none of its pods exists")
	}
	return ready
}

func claimProgress(o live, _ time.Time) progress {
	if o.Status.Phase != "Bound" {
		return waiting("not bound: %s", cmp.Or(o.Status.Phase, "unknown"))
	}
	return ready
}

func serviceProgress(o live, _ time.Time) progress {
	if o.Spec.Type == "LoadBalancer" && o.Spec.ClusterIP == "" {
		return waiting("no address in the cluster")
	}
	return ready // helm 4 does not wait for the load balancer
}

func definitionProgress(o live, _ time.Time) progress {
	for _, c := range o.Status.Conditions {
		if c.Type == "NamesAccepted" && c.Status == "False" {
			return waiting("%s", c)
		}
		if c.Type == "Established" && c.Status == "True" {
			return ready
		}
	}
	return waiting("not established")
}
