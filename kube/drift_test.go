package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const driftManifest = `---
# Source: demo/templates/all.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec: {replicas: 1, template: {spec: {containers: [{name: app, image: demo:1}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: demo, namespace: elsewhere}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
---
apiVersion: v1
kind: Pod
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
`

func TestDriftIsWhatADryRunOfTheManifestWouldChange(t *testing.T) {
	const deployment, service, job = "/apis/apps/v1/namespaces/octo/deployments/demo", "/api/v1/namespaces/elsewhere/services/demo", "/apis/batch/v1/namespaces/octo/jobs/once"
	meta := func(version, replicas, image string) string {
		return fmt.Sprintf(`{"metadata":{"name":"demo","resourceVersion":"%s","generation":%[1]s,"managedFields":[{"manager":"m%[1]s"}],"labels":{"a":"b"}},
			"spec":{"replicas":%s,"strategy":{"type":"RollingUpdate"},"template":{"image":"%s"}},"status":{"replicas":%[2]s}}`, version, replicas, image)
	}
	for _, test := range []struct {
		name    string
		answers map[string][]string // of GET and of PATCH with a dry run, one after the other; "404 text" is an error
		want    string
	}{
		{"what only the API server writes is none", map[string][]string{"PATCH " + deployment: {meta("2", "1", "demo:1")}}, ""},
		{"neither are replicas", map[string][]string{"PATCH " + deployment: {meta("1", "7", "demo:1")}}, ""},
		{"another value", map[string][]string{"PATCH " + deployment: {meta("1", "1", "s3cret")}}, "Deployment demo: spec.template.image differs"},
		{"a field that was taken away", map[string][]string{"GET " + deployment: {`{"metadata":{"name":"demo"}}`}}, "Deployment demo: metadata.labels differs"},
		{"changed between the two requests", map[string][]string{"PATCH " + deployment: {meta("1", "1", "demo:2"), meta("1", "1", "demo:1")}}, ""},
		{"an object is not there", map[string][]string{"GET " + service: {"404 not found"}}, "Service demo is not there"},
		{"a Job that has ended is not there", map[string][]string{"GET " + job: {"404 not found"}}, ""},
		{"one may not be looked at", map[string][]string{"GET " + service: {"403 forbidden"}}, ""},
		{"a webhook knows no dry run", map[string][]string{"PATCH " + deployment: {"400 admission webhook does not support dry run"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := map[string]int{}
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				key := req.Method + " " + req.URL.Path
				if req.Method == http.MethodPatch {
					body, _ := io.ReadAll(req.Body)
					q := req.URL.Query()
					if q.Get("dryRun") != "All" || q.Get("force") != "true" || q.Get("fieldManager") != driftManager || !strings.Contains(string(body), "kind: ") {
						t.Errorf("it is sent %s with %s", req.URL, body)
					}
				}
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Audit-Id", "x")
				text := meta("1", "1", "demo:1")
				if all := test.answers[key]; len(all) > 0 {
					text = all[min(asked[key], len(all)-1)]
				}
				asked[key]++
				code := 0
				if n, _ := fmt.Sscanf(text, "%3d ", &code); n == 1 {
					w.WriteHeader(code)
					_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "code": code, "message": text})
					return
				}
				_, _ = io.WriteString(w, text)
			})
			got, err := r.Drift(testContext(t), []byte(driftManifest), "octo")
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if len(asked) > 6 {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}

func TestDriftOfAListIsAnItemThatIsNotThere(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: one}}\n- {apiVersion: v1, kind: Service, metadata: {name: two}}\n"
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/two") {
			answer(404, "application/json", `{"kind":"Status","code":404,"message":"no"}`)(w, req)
			return
		}
		answer(200, "application/json", `{}`)(w, req)
	})
	if got, err := r.Drift(testContext(t), []byte(list), "octo"); err != nil || got != "Service two is not there" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAManifestThatCannotBeReadIsNoDrift(t *testing.T) {
	r := newRig(t, answer(200, "application/json", `{}`))
	if got, err := r.Drift(testContext(t), []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a/b}\n"), "octo"); err == nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
}
