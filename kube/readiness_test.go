package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// noon is the time when the deploys of the tests begin.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// object returns an object whose controller has seen the newest change; spec and status are without braces.
func object(spec, status string) string {
	return fmt.Sprintf(`{"metadata":{"generation":2},"spec":{%s},"status":{"observedGeneration":2%s}}`, spec, strings.TrimSuffix(","+status, ","))
}

func cond(kind, status, reason, message string) string {
	return fmt.Sprintf(`{"type":%q,"status":%q,"reason":%q,"message":%q,"lastTransitionTime":"2026-11-23T12:00:30Z"}`, kind, status, reason, message)
}

func conditions(all ...string) string { return `"conditions":[` + strings.Join(all, ",") + `]` }

func TestReadiness(t *testing.T) {
	const (
		twoOfTwo   = `"replicas":2,"updatedReplicas":2,"availableReplicas":2,"readyReplicas":2,"currentReplicas":2,"fullyLabeledReplicas":2,`
		twoWanted  = `"replicas":2,"progressDeadlineSeconds":600`
		dsComplete = `"desiredNumberScheduled":2,"currentNumberScheduled":2,"updatedNumberScheduled":2,"numberAvailable":2,"numberReady":2`
	)
	available := conditions(cond("Progressing", "True", "NewReplicaSetAvailable", ""), cond("Available", "True", "", ""))
	rolling := func(partition string) string {
		return `"replicas":2,"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{` + partition + `}}`
	}
	for _, test := range []struct {
		name, kind, object string
		want               string // empty: ready
		final              bool
	}{
		{"complete", "apps/Deployment", object(twoWanted, twoOfTwo+available), "", false},
		{"no status", "apps/Deployment", `{"metadata":{"generation":1},"spec":{"replicas":2}}`, "0 of 2 replicas exist", false},
		{"one replica, if none is given", "apps/Deployment", object("", ""), "0 of 1 replicas exist", false},
		{"asleep", "apps/Deployment", object(`"replicas":0,"progressDeadlineSeconds":600`, available), "", false},
		{"asleep, not seen", "apps/Deployment", `{"metadata":{},"spec":{"replicas":0,"progressDeadlineSeconds":600}}`, "the new ReplicaSet is not available", false},
		{"change not seen", "apps/Deployment", strings.Replace(object(twoWanted, twoOfTwo+available), `"observedGeneration":2`, `"observedGeneration":1`, 1), "the change is not seen yet", false},
		{"paused", "apps/Deployment", object(`"paused":true,`+twoWanted, ""), "", false},
		{"deleted", "apps/Deployment", `{"metadata":{"deletionTimestamp":"2026-11-23T12:00:00Z"}}`, "being deleted", false},
		{"not updated", "apps/Deployment", object(twoWanted, `"replicas":2,"updatedReplicas":1`), "1 of 2 replicas are updated", false},
		{"old pods", "apps/Deployment", object(twoWanted, `"replicas":3,"updatedReplicas":2`), "the new replicas are not available, old ones that still run: 1", false},
		{"not available", "apps/Deployment", object(twoWanted, `"replicas":2,"updatedReplicas":2,"availableReplicas":1`), "1 of 2 replicas are available", false},
		{"not ready", "apps/Deployment", object(twoWanted, `"replicas":2,"updatedReplicas":2,"availableReplicas":2,"readyReplicas":1`), "1 of 2 replicas are ready", false},
		{"no condition Progressing", "apps/Deployment", object(twoWanted, twoOfTwo+conditions(cond("Available", "True", "", ""))), "the new ReplicaSet is not available", false},
		{"no deadline, so no condition", "apps/Deployment", object(`"replicas":2`, twoOfTwo+conditions(cond("Available", "True", "", ""))), "", false},
		{"the greatest deadline is none", "apps/Deployment", object(`"replicas":2,"progressDeadlineSeconds":2147483647`, twoOfTwo+conditions(cond("Available", "True", "", ""))), "", false},
		{"no condition Available", "apps/Deployment", object(twoWanted, twoOfTwo+conditions(cond("Progressing", "True", "NewReplicaSetAvailable", ""))), "not available", false},
		{"deadline exceeded", "apps/Deployment", object(twoWanted, conditions(cond("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))), "ProgressDeadlineExceeded: timed out", true},
		{"deadline exceeded before", "apps/Deployment", object(twoWanted, conditions(strings.Replace(cond("Progressing", "False", "ProgressDeadlineExceeded", "x"), "2026", "2025", 1))), "ProgressDeadlineExceeded: x", false},
		{"pods refused", "apps/Deployment", object(twoWanted, conditions(cond("ReplicaFailure", "True", "FailedCreate", "exceeded quota"))), "0 of 2 replicas exist", false},

		{"complete", "apps/StatefulSet", object(rolling(""), twoOfTwo+`"currentRevision":"a","updateRevision":"a"`), "", false},
		{"on delete", "apps/StatefulSet", object(`"replicas":2,"updateStrategy":{"type":"OnDelete"}`, ""), "", false},
		{"too few", "apps/StatefulSet", object(rolling(""), `"replicas":1`), "1 of 2 replicas exist", false},
		{"not ready", "apps/StatefulSet", object(rolling(""), `"replicas":2,"readyReplicas":1`), "1 of 2 replicas are ready", false},
		{"too many", "apps/StatefulSet", object(rolling(""), `"replicas":3,"readyReplicas":3`), "1 replicas have not ended yet", false},
		{"partition 0", "apps/StatefulSet", object(rolling(`"partition":0`), `"replicas":2,"readyReplicas":2,"updatedReplicas":1`), "1 of 2 replicas are updated", false},
		{"partition 1", "apps/StatefulSet", object(rolling(`"partition":1`), `"replicas":2,"readyReplicas":2,"updatedReplicas":1`), "", false},
		{"not current", "apps/StatefulSet", object(rolling(""), `"replicas":2,"readyReplicas":2,"currentReplicas":1`), "1 of 2 replicas are current", false},
		{"another revision", "apps/StatefulSet", object(rolling(""), twoOfTwo+`"currentRevision":"a","updateRevision":"b"`), "not all replicas are updated", false},

		{"complete", "apps/DaemonSet", object("", dsComplete), "", false},
		{"no status", "apps/DaemonSet", `{"metadata":{"generation":1}}`, "not seen yet", false},
		{"on delete", "apps/DaemonSet", object(`"updateStrategy":{"type":"OnDelete"}`, strings.Replace(dsComplete, `"updatedNumberScheduled":2`, `"updatedNumberScheduled":0`, 1)), "", false},
		{"too few", "apps/DaemonSet", object("", strings.Replace(dsComplete, `"currentNumberScheduled":2`, `"currentNumberScheduled":1`, 1)), "1 of 2 pods exist", false},
		{"not updated", "apps/DaemonSet", object("", strings.Replace(dsComplete, `"updatedNumberScheduled":2`, `"updatedNumberScheduled":1`, 1)), "1 of 2 pods are updated", false},
		{"not available", "apps/DaemonSet", object("", strings.Replace(dsComplete, `"numberAvailable":2`, `"numberAvailable":1`, 1)), "1 of 2 pods are available", false},
		{"not ready", "apps/DaemonSet", object("", strings.Replace(dsComplete, `"numberReady":2`, `"numberReady":1`, 1)), "1 of 2 pods are ready", false},

		{"complete", "apps/ReplicaSet", object(`"replicas":2`, twoOfTwo), "", false},
		{"pods refused", "apps/ReplicaSet", object(`"replicas":2`, twoOfTwo+conditions(cond("ReplicaFailure", "True", "FailedCreate", "x"))), "pods cannot be made", false},
		{"too few", "apps/ReplicaSet", object(`"replicas":2`, `"fullyLabeledReplicas":1`), "1 of 2 replicas exist", false},
		{"not available", "apps/ReplicaSet", object(`"replicas":2`, `"fullyLabeledReplicas":2,"availableReplicas":1`), "1 of 2 replicas are available", false},
		{"too many", "apps/ReplicaSet", object(`"replicas":1`, twoOfTwo), "1 replicas have not ended yet", false},

		{"ready", "Pod", object("", `"phase":"Running",`+conditions(cond("Ready", "True", "", ""))), "", false},
		{"not ready", "Pod", object("", `"phase":"Running",`+conditions(cond("Ready", "False", "", ""))), "runs, but is not ready", false},
		{"pending", "Pod", object("", `"phase":"Pending"`), "Pending", false},
		{"no status", "Pod", `{}`, "not seen yet", false},
		{"done", "Pod", object("", `"phase":"Succeeded"`), "", false},
		{"failed", "Pod", object("", `"phase":"Failed"`), "failed", true},

		{"bound", "PersistentVolumeClaim", object("", `"phase":"Bound"`), "", false},
		{"pending", "PersistentVolumeClaim", object("", `"phase":"Pending"`), "not bound: Pending", false},
		{"no status", "PersistentVolumeClaim", `{}`, "not bound: unknown", false},

		{"any", "Service", object(`"type":"ClusterIP"`, ""), "", false},
		{"external", "Service", object(`"type":"ExternalName"`, ""), "", false},
		{"a load balancer that is not there yet", "Service", object(`"type":"LoadBalancer","clusterIP":"10.0.0.1"`, `"loadBalancer":{}`), "", false},
		{"a load balancer without an address", "Service", object(`"type":"LoadBalancer"`, ""), "no address in the cluster", false},

		{"not begun", "batch/Job", object("", ""), "not begun", false},
		{"runs", "batch/Job", object("", `"startTime":"2026-11-23T12:00:00Z","active":1`), "", false},
		{"begun, without a pod", "batch/Job", object("", `"startTime":"2026-11-23T12:00:00Z"`), "none of its pods exists", false},
		{"has failed once", "batch/Job", object("", `"startTime":"2026-11-23T12:00:00Z","failed":1`), "", false},
		{"its pod has just ended", "batch/Job", object("", `"startTime":"2026-11-23T12:00:00Z","uncountedTerminatedPods":{"succeeded":["a"]}`), "", false},
		{"wants no pods", "batch/Job", object(`"parallelism":0`, `"startTime":"2026-11-23T12:00:00Z"`), "", false},
		{"somebody else's to run", "batch/Job", object(`"managedBy":"kueue.x-k8s.io/multikueue"`, `"startTime":"2026-11-23T12:00:00Z"`), "", false},
		{"complete", "batch/Job", object("", conditions(cond("Complete", "True", "", ""))), "", false},
		{"failed", "batch/Job", object("", `"startTime":"2026-11-23T12:00:00Z",`+conditions(cond("Failed", "True", "BackoffLimitExceeded", "x"))), "BackoffLimitExceeded: x", true},
		// helm 4 fails for ever on such a Job, helm 3 does not: nothing of this deploy has failed.
		{"failed before", "batch/Job", object("", conditions(strings.Replace(cond("Failed", "True", "", ""), "2026", "2025", 1))), "", false},

		{"established", "apiextensions.k8s.io/CustomResourceDefinition", object("", conditions(cond("NamesAccepted", "True", "", ""), cond("Established", "True", "", ""))), "", false},
		{"no status", "apiextensions.k8s.io/CustomResourceDefinition", `{}`, "not established", false},
		{"installing", "apiextensions.k8s.io/CustomResourceDefinition", object("", conditions(cond("Established", "False", "Installing", ""))), "not established", false},
		{"names refused", "apiextensions.k8s.io/CustomResourceDefinition", object("", conditions(cond("NamesAccepted", "False", "NotAccepted", "taken"))), "NotAccepted: taken", false},

		{"observed", "policy/PodDisruptionBudget", object("", conditions(cond("Ready", "False", "", ""))), "", false},
		{"change not seen", "policy/PodDisruptionBudget", `{"metadata":{"generation":2},"status":{"observedGeneration":1}}`, "the change is not seen yet", false},

		{"no status", "example.com/Thing", `{"metadata":{"generation":1}}`, "", false},
		{"ready", "example.com/Thing", object("", conditions(cond("Ready", "True", "", ""))), "", false},
		{"not ready", "example.com/Thing", object("", conditions(cond("Ready", "False", "Waits", "for a node"))), "not ready: Waits: for a node", false},
		{"unknown", "example.com/Thing", object("", conditions(cond("Ready", "Unknown", "", ""))), "not ready: Ready", false},
		{"reconciling", "example.com/Thing", object("", conditions(cond("Ready", "True", "", ""), cond("Reconciling", "True", "", ""))), "Reconciling", false},
		{"stalled", "example.com/Thing", object("", conditions(cond("Stalled", "True", "NoPlan", "x"))), "NoPlan: x", true},
		{"stalled before", "example.com/Thing", object("", conditions(strings.Replace(cond("Stalled", "True", "NoPlan", "x"), "2026", "2025", 1))), "NoPlan: x", false},
		{"stalled, nobody knows since when", "example.com/Thing", `{"status":{"conditions":[{"type":"Stalled","status":"True","lastTransitionTime":"yesterday"}]}}`, "Stalled", false},
		{"conditions by another name", "example.com/Thing", `{"status":{"Conditions":[{"type":"Ready","status":"False"}]}}`, "", false},
		{"conditions with fields by other names", "example.com/Thing", object("", `"conditions":[{"Type":"Ready","Status":"False"},{"type":"Ready","status":"True","STATUS":"False"}]`), "", false},
		{"a status of other names beside its own", "example.com/Thing", object("", `"ObservedGeneration":1,"Conditions":"none",`+conditions(cond("Ready", "False", "Waits", ""))), "not ready: Waits", false},
		{"fields that mean something else", "example.com/Thing", `{"metadata":{"generation":1},"spec":{"replicas":"many","selector":"x"},"status":{"phase":{},"conditions":"none","replicas":[]}}`, "", false},
	} {
		t.Run(test.kind+" "+test.name, func(t *testing.T) {
			o, err := readLive([]byte(test.object))
			if err != nil {
				t.Fatal(err, test.object)
			}
			if got := progressOf(test.kind, o, noon); got != (progress{test.want, test.final}) {
				t.Errorf("got %+v, want %q (final: %v)", got, test.want, test.final)
			}
		})
	}
}

func TestAnAnswerThatIsNoObjectIsTold(t *testing.T) {
	if _, err := readLive([]byte(`{"metadata":`)); err == nil {
		t.Error("no error")
	}
}
