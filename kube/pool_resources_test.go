package kube

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const deletingPool = `{"metadata":{"namespace":"octo","name":"a","uid":"u1","resourceVersion":"7","deletionTimestamp":"2026-11-26T01:08:44Z",
	"finalizers":["example.com/theirs","octo-mesh.meshmakers.io/communicationpoolfinalizer"]},"spec":{"tenantId":"acme","poolRtId":"a"}}`

func TestAPoolThatIsBeingDeletedSaysSo(t *testing.T) {
	r := newRig(t, answer(200, "application/json", deletingPool))
	got, err := r.Pool(testContext(t), CommunicationPool, "octo", "a")
	want := &Pool{
		PoolKind: CommunicationPool, Namespace: "octo", Name: "a", UID: "u1", ResourceVersion: "7", TenantID: "acme", PoolRtID: "a",
		Deleting: true, Finalizers: []string{"example.com/theirs", "octo-mesh.meshmakers.io/communicationpoolfinalizer"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAPoolThatIsNotThereIsNone(t *testing.T) {
	r := newRig(t, answer(404, "application/json", `{"kind":"Status","message":"not found","code":404}`))
	if got, err := r.Pool(testContext(t), CommunicationPool, "octo", "a"); got != nil || err != nil {
		t.Error(got, err)
	}
}

// The patch has the resource version that was read and the finalizers of others, so that a finalizer that somebody adds meanwhile is not lost.
func TestOnlyTheGivenFinalizersAreRemovedAndNoChangeIsLost(t *testing.T) {
	var asked string
	code := 200
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		asked = fmt.Sprintf("%s %s %s %s", req.Method, req.URL, req.Header.Get("Content-Type"), body)
		answer(code, "application/json", `{"kind":"Status","message":"the object has been modified","reason":"Conflict"}`)(w, req)
	})
	p := Pool{PoolKind: CommunicationPool, Namespace: "octo", Name: "a", UID: "u1", ResourceVersion: "7", Finalizers: []string{"ours", "theirs"}}
	if err := r.RemoveFinalizers(testContext(t), "manager", p, []string{"ours", "ours-too"}); err != nil {
		t.Error(err)
	}
	want := `PATCH ` + poolsPath + `/a?fieldManager=manager application/merge-patch+json {"metadata":{"finalizers":["theirs"],"resourceVersion":"7","uid":"u1"}}`
	if asked != want {
		t.Errorf("asked %s\nwant  %s", asked, want)
	}
	code = 409
	if err := r.RemoveFinalizers(testContext(t), "manager", p, []string{"ours"}); !Conflict(err) {
		t.Errorf("of a resource that has changed: %v", err)
	}
	code = 404
	if err := r.RemoveFinalizers(testContext(t), "manager", p, []string{"ours"}); err != nil {
		t.Errorf("of a resource that is gone: %v", err)
	}
}

func TestTheFieldsOfAKindAreThoseThatTheClusterPublishes(t *testing.T) {
	published := func(kind, fields string) string {
		return fmt.Sprintf(`{"components":{"schemas":{
			"io.k8s.DeleteOptions":{"x-kubernetes-group-version-kind":[{"kind":"DeleteOptions"},{"kind":"CommunicationPool"}]},
			"io.x.%[1]s":{"properties":{"spec":{"properties":{%[2]s}},"status":{"properties":{"x":{}}}},"x-kubernetes-group-version-kind":[{"kind":%[1]q}]}}}}`, kind, fields)
	}
	forbid := `{"kind":"Status","message":"no","code":403}`
	for name, test := range map[string]struct {
		code int
		text string
		want map[string]bool
	}{
		"two fields":            {200, published("CommunicationPool", `"tenantId":{"type":"string"},"poolName":{}`), map[string]bool{"tenantId": true, "poolName": true}},
		"another kind":          {200, published("Other", `"tenantId":{}`), nil},
		"no such kind":          {404, "404 page not found", nil},
		"not for everybody":     {403, forbid, nil},
		"not for this operator": {401, forbid, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				if want := "/openapi/v3/apis/octo-mesh.meshmakers.io/v1alpha1"; req.URL.Path != want {
					t.Errorf("asked for %s", req.URL)
				}
				answer(test.code, "application/json", test.text)(w, req)
			})
			got, err := r.PoolFields(testContext(t), CommunicationPool)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

// Under the official chart's role the API server forbids to list a kind that does not exist.
func TestAKindThatCannotBeWatchedIsToldOnceAndAMissingOneIsNoWarning(t *testing.T) {
	notHere := &StatusError{Code: 404, Message: "404 page not found"}
	no := &StatusError{Code: 403, Message: "deploymentsites is forbidden"}
	for name, test := range map[string]struct {
		err       error
		discovery http.HandlerFunc
		level     string
		message   string
	}{
		"missing":               {notHere, nil, "INFO", "the cluster does not have it"},
		"missing and forbidden": {no, answer(404, "text/plain", "404 page not found"), "INFO", "the cluster does not have it"},
		"forbidden":             {no, answer(200, "application/json", `{"resources":[{"name":"deploymentsites","kind":"DeploymentSite","namespaced":true}]}`), "WARN", "role does not allow it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.discovery)
			said := access(0)
			for range 3 {
				said = r.sayNoAccess(testContext(t), DeploymentSite, test.err, said)
			}
			var loud []string
			for line := range strings.Lines(r.log.String()) {
				if strings.Contains(line, "not watched") && !strings.Contains(line, "level=DEBUG") {
					loud = append(loud, line)
				}
			}
			if len(loud) != 1 || !strings.Contains(loud[0], "level="+test.level) || !strings.Contains(loud[0], test.message) || !strings.Contains(loud[0], "deploymentsites") {
				t.Errorf("it says %q", loud)
			}
		})
	}
}

func TestTheConfigurationOfAWebhookIsFoundWhereItMayBeRead(t *testing.T) {
	list := func(name, webhook string) string {
		return fmt.Sprintf(`{"items":[{"metadata":{"name":"other"},"webhooks":[]},{"metadata":{"name":%q},"webhooks":[{"name":"x"},{"name":%q}]}]}`, name, webhook)
	}
	for name, test := range map[string]struct {
		mutating, validating http.HandlerFunc
		want                 string
	}{
		"mutating":   {answer(200, "application/json", list("m", "hook")), nil, "MutatingWebhookConfiguration m"},
		"validating": {answer(200, "application/json", list("m", "y")), answer(200, "application/json", list("v", "hook")), "ValidatingWebhookConfiguration v"},
		"gone":       {answer(200, "application/json", list("m", "y")), answer(200, "application/json", list("v", "y")), ""},
		"forbidden":  {answer(403, "application/json", `{"kind":"Status","message":"no","code":403}`), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				if strings.Contains(req.URL.Path, "mutating") {
					test.mutating(w, req)
				} else {
					test.validating(w, req)
				}
			})
			if got := r.WebhookConfiguration(testContext(t), "hook"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
