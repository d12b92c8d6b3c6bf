package kube

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	notThere = `{"kind":"Status","reason":"NotFound","message":"not found","code":404}`
	mayNot   = `{"kind":"Status","reason":"Forbidden","message":"no","code":403}`
)

func TestASecretIsReadWithWhatIsInIt(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/api/v1/namespaces/octo/secrets/own" {
			answer(404, "application/json", notThere)(w, req)
			return
		}
		fmt.Fprint(w, `{"metadata":{"name":"own","labels":{"l":"1"},"annotations":{"a":"2"},"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"u"}]},"type":"Opaque","data":{"key":"dmFsdWU="}}`)
	})
	got, err := r.Secret(testContext(t), "octo", "own")
	want := &Secret{"octo", "own", map[string]string{"l": "1"}, map[string]string{"a": "2"}, "Opaque", map[string][]byte{"key": []byte("value")}, []OwnerReference{{"v1", "K", "n", "u"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err := r.Secret(testContext(t), "octo", "other"); got != nil || err != nil {
		t.Errorf("one that is not there: %v, %v", got, err)
	}
}

func TestASecretIsMadeOrReplacedWhole(t *testing.T) {
	for _, there := range []bool{false, true} {
		var asked []string
		r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			asked = append(asked, fmt.Sprintf("%s %s %s", req.Method, req.URL, body))
			if there && req.Method == http.MethodPost {
				answer(409, "application/json", `{"kind":"Status","reason":"AlreadyExists","message":"exists","code":409}`)(w, req)
			}
		})
		if err := r.PutSecret(testContext(t), "me", Secret{Namespace: "octo", Name: "own", Type: "Opaque", Data: map[string][]byte{"key": []byte("value")}, Owners: []OwnerReference{{"v1", "K", "n", "u"}}}); err != nil {
			t.Error(err)
		}
		const body = ` {"apiVersion":"v1","data":{"key":"dmFsdWU="},"kind":"Secret","metadata":{"annotations":null,"labels":null,"name":"own","namespace":"octo","ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"u"}]},"type":"Opaque"}`
		want := []string{"POST /api/v1/namespaces/octo/secrets?fieldManager=me" + body}
		if there {
			want = append(want, "PUT /api/v1/namespaces/octo/secrets/own?fieldManager=me"+body)
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatIsGoneNeedsNoDeletingAndHasNoAnnotation(t *testing.T) {
	r := newRig(t, answer(404, "application/json", notThere))
	if err := r.DeleteSecret(testContext(t), "octo", "own"); err != nil {
		t.Error(err)
	}
	if err := r.RemoveAnnotation(testContext(t), "me", "octo", "own", "a"); err != nil {
		t.Error(err)
	}
}

func TestWhatASecretMayNotBeIsToldWithItsName(t *testing.T) {
	r := newRig(t, answer(403, "application/json", mayNot))
	ctx := testContext(t)
	_, err := r.Secret(ctx, "octo", "own")
	for what, err := range map[string]error{
		"read": err, "write": r.PutSecret(ctx, "me", Secret{Namespace: "octo", Name: "own"}), "delete": r.DeleteSecret(ctx, "octo", "own"),
		"remove the annotation a of": r.RemoveAnnotation(ctx, "me", "octo", "own", "a"),
	} {
		if want := "cannot " + what + " secret own in namespace octo: no"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAWorkloadIsLookedAt(t *testing.T) {
	for name, test := range map[string]struct {
		object Object
		spec   string // "": see code
		code   int
		want   *Workload
	}{
		"a Deployment":                {deploymentNamed("web"), `{"replicas":2,"template":{"a":1}}`, 0, &Workload{Template: []byte(`{"a":1}`)}},
		"one without pods":            {deploymentNamed("web"), `{"replicas":0,"template":{}}`, 0, &Workload{Template: []byte(`{}`), Asleep: true}},
		"a paused one":                {deploymentNamed("web"), `{"paused":true,"template":{}}`, 0, &Workload{Template: []byte(`{}`), Manual: true}},
		"a StatefulSet":               {Object{"apps/v1", "StatefulSet", "octo", "web"}, `{"updateStrategy":{"type":"RollingUpdate"},"template":{}}`, 0, &Workload{Template: []byte(`{}`)}},
		"a DaemonSet that waits":      {Object{"apps/v1", "DaemonSet", "octo", "web"}, `{"updateStrategy":{"type":"OnDelete"},"template":{}}`, 0, &Workload{Template: []byte(`{}`), Manual: true}},
		"another kind":                {Object{"batch/v1", "Job", "octo", "web"}, `{"template":{}}`, 0, nil},
		"of another group":            {Object{"example.com/v1", "Deployment", "octo", "web"}, `{"template":{}}`, 0, nil},
		"one that is gone":            {deploymentNamed("web"), "", 404, nil},
		"one that may not be seen":    {deploymentNamed("web"), "", 403, nil},
		"in a version of other times": {Object{"apps/v1beta1", "Deployment", "octo", "web"}, "", 404, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				if test.code != 0 {
					answer(test.code, "application/json", fmt.Sprintf(`{"kind":"Status","message":"no","code":%d}`, test.code))(w, req)
					return
				}
				if want := "/" + strings.ToLower(test.object.Kind) + "s/web"; !strings.HasSuffix(req.URL.Path, want) {
					t.Errorf("asked for %s", req.URL)
				}
				fmt.Fprintf(w, `{"spec":%s}`, test.spec)
			})
			got, err := r.Workload(testContext(t), test.object)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func deploymentNamed(name string) Object { return Object{"apps/v1", "Deployment", "octo", name} }
