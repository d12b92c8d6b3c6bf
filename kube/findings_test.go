package kube

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// items reads objects as kubectl prints them.
func items[T any](t *testing.T, objects ...string) []T {
	t.Helper()
	var list []T
	for _, object := range objects {
		var item T
		if err := json.Unmarshal([]byte(object), &item); err != nil {
			t.Fatalf("%v in %s", err, object)
		}
		list = append(list, item)
	}
	return list
}

// podWith is a pod of the release whose status is given.
func podWith(name, status string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q},"status":%s}`, name, status)
}

func containers(states string) string { return `{"containerStatuses":[` + states + `]}` }

func eventOf(kind, name, reason, message string) string {
	return fmt.Sprintf(`{"type":"Warning","reason":%q,"message":%q,"involvedObject":{"kind":%q,"name":%q}}`, reason, message, kind, name)
}

const (
	starts     = `{"name":"app","state":{"waiting":{"reason":"ContainerCreating"}}}`
	runs       = `{"name":"app","ready":true,"state":{"running":{"startedAt":"2026-11-23T12:00:00Z"}}}`
	imageFails = `{"name":"app","state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image \"x:1\"\n"}}}`
	crashes    = `{"name":"app","restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s"}},
		"lastState":{"terminated":{"reason":"OOMKilled","message":""}}}`
	failed    = `{"name":"app","state":{"terminated":{"reason":"Error","message":"no database"}}}`
	completed = `{"name":"app","state":{"terminated":{"reason":"Completed"}}}`
	noNode    = `{"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]}`
)

func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name   string
		pods   []string
		events []string
		want   []string
	}{
		{"nothing at all", nil, nil, nil},
		{"a pod that runs", []string{podWith("demo-1", containers(runs))}, nil, nil},
		{"a pod that starts", []string{podWith("demo-1", containers(starts))}, nil, nil},
		{"a job that is done", []string{podWith("demo-1", containers(completed))}, nil, nil},
		{"an image that cannot be pulled", []string{podWith("demo-1", containers(imageFails))}, nil,
			[]string{`pod demo-1: container app: ImagePullBackOff: Back-off pulling image "x:1"`}},
		{"a crash loop with its cause", []string{podWith("demo-1", containers(crashes))}, nil,
			[]string{"pod demo-1: container app: CrashLoopBackOff: back-off 40s (last: OOMKilled)"}},
		{"an init container that failed", []string{podWith("demo-1", `{"initContainerStatuses":[`+failed+`],"containerStatuses":[`+starts+`]}`)}, nil,
			[]string{"pod demo-1: container app: Error: no database"}},
		{"no node", []string{podWith("demo-1", noNode)}, nil,
			[]string{"pod demo-1: Unschedulable: 0/3 nodes are available"}},
		{"an event about what has no pod yet", nil,
			[]string{eventOf("ReplicaSet", "demo-6d5f", "FailedCreate", "exceeded quota")},
			[]string{"replicaset demo-6d5f: FailedCreate: exceeded quota"}},
		{"a pod's own word before the events about it", []string{podWith("demo-1", containers(imageFails))},
			[]string{eventOf("Pod", "demo-1", "Failed", "Error: ErrImagePull")},
			[]string{`pod demo-1: container app: ImagePullBackOff: Back-off pulling image "x:1"`}},
		{"an event about a pod that says nothing", []string{podWith("demo-1", containers(starts))},
			[]string{eventOf("Pod", "demo-1", "FailedMount", "secret \"x\" not found")},
			[]string{`pod demo-1: FailedMount: secret "x" not found`}},
		{"another release's event", nil, []string{eventOf("Pod", "other-1", "BackOff", "x")}, nil},
		{"the same twice", nil,
			[]string{eventOf("Pod", "demo-1", "BackOff", "x"), eventOf("Pod", "demo-1", "BackOff", "x")},
			[]string{"pod demo-1: BackOff: x"}},
		{"a stable order",
			[]string{podWith("demo-2", noNode), podWith("demo-1", containers(failed))},
			[]string{eventOf("ReplicaSet", "demo-6d5f", "FailedCreate", "a"), eventOf("Deployment", "demo", "Failed", "")},
			[]string{
				"deployment demo: Failed", "pod demo-1: container app: Error: no database",
				"pod demo-2: Unschedulable: 0/3 nodes are available", "replicaset demo-6d5f: FailedCreate: a",
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := findings("demo", items[pod](t, test.pods...), items[event](t, test.events...))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var pods []string
	for i := range 9 {
		pods = append(pods, podWith(fmt.Sprintf("demo-%d", i), noNode))
	}
	for n, want := range map[int]int{maxFindings: maxFindings, maxFindings + 1: maxFindings + 1, 9: maxFindings + 1} {
		got := findings("demo", items[pod](t, pods[:n]...), nil)
		if len(got) != want {
			t.Errorf("%d problems: got %d lines, want %d", n, len(got), want)
		}
		if more := fmt.Sprintf("and %d more", n-maxFindings); n > maxFindings && got[maxFindings] != more {
			t.Errorf("got %q, want %q", got[maxFindings], more)
		}
	}
}

func TestFindingsLeaveOutAReleaseWhoseNameGoesOn(t *testing.T) {
	got := findings("demo", nil, items[event](t, eventOf("Pod", "demonstration-7c-x", "BackOff", "x")))
	if len(got) != 0 {
		t.Errorf("got %q", got)
	}
}
