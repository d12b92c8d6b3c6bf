package kube

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFindingsAreSortedAndBounded(t *testing.T) {
	all := []string{"g", "f", "e", "d", "c", "b", "a", "a"}
	for _, test := range []struct{ found, want []string }{
		{nil, nil},
		{[]string{"b", "a", "b"}, []string{"a", "b"}},
		{all[2:], []string{"a", "b", "c", "d", "e"}},
		{all[1:], []string{"a", "b", "c", "d", "e", "and 1 more"}},
		{all, []string{"a", "b", "c", "d", "e", "and 2 more"}},
	} {
		if diff := cmp.Diff(test.want, findings(test.found)); diff != "" {
			t.Errorf("%q: %s", test.found, diff)
		}
	}
}

func TestALineOfForeignTextIsOneShortLine(t *testing.T) {
	for text, want := range map[string]string{
		" plain — ünïcödé 日本 ":               "plain — ünïcödé 日本",
		"a\nb\r\x1b[31mc\x00d\u2028e\u202ef": "a b c d e f",
		"a\xffb":                             "a\ufffdb",
	} {
		if got := line(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{strings.Repeat("x", 501), strings.Repeat("日", 200), strings.Repeat("x", 498) + "日本"} {
		got := line(text)
		if len(got) > longestLine || len(got) < longestLine-4 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes become %d: %q", len(text), len(got), got)
		}
	}
	if got := line("the password " + strings.Repeat("x", 500)); got != "the password …" {
		t.Errorf("a word is cut, which may be a password: %q", got)
	}
	if text := strings.Repeat("x", 500); line(text) != text {
		t.Error("a line of 500 bytes is cut")
	}
}

// eventOf returns a warning about the object with the uid, a while after noon.
func eventOf(uid string, after time.Duration, reason, message string) string {
	return fmt.Sprintf(`{"type":"Warning","reason":%q,"message":%q,"involvedObject":{"uid":%q},"eventTime":null,"lastTimestamp":%q}`,
		reason, message, uid, noon.Add(after).Format(time.RFC3339))
}

func TestTheNewestEventOfEachReasonSinceTheDeployCounts(t *testing.T) {
	events := items[event](t,
		eventOf("a", -time.Minute, "BackOff", "of an earlier deploy"),
		eventOf("a", time.Second, "Failed", "older"), eventOf("a", time.Minute, "Failed", "newer"), eventOf("a", 2*time.Second, "Failed", "older, too"),
		eventOf("a", time.Second, "FailedMount", "x"), eventOf("b", time.Second, "Failed", "b"), eventOf("", time.Second, "Failed", "nobody's"),
		strings.Replace(eventOf("a", time.Second, "Unhealthy", "app"), `{"uid"`, `{"fieldPath":"spec.containers{app}","uid"`, 1),
		strings.Replace(eventOf("a", time.Second, "Unhealthy", "web"), `{"uid"`, `{"fieldPath":"spec.containers{web}","uid"`, 1),
	)
	got := map[string][]string{}
	for uid, about := range perSubject(events, noon) {
		for _, e := range about {
			got[uid] = append(got[uid], e.text())
		}
	}
	want := map[string][]string{"a": {"Failed: newer", "FailedMount: x", "container app: app", "container web: web"}, "b": {"Failed: b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventIsAsOldAsItsNewestTime(t *testing.T) {
	for object, want := range map[string]time.Time{
		`{"metadata":{"creationTimestamp":"2026-11-23T12:00:00Z"},"lastTimestamp":null,"eventTime":null}`:                   noon,
		`{"metadata":{"creationTimestamp":"2026-11-23T11:00:00Z"},"lastTimestamp":"2026-11-23T12:00:00Z"}`:                  noon,
		`{"eventTime":"2026-11-23T12:00:00.000000Z"}`:                                                                       noon,
		`{"eventTime":"2026-11-23T11:00:00.000000Z","series":{"count":2,"lastObservedTime":"2026-11-23T12:00:00.000000Z"}}`: noon,
	} {
		if got := items[event](t, object)[0].last(); !got.Equal(want) {
			t.Errorf("%s: %s", object, got)
		}
	}
}

// hooks is a cluster in which two releases, demo and demo-2, run hooks. The Job of demo has no label on its pods.
func hooks() map[string]string {
	created := func(after time.Duration) string { return noon.Add(after).Format(time.RFC3339) }
	job := func(name string, after time.Duration) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"octo","uid":%q,"creationTimestamp":%q},"spec":{"selector":{"matchLabels":{"job":%q}}}}`, name, name, created(after), name)
	}
	pod := func(name, owner string, after time.Duration) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"octo","uid":%q,"creationTimestamp":%q,"ownerReferences":[{"kind":"Job","uid":%q,"controller":true}]},
			"status":{"phase":"Failed","containerStatuses":[%s]}}`, name, name, created(after), owner, failed)
	}
	return map[string]string{
		jobsOf("demo"): listOf(job("migrate", 10*time.Second), job("before", -time.Hour), job("refused", 10*time.Second)),
		"/api/v1/namespaces/octo/pods?labelSelector=job%3Dmigrate": listOf(pod("migrate-1", "migrate", 12*time.Second), pod("stranger", "other", 12*time.Second)),
		podsOf("demo"): listOf(pod("labelled-1", "labelled", 12*time.Second), pod("before-1", "before", -time.Hour),
			`{"metadata":{"name":"test","annotations":{"helm.sh/hook":"pre-upgrade"},"creationTimestamp":"`+created(time.Second)+`"},"status":{`+noNode+`}}`,
			`{"metadata":{"name":"web","creationTimestamp":"`+created(time.Second)+`"},"status":{`+noNode+`}}`),
		podsOf("demo-2"): listOf(pod("demo-2-1", "x", time.Second)),
		warningsPath: listOf(eventOf("refused", 20*time.Second, "FailedCreate", "exceeded quota"), eventOf("refused", -time.Hour, "Old", "x"),
			eventOf("demo-2-job", 20*time.Second, "FailedCreate", "another release's")),
	}
}

