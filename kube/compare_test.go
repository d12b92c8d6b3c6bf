package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/bounds"
)

func TestEachObjectOfAManifestHasItsContent(t *testing.T) {
	const manifest = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {colour: "yes", number: "3"}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 30000000}]}}
  - {apiVersion: v1, kind: Service, metadata: {name: b, namespace: other}, spec: {headless: on}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: "pre-upgrade, post-install"}}
`
	all, err := Declare([]byte(manifest), "octo")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range all {
		content, err := d.Content()
		if err != nil {
			t.Error(err)
		}
		text, _ := json.Marshal(content)
		got = append(got, d.Namespace+" "+d.String()+" "+string(text))
	}
	want := []string{
		`octo ConfigMap web {"apiVersion":"v1","data":{"colour":"yes","number":"3"},"kind":"ConfigMap","metadata":{"name":"web"}}`,
		`octo Service a {"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":30000000}]}}`,
		`other Service b {"apiVersion":"v1","kind":"Service","metadata":{"name":"b","namespace":"other"},"spec":{"headless":true}}`, // as the API server reads it
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (Declared{Object{"v1", "ConfigMap", "octo", "other"}, all[0].document}).Content(); err == nil {
		t.Error("another object's content was taken")
	}
	hooks, err := Hooks([]byte(manifest), "octo")
	if err != nil || len(hooks) != 1 || hooks[0].String() != "Job hook" || fmt.Sprint(hooks[0].Runs("upgrade"), hooks[0].Runs("install")) != "[pre-upgrade] [post-install]" {
		t.Errorf("%+v %v", hooks, err)
	}
}

func TestAComparisonAsksWhatApplyingWouldMake(t *testing.T) {
	const path = "/api/v1/namespaces/octo/configmaps/web"
	live, made := `{"kind":"ConfigMap","data":{"a":"1"}}`, `{"kind":"ConfigMap","data":{"a":"2"}}`
	large := `{"data":{"a":"` + strings.Repeat("x", bounds.ComparedObject) + `"}}`
	many := `{"data":[` + strings.Repeat("1,", bounds.ComparedValues) + `1]}`
	object := Object{"v1", "ConfigMap", "octo", "web"}
	for name, test := range map[string]struct {
		get, patch string // the answers; "404 text" is an error
		content    map[string]any
		live, made string
		err        string
	}{
		"it is there":          {live, made, map[string]any{"kind": "ConfigMap"}, "map[a:1]", "map[a:2]", ""},
		"it is not there":      {"404 not found", "400 not to be asked", map[string]any{"data": "mine"}, "<nil>", "mine", ""},
		"it is removed":        {live, "400 not to be asked", nil, "map[a:1]", "<nil>", ""},
		"it may not be read":   {"403 no right", made, map[string]any{}, "<nil>", "<nil>", "no right"},
		"it may not be tried":  {live, "403 no right to patch", map[string]any{}, "map[a:1]", "<nil>", "no right to patch"},
		"it is too large":      {large, made, map[string]any{}, "<nil>", "<nil>", "it has more than 1 MiB"},
		"it has too many":      {many, made, map[string]any{}, "<nil>", "<nil>", "it is too large to be compared"},
		"the outcome is large": {live, large, map[string]any{}, "map[a:1]", "<nil>", "it has more than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Audit-Id", "x")
				text := test.get
				if req.Method == http.MethodPatch {
					_, _ = io.Copy(io.Discard, req.Body)
					text = test.patch
					if q := req.URL.RawQuery; q != "dryRun=All&fieldManager=helm&force=true" || req.Header.Get("Content-Type") != applyPatch {
						t.Errorf("it is asked by %s with %s", q, req.Header.Get("Content-Type"))
					}
				}
				if req.URL.Path != path {
					t.Errorf("it asks for %s", req.URL.Path)
				}
				code := 0
				if n, _ := fmt.Sscanf(text, "%3d ", &code); n == 1 && len(text) < 100 {
					w.WriteHeader(code)
					_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "code": code, "message": text[4:]})
					return
				}
				_, _ = io.WriteString(w, text)
			})
			c, err := r.Compare(testContext(t), object, test.content, "helm")
			if got := fmt.Sprint(c.Live["data"]); got != test.live || c.Namespace != "octo" {
				t.Errorf("live %.100s, namespace %q", got, c.Namespace)
			}
			if got := fmt.Sprint(c.Made["data"]); got != test.made {
				t.Errorf("made %.100s", got)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %s", err, test.err)
			}
		})
	}
}
