package kube

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cluster answers with objects by path. A missing list is empty; a missing object is not found.
type cluster struct {
	mu      sync.Mutex
	objects map[string]string
	refused map[string]int
	asked   []string
}

func newCluster(objects map[string]string) *cluster {
	return &cluster{objects: objects, refused: map[string]int{}}
}

func (c *cluster) serve(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := req.URL.String()
	c.asked = append(c.asked, path)
	object, found := c.objects[path]
	switch code := c.refused[path]; {
	case code != 0:
		w.Header().Set("Audit-Id", "x")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","message":"refused","code":%d}`, code)
	case found:
		fmt.Fprint(w, object)
	case req.URL.RawQuery != "":
		fmt.Fprint(w, `{"items":null}`)
	default:
		http.NotFound(w, req)
	}
}

// list1 returns a list of objects.
func listOf(objects ...string) string { return `{"items":[` + strings.Join(objects, ",") + `]}` }

// named returns an object whose uid is its name, and which has an owner unless that is empty.
func named(name, owner, more string) string {
	controller := ""
	if owner != "" {
		controller = fmt.Sprintf(`,"ownerReferences":[{"uid":"someone"},{"kind":"ReplicaSet","uid":%q,"controller":true}]`, owner)
	}
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"octo","uid":%q%s%s}`, name, name, controller, more)
}

const (
	deploymentPath = "/apis/apps/v1/namespaces/octo/deployments/web"
	setsPath       = "/apis/apps/v1/namespaces/octo/replicasets?labelSelector=app%3Dweb%2Ctier+in+%28a%2Cb%29"
	podsPath       = "/api/v1/namespaces/octo/pods?labelSelector=app%3Dweb%2Ctier+in+%28a%2Cb%29"
)

var web = Object{"apps/v1", "Deployment", "octo", "web"}

// webCluster returns a cluster with a Deployment that rolls out: with a ReplicaSet of an earlier deploy, the newest one, and one of another owner.
func webCluster(oldPod, newPod string) *cluster {
	set := func(name, owner, revision string) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"octo","uid":%q,"annotations":{"deployment.kubernetes.io/revision":%q},
			"ownerReferences":[{"kind":"Deployment","uid":%q,"controller":true}]}}`, name, name, revision, owner)
	}
	objects := map[string]string{
		deploymentPath: named("web", "", `,"generation":2},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"In","values":["a","b"]}]}},
			"status":{"observedGeneration":2,"replicas":2,"updatedReplicas":2,"availableReplicas":1}`),
		setsPath: listOf(set("web-9", "web", "9"), set("web-10", "web", "10"), set("stranger", "other", "11")),
		podsPath: listOf(named("web-9-a", "web-9", `},"status":{`+oldPod+`}`), named("stranger-a", "stranger", `},"status":{`+containers(crashes)+`}`)),
	}
	if newPod != "" {
		objects[podsPath] = strings.Replace(objects[podsPath], "[", "["+named("web-10-a", "web-10", `},"status":{`+newPod+`}`)+",", 1)
	}
	return newCluster(objects)
}

