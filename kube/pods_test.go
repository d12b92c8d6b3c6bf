package kube

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// items reads objects as the API server sends them.
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

// containers is a pod's status with the containers.
func containers(states ...string) string {
	return `"phase":"Pending","startTime":"2026-11-23T12:00:05Z","containerStatuses":[` + strings.Join(states, ",") + `]`
}

// waits is a container that waits.
func waits(reason, message string) string {
	return fmt.Sprintf(`{"name":"app","state":{"waiting":{"reason":%q,"message":%q}}}`, reason, message)
}

const (
	starts    = `{"name":"app","state":{"waiting":{"reason":"ContainerCreating"}}}`
	runs      = `{"name":"app","ready":true,"state":{"running":{"startedAt":"2026-11-23T12:00:10Z"}}}`
	notReady  = `{"name":"app","ready":false,"state":{"running":{"startedAt":"2026-11-23T12:00:10Z"}}}`
	restarted = `{"name":"app","ready":false,"state":{"running":{}},"lastState":{"terminated":{"exitCode":1,"reason":"Error","finishedAt":"2026-11-23T12:00:20Z"}}}`
	crashes   = `{"name":"app","restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s restarting failed container"}},
		"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","finishedAt":"2026-11-23T11:00:00Z"}}}`
	failed    = `{"name":"app","state":{"terminated":{"exitCode":2,"signal":6,"reason":"Error","message":"no database\n","finishedAt":"2026-11-23T12:00:20Z"}}}`
	completed = `{"name":"app","state":{"terminated":{"exitCode":0,"reason":"Completed"}}}`
	noNode    = `"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]`
)

func TestProblemsOfAPod(t *testing.T) {
	for _, test := range []struct{ name, status, want string }{
		{"nothing yet", ``, ""},
		{"it starts", containers(starts), ""},
		{"it runs, and takes its time", containers(notReady), ""},
		{"it is done", containers(completed), ""},
		{"it is ready, whatever was before", conditions(cond("Ready", "True", "", "")) + "," + containers(restarted), ""},
		{"no node", noNode, "Unschedulable: 0/3 nodes are available"},
		{"an image that cannot be pulled", containers(waits("ImagePullBackOff", "Back-off pulling image \"x:1\"\n")),
			`container app: ImagePullBackOff: Back-off pulling image "x:1"`},
		{"a crash loop with its cause", containers(crashes),
			"container app: CrashLoopBackOff: back-off 40s restarting failed container (last: exit code 137, OOMKilled)"},
		{"it runs again after a crash", containers(restarted), "container app: was restarted (last: exit code 1)"},
		{"a crash of an earlier deploy", containers(strings.Replace(restarted, "T12", "T11", 1)), ""},
		{"it has failed", containers(failed), "container app: terminated: exit code 2, signal 6: no database"},
		{"one of two has failed", containers(runs, strings.Replace(failed, "app", "web", 1)), "container web: terminated: exit code 2, signal 6: no database"},
		{"an init container", `"initContainerStatuses":[` + strings.Replace(failed, "app", "init", 1) + `],` + containers(`{"name":"app","state":{"waiting":{"reason":"PodInitializing"}}}`),
			"container init: terminated: exit code 2, signal 6: no database"},
		{"evicted", `"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory.",` + conditions(cond("DisruptionTarget", "True", "", "")),
			"Evicted: The node was low on resource: memory."},
		{"evicted during an earlier deploy", `"phase":"Failed","reason":"Evicted",` + conditions(strings.Replace(cond("DisruptionTarget", "True", "", ""), "2026", "2025", 1)), ""},
		{"failed during an earlier deploy", `"phase":"Failed","containerStatuses":[` + strings.Replace(failed, "T12", "T11", 1) + `]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := items[pod](t, `{"metadata":{"name":"demo-1"},"status":{`+test.status+`}}`)[0]
			var got []string
			for _, found := range p.problems(noon, noon.Add(time.Second)) {
				got = append(got, found.text)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPodThatEndsHasNoProblems(t *testing.T) {
	p := items[pod](t, `{"metadata":{"deletionTimestamp":"2026-11-23T12:00:00Z"},"status":{`+containers(crashes)+`}}`)[0]
	if got := p.problems(noon, noon); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestOnlyWhatTimeDoesNotMendIsHopeless(t *testing.T) {
	const patient, impatient = missingPatience + 10*time.Second, missingPatience - 10*time.Second
	for _, test := range []struct {
		status string
		waited time.Duration // since noon; the pod started 5 s later
		want   bool
	}{
		{containers(waits("InvalidImageName", `couldn't parse image name "X:y:z"`)), 0, true},
		{containers(waits("ErrImageNeverPull", "x")), 0, true},
		{containers(waits("CreateContainerConfigError", `secret "x" not found`)), patient, true},
		{containers(waits("CreateContainerConfigError", `secret "x" not found`)), impatient, false},
		{containers(waits("CreateContainerConfigError", `configmap "x" not found`)), patient, true},
		{containers(waits("CreateContainerConfigError", `couldn't find key k in Secret octo/x`)), patient, true},
		{containers(waits("CreateContainerConfigError", `couldn't find key k in ConfigMap octo/x`)), patient, true},
		{containers(waits("CreateContainerConfigError", `failed to sync secret cache: timed out waiting for the condition`)), patient, false},
		{`"initContainerStatuses":[` + waits("InvalidImageName", "") + `]`, 0, true},
		{containers(waits("ErrImagePull", `secret "x" not found`)), patient, false},
		{containers(waits("ImagePullBackOff", "x")), patient, false},
		{containers(crashes), patient, false},
		{noNode, patient, false},
	} {
		t.Run(fmt.Sprint(test.status, test.waited), func(t *testing.T) {
			p := items[pod](t, `{"status":{`+test.status+`}}`)[0]
			problems := p.problems(noon, noon.Add(test.waited))
			if len(problems) != 1 || problems[0].hopeless != test.want {
				t.Errorf("got %+v, want hopeless: %v", problems, test.want)
			}
		})
	}
	old := items[pod](t, `{"status":{`+strings.Replace(containers(waits("CreateContainerConfigError", `secret "x" not found`)), "T12", "T11", 1)+`}}`)[0]
	if old.problems(noon, noon.Add(impatient))[0].hopeless {
		t.Error("a pod of an earlier deploy, whose secret this one may bring, is hopeless at once")
	}
}

func TestEventsOfWhatAPodIsPastAreOver(t *testing.T) {
	for _, test := range []struct {
		reason, fieldPath, status string
		over                      bool
	}{
		{"FailedScheduling", "", conditions(cond("PodScheduled", "True", "", "")), true},
		{"FailedScheduling", "", ``, false},
		{"FailedMount", "", containers(starts), false},
		{"FailedMount", "", `"phase":"Running"`, true},
		{"Unhealthy", "spec.containers{app}", containers(notReady), false},
		{"Unhealthy", "spec.containers{app}", containers(runs), true},
		{"Unhealthy", "spec.containers{other}", containers(notReady), true},
		{"Unhealthy", "", containers(notReady), false},
		{"Unhealthy", "", containers(runs), true},
		{"FailedPostStartHook", "spec.containers{app}", `"phase":"Running"`, false},
	} {
		p := items[pod](t, `{"status":{`+test.status+`}}`)[0]
		e := event{Reason: test.reason}
		e.InvolvedObject.FieldPath = test.fieldPath
		if got := p.isPast(e); got != test.over {
			t.Errorf("%s of %s, when the pod is %s: over is %v", test.reason, test.fieldPath, test.status, got)
		}
	}
}