const warningsPath = "/api/v1/namespaces/octo/events?fieldSelector=type%3DWarning"

func jobsOf(release string) string {
	return "/apis/batch/v1/namespaces/octo/jobs?labelSelector=app.kubernetes.io%2Finstance%3D" + release
}

func podsOf(release string) string {
	return "/api/v1/namespaces/octo/pods?labelSelector=app.kubernetes.io%2Finstance%3D" + release
}

func TestHookFindingsAreTheReleasesOwnOfThisDeploy(t *testing.T) {
	const exit = ": container app: terminated: exit code 2, signal 6: no database"
	r := newRig(t, newCluster(hooks()).serve)
	got, err := r.HookFindings(testContext(t), "octo", "demo", noon)
	want := []string{"job refused: FailedCreate: exceeded quota", "pod labelled-1" + exit, "pod migrate-1" + exit, "pod test: Unschedulable: 0/3 nodes are available"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = r.HookFindings(testContext(t), "octo", "demo-2", noon)
	if diff := cmp.Diff([]string{"pod demo-2-1" + exit}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestAHookThatHasFailedIsToldBeforeItsEventIsThere(t *testing.T) {
	failed := `{"metadata":{"name":"migrate","namespace":"octo","uid":"migrate","creationTimestamp":"2026-11-23T12:00:00Z"},"spec":{"selector":{"matchLabels":{"job":"a"}}},
		"status":{` + conditions(cond("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")) + `}}`
	want := []string{"job migrate: BackoffLimitExceeded: Job has reached the specified backoff limit"}
	for name, events := range map[string]string{
		"no event":           listOf(),
		"and with its event": listOf(eventOf("migrate", time.Second, "BackoffLimitExceeded", "Job has reached the specified backoff limit")),
	} {
		c := newCluster(map[string]string{jobsOf("demo"): listOf(failed), warningsPath: events})
		got, err := newRig(t, c.serve).HookFindings(testContext(t), "octo", "demo", noon)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(name, err, diff)
		}
	}
}

func TestHookFindingsNeedNoPermissionOnJobs(t *testing.T) {
	c := newCluster(hooks())
	c.refused[jobsOf("demo")] = http.StatusForbidden
	got, err := newRig(t, c.serve).HookFindings(testContext(t), "octo", "demo", noon)
	if err != nil || len(got) != 2 || !strings.HasPrefix(got[0], "pod labelled-1: ") {
		t.Errorf("got %q, %v", got, err)
	}
}
