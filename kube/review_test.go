package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestWhatTheRulesDoNotAllowIsAskedAboutSingly(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		var question struct {
			Spec struct {
				Namespace          string
				ResourceAttributes struct{ Verb, Group, Resource, Subresource, Namespace, Name string }
			}
		}
		_ = json.NewDecoder(req.Body).Decode(&question)
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(req.URL.Path, "/selfsubjectrulesreviews") {
			fmt.Fprint(w, `{"status": {"incomplete": true, "resourceRules": [
				{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]},
				{"verbs": ["create"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"]},
				{"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]},
				{"verbs": ["patch"], "apiGroups": ["octo"], "resources": ["*/status"]}]}}`)
			return
		}
		a := question.Spec.ResourceAttributes
		mu.Lock()
		asked = append(asked, fmt.Sprintf("%s %s/%s/%s in %s", a.Verb, a.Group, a.Resource, a.Subresource, a.Namespace))
		mu.Unlock()
		fmt.Fprintf(w, `{"status": {"allowed": %v}}`, a.Verb == "watch") // by another authorizer than RBAC
	})
	missing, err := r.Missing(testContext(t), "octo", []Access{
		{Verb: "get", Resource: "secrets"}, {Verb: "create", Resource: "secrets"}, {Verb: "watch", Resource: "secrets"},
		{Verb: "delete", Group: "apps", Resource: "deployments"}, {Verb: "patch", Group: "octo", Resource: "pools/status"}, {Verb: "patch", Group: "octo", Resource: "pools"},
	})
	if got := fmt.Sprint(missing, err); got != "[create secrets patch pools.octo] <nil>" {
		t.Errorf("missing %s", got)
	}
	if len(asked) != 3 || !strings.Contains(strings.Join(asked, "\n"), "create /secrets/ in octo") {
		t.Errorf("asked singly: %q", asked)
	}
	asked = nil
	if missing, err := r.Missing(testContext(t), "", []Access{{Verb: "get", Resource: "secrets"}}); err != nil || len(missing) != 1 || len(asked) != 1 {
		t.Errorf("in all namespaces: %v, %v, asked %q", missing, err, asked)
	}
}

func TestAQuestionThatIsNotAnsweredIsAnErrorAndNoMissingRight(t *testing.T) {
	r := newRig(t, answer(http.StatusForbidden, "application/json", `{"kind": "Status", "message": "not you"}`))
	if missing, err := r.Missing(testContext(t), "octo", []Access{{Verb: "get", Resource: "secrets"}}); err == nil || missing != nil || !strings.Contains(err.Error(), "not you") {
		t.Errorf("missing %v, %v", missing, err)
	}
}

func TestTheAPIServerTellsItsVersionAndItsTime(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Thu, 26 Nov 2026 10:00:00 GMT")
		fmt.Fprint(w, `{"gitVersion": "v1.37.2"}`)
	})
	got, err := r.Server(testContext(t))
	if want := (Server{"v1.37.2", time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}); err != nil || got.Version != want.Version || !got.Date.Equal(want.Date) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}
