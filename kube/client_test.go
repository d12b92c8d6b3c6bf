package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// echo answers with the request.
func echo(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"asked": req.Method + " " + req.URL.String(), "host": req.Host, "type": req.Header.Get("Content-Type"), "accept": req.Header.Get("Accept"), "body": string(body),
	})
}

func TestDoSendsWhatItIsGiven(t *testing.T) {
	r := newRig(t, echo)
	for _, test := range []struct {
		name, method string
		body         any
		wantType     string
		wantBody     string
	}{
		{"nothing", "GET", nil, "", ""},
		{"a value", "POST", map[string]int{"a": 1}, "application/json", `{"a":1}`},
		{"bytes", "PUT", []byte(`{"a": 2}`), "application/json", `{"a": 2}`},
		{"JSON", "PUT", json.RawMessage(`{"a":3}`), "application/json", `{"a":3}`},
		{"what a deletion depends on", "DELETE", map[string]string{"kind": "DeleteOptions"}, "application/json", `{"kind":"DeleteOptions"}`},
		{"a patch", "PATCH", Patch{applyPatch, map[string]int{"a": 4}}, "application/apply-patch+yaml", `{"a":4}`},
		{"a patch as it is", "PATCH", Patch{"application/merge-patch+json", []byte(`{"a": 5}`)}, "application/merge-patch+json", `{"a": 5}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := map[string]string{}
			if err := r.Do(testContext(t), test.method, "/api/v1/x?labelSelector=a%3Db", test.body, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"asked": test.method + " /api/v1/x?labelSelector=a%3Db", "host": "localhost", "type": test.wantType, "accept": "application/json", "body": test.wantBody,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := r.log.String(); !strings.Contains(got, `level=DEBUG msg=command cmd="kubectl get --raw '/api/v1/x?labelSelector=a%3Db'"`) {
		t.Errorf("the log is\n%s", got)
	}
}

func TestWhatCannotBeSentOrReadIsTold(t *testing.T) {
	r := newRig(t, answer(http.StatusOK, "text/plain", "not JSON"))
	err := r.Do(testContext(t), "POST", "/api", make(chan int), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot send POST /api: json: ") {
		t.Errorf("got %v", err)
	}
	var into struct{}
	err = r.Do(testContext(t), "GET", "/api", nil, &into)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot read the API server's answer to GET /api: ") {
		t.Errorf("got %v", err)
	}
}

func TestLookUpsAskForWhatTheyNeed(t *testing.T) {
	var asked []string
	metadata := func(object string) string { return fmt.Sprintf(`{"items":[{"metadata":%s}]}`, object) }
	answers := map[string]string{
		"/api/v1/namespaces/octo/secrets?labelSelector=owner%3Dhelm%2Cname%3Dshop":                   metadata(`{"name":"s","labels":{"name":"shop","version":"2"}}`),
		"/api/v1/namespaces/octo/secrets?labelSelector=owner%3Dhelm%2Cstatus%21%3Dsuperseded%2Cours": metadata(`{"name":"s","labels":{"name":"shop","version":"3"}}`),
		"/api/v1/namespaces/octo/secrets?labelSelector=ours%3Dyes":                                   metadata(`{"name":"broker"}`),
		"/api/v1/namespaces/octo/secrets/s": `{"metadata":{"creationTimestamp":"2026-11-23T12:00:00Z",
			"managedFields":[{"time":"2026-11-23T12:05:00Z"},{"time":"2026-11-23T12:04:00Z"},{}]}}`,
		"/apis/apps/v1/namespaces/octo/deployments?labelSelector=app.kubernetes.io%2Finstance%3Dshop": `{"items":[{"metadata":{"name":"web"},"spec":{"replicas":2}},{"metadata":{"name":"app"},"spec":{"replicas":0}}]}`,
		"/api/v1/namespaces/octo/secrets?labelSelector=owner%3Dhelm%2Cname%3Dlong":                    `{"items":[{"metadata":{"labels":{"version":"9"}}},{"metadata":{"labels":{"version":"11"}}},{"metadata":{"labels":{"version":"10"}}}]}`,
	}
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		_, as, _ := strings.Cut(req.Header.Get("Accept"), ";as=")
		asked = append(asked, as)
		fmt.Fprint(w, answers[req.URL.String()])
	})
	for _, test := range []struct {
		name string
		look func() (any, error)
		want any
		as   []string
	}{
		{"ReleaseLabels", func() (any, error) { return r.ReleaseLabels(testContext(t), "octo", "shop") },
			map[string]string{"name": "shop", "version": "2"}, []string{"PartialObjectMetadataList;g=meta.k8s.io;v=v1"}},
		{"Releases", func() (any, error) { return r.Releases(testContext(t), "octo", "ours") },
			map[string]map[string]string{"shop": {"name": "shop", "version": "3"}}, []string{"PartialObjectMetadataList;g=meta.k8s.io;v=v1"}},
		{"SecretNames", func() (any, error) { return r.SecretNames(testContext(t), "octo", "ours=yes") },
			map[string]bool{"broker": true}, []string{"PartialObjectMetadataList;g=meta.k8s.io;v=v1"}},
		{"Changed", func() (any, error) { return r.Changed(testContext(t), "octo", "secrets", "s") },
			time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC), []string{"PartialObjectMetadata;g=meta.k8s.io;v=v1"}},
		{"Revisions", func() (any, error) { return r.Revisions(testContext(t), "octo", "long") },
			[]map[string]string{{"version": "11"}, {"version": "10"}, {"version": "9"}}, []string{"PartialObjectMetadataList;g=meta.k8s.io;v=v1"}},
		{"Replicas", func() (any, error) { return r.Replicas(testContext(t), "octo", "shop") },
			[]DeploymentReplicas{{"app", 0}, {"web", 2}}, []string{""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked = nil
			got, err := test.look()
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
			if diff := cmp.Diff(test.as, asked); diff != "" {
				t.Errorf("asked for %s", diff)
			}
		})
	}
}

func TestAReleaseThatIsNotThereHasNoLabels(t *testing.T) {
	r := newRig(t, answer(http.StatusOK, "application/json", `{"items":null}`))
	if got, err := r.ReleaseLabels(testContext(t), "octo", "shop"); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPatchLabelsChangesTheGivenOnesAlone(t *testing.T) {
	var got map[string]string
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		answer := httptest.NewRecorder()
		echo(answer, req)
		_ = json.Unmarshal(answer.Body.Bytes(), &got)
		if strings.HasSuffix(req.URL.Path, "/gone") {
			http.NotFound(w, req)
		}
	})
	yes := "yes"
	if err := r.PatchLabels(testContext(t), "manager", "octo", "secrets", "s", map[string]*string{"a": &yes, "b": nil}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"asked": "PATCH /api/v1/namespaces/octo/secrets/s?fieldManager=manager", "host": "localhost", "type": "application/merge-patch+json",
		"accept": onlyMetadata, "body": `{"metadata":{"labels":{"a":"yes","b":null}}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	err := r.PatchLabels(testContext(t), "manager", "octo", "secrets", "gone", nil)
	if !NotFound(err) || !strings.HasPrefix(err.Error(), "cannot label secrets gone in namespace octo: ") {
		t.Errorf("got %v", err)
	}
}