func TestARolloutSaysWhatItWaitsForAndWhatIsWrong(t *testing.T) {
	const waiting = "Deployment web: 1 of 2 replicas are available"
	crash := "pod web-10-a: container app: CrashLoopBackOff: back-off 40s restarting failed container (last: exit code 137, OOMKilled)"
	badName := "pod web-10-a: container app: InvalidImageName: x"
	violation := `FailedCreate: pods "web-10-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`
	withCondition := func(message string) func(*cluster) {
		return func(c *cluster) {
			c.objects[setsPath] = strings.Replace(c.objects[setsPath], `"uid":"web","controller":true}]}}`, `"uid":"web","controller":true}]},"status":{`+
				conditions(cond("ReplicaFailure", "True", "FailedCreate", message))+`}}`, 2)
		}
	}
	for _, test := range []struct {
		name           string
		oldPod, newPod string
		change         func(*cluster)
		want           []string
		hopeless       string
	}{
		{"it starts", ``, containers(starts), nil, nil, ""},
		{"a pod that crashes", ``, containers(crashes), nil, []string{crash}, ""},
		{"pods of an earlier deploy and of others do not count", containers(crashes), containers(starts), nil, nil, ""},
		{"pods of an earlier deploy count when there are no others, but prove nothing", containers(waits("InvalidImageName", "x")), "", nil,
			[]string{"pod web-9-a: container app: InvalidImageName: x"}, ""},
		{"an image name that is none", ``, containers(waits("InvalidImageName", "x")), nil, []string{badName}, "Deployment web: " + badName},
		{"the same before the controller has seen the change", ``, containers(waits("InvalidImageName", "x")), func(c *cluster) {
			c.objects[deploymentPath] = strings.Replace(c.objects[deploymentPath], `"observedGeneration":2`, `"observedGeneration":1`, 1)
		}, nil, ""},
		{"an event about a pod that says nothing", ``, containers(starts), func(c *cluster) {
			c.objects[warningsPath] = listOf(eventOf("web-10-a", time.Second, "FailedMount", `secret "x" not found`), eventOf("web-9-a", time.Second, "FailedMount", "old pod"),
				eventOf("web-10-a", -time.Minute, "FailedScheduling", "before"), eventOf("stranger-a", time.Second, "FailedMount", "x"))
		}, []string{`pod web-10-a: FailedMount: secret "x" not found`}, ""},
		{"clocks that differ by a few seconds", ``, containers(starts), func(c *cluster) {
			c.objects[warningsPath] = listOf(eventOf("web-10-a", -3*time.Second, "FailedMount", "x"))
		}, []string{`pod web-10-a: FailedMount: x`}, ""},
		{"a probe that fails", ``, `"phase":"Running","containerStatuses":[` + notReady + `]`, func(c *cluster) {
			c.objects[warningsPath] = listOf(strings.Replace(eventOf("web-10-a", time.Second, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500"),
				`{"uid"`, `{"fieldPath":"spec.containers{app}","uid"`, 1))
		}, []string{"pod web-10-a: container app: Readiness probe failed: HTTP probe failed with statuscode: 500"}, ""},
		{"a quota that may be freed", ``, "", withCondition("exceeded quota"), []string{"replicaset web-10: FailedCreate: exceeded quota"}, ""},
		{"pods that Pod Security refuses", ``, "", withCondition(strings.TrimPrefix(violation, "FailedCreate: ")), []string{"replicaset web-10: " + violation},
			"Deployment web: replicaset web-10: " + violation},
		{"a ReplicaSet's event", ``, "", func(c *cluster) {
			c.objects[warningsPath] = listOf(eventOf("web-10", time.Second, "FailedCreate", "exceeded quota"), eventOf("web-9", time.Second, "FailedCreate", "old"))
		}, []string{"replicaset web-10: FailedCreate: exceeded quota"}, ""},
		{"a role that does not allow ReplicaSets", ``, containers(crashes), func(c *cluster) { c.refused[setsPath] = http.StatusForbidden }, nil, ""},
		{"a role that does not allow events", ``, containers(crashes), func(c *cluster) { c.refused[warningsPath] = http.StatusForbidden }, []string{crash}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := webCluster(test.oldPod, test.newPod)
			wait := waiting
			if test.change != nil {
				test.change(c)
			}
			if strings.Contains(c.objects[deploymentPath], `"observedGeneration":1`) {
				wait = "Deployment web: the change is not seen yet"
			}
			got, err := newRig(t, c.serve).Rollout(testContext(t), []Object{web}, noon)
			want := Rollout{Waiting: []string{wait}, Findings: test.want, Hopeless: test.hopeless}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestARolloutAsksOnlyForWhatMayNotBeReady(t *testing.T) {
	c := webCluster("", "")
	c.objects[deploymentPath] = `{"metadata":{"generation":1},"spec":{"paused":true}}`
	r := newRig(t, c.serve)
	got, err := r.Rollout(testContext(t), []Object{
		{"v1", "ConfigMap", "octo", "a"}, {"v1", "Secret", "octo", "a"}, {"v1", "ServiceAccount", "octo", "a"}, {"rbac.authorization.k8s.io/v1", "Role", "octo", "a"},
		{"networking.k8s.io/v1", "Ingress", "octo", "a"}, {"batch/v1", "CronJob", "octo", "a"}, web,
	}, noon)
	if diff := cmp.Diff(Rollout{Ready: true}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff([]string{deploymentPath}, c.asked); diff != "" {
		t.Errorf("asked for %s", diff)
	}
}

func TestAnObjectThatIsNotThereIsWaitedForUnlessItIsAJob(t *testing.T) {
	r := newRig(t, newCluster(nil).serve)
	got, err := r.Rollout(testContext(t), []Object{web, {"batch/v1", "Job", "octo", "a"}}, noon)
	if diff := cmp.Diff(Rollout{Waiting: []string{"Deployment web is not there yet"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestWhatTheRoleDoesNotAllowCountsAsReady(t *testing.T) {
	c := newCluster(map[string]string{"/apis/example.com/v1": things})
	for _, path := range []string{"/apis/batch/v1/namespaces/octo/jobs/a", "/apis/example.com/v1/namespaces/octo/things/a", "/apis/secret.example.com/v1"} {
		c.refused[path] = http.StatusForbidden
	}
	r := newRig(t, c.serve)
	got, err := r.Rollout(testContext(t), []Object{{"batch/v1", "Job", "octo", "a"}, {"example.com/v1", "Thing", "octo", "a"}, {"secret.example.com/v1", "Thing", "octo", "a"}}, noon)
	if diff := cmp.Diff(Rollout{Ready: true}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if log := r.log.String(); strings.Count(log, "not looked at") != 3 || strings.Contains(log, "WARN") {
		t.Errorf("the log is\n%s", log)
	}
}

const things = `{"resources":[{"name":"things/status","kind":"Thing","namespaced":true},{"name":"things","kind":"Thing","namespaced":true},{"name":"globals","kind":"Global","namespaced":false}]}`

func TestCustomResourcesAreFoundByDiscoveryWhichIsAskedOnce(t *testing.T) {
	notReady := `{"status":{` + conditions(cond("Ready", "False", "Waits", "x")) + `}}`
	c := newCluster(map[string]string{
		"/apis/example.com/v1":                          things,
		"/apis/example.com/v1/namespaces/octo/things/a": notReady,
		"/apis/example.com/v1/globals/b":                notReady,
		"/api/v1":                                       `{"resources":[{"name":"namespaces","kind":"Namespace"}]}`,
		"/api/v1/namespaces/c":                          `{"metadata":{"deletionTimestamp":"x"}}`,
	})
	r := newRig(t, c.serve)
	objects := []Object{{"example.com/v1", "Thing", "octo", "a"}, {"example.com/v1", "Global", "octo", "b"}, {"v1", "Namespace", "octo", "c"}, {"gone.example.com/v1", "X", "octo", "d"}}
	want := Rollout{Waiting: []string{"Thing a: not ready: Waits: x", "Global b: not ready: Waits: x", "Namespace c: being deleted"}}
	for range 2 {
		got, err := r.Rollout(testContext(t), objects, noon)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	asked := strings.Join(c.asked, "\n") + "\n"
	if strings.Contains(asked, "/api/v1/events") {
		t.Error("the events of all namespaces are listed for an object that has none")
	}
	for path, want := range map[string]int{"/apis/example.com/v1": 1, "/api/v1": 1, "/apis/gone.example.com/v1": 2} {
		if got := strings.Count(asked, path+"\n"); got != want {
			t.Errorf("%s is asked %d times, want %d", path, got, want)
		}
	}
}

func TestAKindThatComesLaterIsFound(t *testing.T) {
	c := newCluster(map[string]string{"/apis/example.com/v1": `{"resources":[]}`})
	r := newRig(t, c.serve)
	thing := []Object{{"example.com/v1", "Thing", "octo", "a"}}
	if got, err := r.Rollout(testContext(t), thing, noon); !got.Ready || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	c.mu.Lock()
	c.objects["/apis/example.com/v1"] = things
	c.mu.Unlock()
	if got, err := r.Rollout(testContext(t), thing, noon); got.Ready || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnAPIServerThatIsAwayEndsTheLook(t *testing.T) {
	for _, path := range []string{deploymentPath, setsPath, podsPath, warningsPath} {
		c := webCluster("", containers(starts))
		c.refused[path] = http.StatusServiceUnavailable
		got, err := newRig(t, c.serve).Rollout(testContext(t), []Object{web}, noon)
		if !errors.Is(err, ErrUnreachable) || got.Ready {
			t.Errorf("%s: got %+v, %v", path, got, err)
		}
	}
}

func TestWhatFailedForGoodIsHopeless(t *testing.T) {
	job := Object{"batch/v1", "Job", "octo", "a"}
	c := newCluster(map[string]string{
		"/apis/batch/v1/namespaces/octo/jobs/a":              named("a", "", `},"spec":{"selector":{"matchLabels":{"job":"a"}}},"status":{`+conditions(cond("Failed", "True", "BackoffLimitExceeded", "x"))+`}`),
		"/api/v1/namespaces/octo/pods?labelSelector=job%3Da": listOf(named("a-1", "a", `},"status":{"phase":"Failed","containerStatuses":[`+failed+`]}`)),
		"/api/v1/namespaces/octo/pods/b":                     named("b", "", `},"status":{"phase":"Failed","containerStatuses":[`+failed+`]}`),
	})
	c.objects[warningsPath] = listOf(eventOf("b", time.Second, "BackOff", "the pod says more itself"))
	r := newRig(t, c.serve)
	got, err := r.Rollout(testContext(t), []Object{job, {"v1", "Pod", "octo", "b"}}, noon)
	want := Rollout{
		Waiting: []string{"Job a: BackoffLimitExceeded: x", "Pod b: failed"},
		Findings: []string{
			"pod a-1: container app: terminated: exit code 2, signal 6: no database",
			"pod b: container app: terminated: exit code 2, signal 6: no database",
		},
		Hopeless: "Job a: BackoffLimitExceeded: x",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestAPodOfTheManifestSpeaksForItself(t *testing.T) {
	c := newCluster(map[string]string{"/api/v1/namespaces/octo/pods/a": named("a", "", `},"status":{`+containers(waits("InvalidImageName", "x"))+`}`)})
	got, err := newRig(t, c.serve).Rollout(testContext(t), []Object{{"v1", "Pod", "octo", "a"}}, noon)
	if want := "Pod a: pod a: container app: InvalidImageName: x"; err != nil || got.Hopeless != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOnlyPodsOfTheNewTemplateProveThatAllIsLost(t *testing.T) {
	const stateful, daemon, pods = "/apis/apps/v1/namespaces/octo/statefulsets/db", "/apis/apps/v1/namespaces/octo/daemonsets/db", "/api/v1/namespaces/octo/pods?labelSelector=app%3Ddb"
	broken := func(label string) string {
		return listOf(named("db-0", "db", `,"labels":{`+label+`}},"status":{`+containers(waits("InvalidImageName", "x"))+`}`))
	}
	for _, test := range []struct {
		path, kind, label string
		hopeless          bool
	}{
		{stateful, "StatefulSet", `"controller-revision-hash":"new"`, true},
		{stateful, "StatefulSet", `"controller-revision-hash":"old"`, false},
		{daemon, "DaemonSet", `"pod-template-generation":"2"`, true},
		{daemon, "DaemonSet", `"pod-template-generation":"1"`, false},
	} {
		c := newCluster(map[string]string{
			test.path: named("db", "", `,"generation":2,"annotations":{"deprecated.daemonset.template.generation":"2"}},"spec":{"selector":{"matchLabels":{"app":"db"}}},
				"status":{"observedGeneration":2,"updateRevision":"new","desiredNumberScheduled":1}`),
			pods: broken(test.label),
		})
		got, err := newRig(t, c.serve).Rollout(testContext(t), []Object{{"apps/v1", test.kind, "octo", "db"}}, noon)
		found := "pod db-0: container app: InvalidImageName: x"
		if err != nil || len(got.Findings) != 1 || got.Findings[0] != found || (got.Hopeless == test.kind+" db: "+found) != test.hopeless {
			t.Errorf("%s with %s: %+v, %v", test.kind, test.label, got, err)
		}
	}
}

func TestAClaimThatNobodyUsesYetIsNotWaitedFor(t *testing.T) {
	claim := Object{"v1", "PersistentVolumeClaim", "octo", "data"}
	of := func(after time.Duration, reason string) string { return eventOf("data", after, reason, "x") }
	for name, test := range map[string]struct {
		events string
		ready  bool
	}{
		"no event":                {listOf(), false},
		"it waits for a consumer": {listOf(of(0, "WaitForFirstConsumer")), true},
		"its consumer is there":   {listOf(of(0, "WaitForFirstConsumer"), of(time.Second, "ExternalProvisioning")), false},
		"nobody uses it any more": {listOf(of(time.Second, "WaitForFirstConsumer"), of(0, "ProvisioningFailed")), true},
	} {
		c := newCluster(map[string]string{
			"/api/v1/namespaces/octo/persistentvolumeclaims/data":                    named("data", "", `},"status":{"phase":"Pending"}`),
			"/api/v1/namespaces/octo/events?fieldSelector=involvedObject.uid%3Ddata": test.events,
		})
		if got, err := newRig(t, c.serve).Rollout(testContext(t), []Object{claim}, noon); got.Ready != test.ready || err != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestSelectors(t *testing.T) {
	s := items[selector](t, `{"matchLabels":{"b":"2","a":"1"},"matchExpressions":[{"key":"c","operator":"In","values":["x","y"]},{"key":"d","operator":"NotIn","values":["z"]},
		{"key":"e","operator":"Exists"},{"key":"f","operator":"DoesNotExist"}]}`)[0]
	if got, want := s.String(), "a=1,b=2,c in (x,y),d notin (z),e,!f"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
