package kube

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnOwnerIsAddedToWhatIsThereOfARelease(t *testing.T) {
	var asked []string
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		switch {
		case req.Method == http.MethodGet:
			fmt.Fprint(w, `{"items":[{"metadata":{"name":"web"}},{"metadata":{"name":"refused"}}]}`)
			return
		case strings.Contains(req.URL.Path, "refused"):
			answer(403, "application/json", `{"kind":"Status","message":"no","code":403}`)(w, req)
		case strings.Contains(req.URL.Path, "secrets"):
			answer(404, "application/json", `{"kind":"Status","message":"not found","code":404}`)(w, req)
		}
		asked = append(asked, fmt.Sprintf("%s %s %s", req.URL.Path, req.Header.Get("Content-Type"), body))
	})
	owner := Pool{PoolKind: CommunicationPool, Namespace: "octo", Name: "acme", UID: "u1"}.Owner()
	n, err := r.SetOwner(testContext(t), "manager", "octo", "app", "app-octo-secrets", owner)
	if n != 2 || err == nil || err.Error() != "cannot set the owner of /apis/apps/v1/namespaces/octo/deployments/refused: no" {
		t.Errorf("%d Deployments, %v", n, err)
	}
	const body = ` application/strategic-merge-patch+json {"metadata":{"ownerReferences":[{"apiVersion":"octo-mesh.meshmakers.io/v1alpha1","kind":"CommunicationPool","name":"acme","uid":"u1"}]}}`
	if diff := cmp.Diff([]string{
		"/api/v1/namespaces/octo/secrets/app-octo-secrets" + body, "/apis/apps/v1/namespaces/octo/deployments/web" + body,
		"/apis/apps/v1/namespaces/octo/deployments/refused" + body,
	}, asked); diff != "" {
		t.Error(diff)
	}
}
