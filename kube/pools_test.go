package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func poolJSON(name, version string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":"octo","name":%q,"resourceVersion":%q},"spec":{"tenantId":"acme","poolRtId":%q},"status":{"communicationStatus":"Registered"}}`, name, version, name)
}

func watchEvent(kind, object string) string {
	return fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", kind, object)
}

const (
	poolsPath = "/apis/octo-mesh.meshmakers.io/v1alpha1/namespaces/octo/communicationpools"
	tooOld    = `{"kind":"Status","message":"too old resource version: 5 (9)","reason":"Expired","code":410}`
)

// watchRig lets WatchPools read answers, one after the other, and tells what it saw.
func watchRig(t *testing.T, answers ...string) (saw []string, asked []string, r rig) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	var mu sync.Mutex
	r = newRig(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, req.URL.String())
		if len(asked) > len(answers) {
			cancel()
			return
		}
		next := answers[len(asked)-1]
		if code := 0; strings.HasPrefix(next, "HTTP ") {
			_, _ = fmt.Sscanf(next, "HTTP %d", &code)
			w.WriteHeader(code)
			_, next, _ = strings.Cut(next, "\n")
		}
		fmt.Fprint(w, next)
	})
	note := func(what string, pools ...Pool) {
		for _, p := range pools {
			what += " " + p.Namespace + "/" + p.Name + " " + p.TenantID + " " + p.PoolRtID + " " + p.Status
		}
		saw = append(saw, what)
	}
	r.WatchPools(ctx, CommunicationPool, "octo", PoolChanges{
		All:     func(kind PoolKind, pools []Pool) { note("all of "+kind.Kind, pools...) },
		Changed: func(p Pool) { note("changed", p) },
		Deleted: func(p Pool) { note("deleted", p) },
	})
	return saw, asked, r
}

func listJSON(version string, pools ...string) string {
	return fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"items":[%s]}`, version, strings.Join(pools, ","))
}

func TestAWatchBeginsWhereTheListEndsAndIsFollowedByAnother(t *testing.T) {
	saw, asked, r := watchRig(t,
		listJSON("5", poolJSON("a", "3")),
		watchEvent("ADDED", poolJSON("b", "6"))+watchEvent("MODIFIED", poolJSON("a", "7"))+watchEvent("BOOKMARK", poolJSON("", "8"))+watchEvent("DELETED", poolJSON("a", "9")),
		listJSON("9"),
	)
	if diff := cmp.Diff([]string{
		"all of CommunicationPool octo/a acme a Registered", "changed octo/b acme b Registered",
		"changed octo/a acme a Registered", "deleted octo/a acme a Registered", "all of CommunicationPool",
	}, saw); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		poolsPath, poolsPath + "?resourceVersion=5&timeoutSeconds=600&watch=1", poolsPath, poolsPath + "?resourceVersion=9&timeoutSeconds=600&watch=1",
	}, asked); diff != "" {
		t.Error(diff)
	}
	if got := r.log.String(); strings.Contains(got, "WARN") {
		t.Errorf("a watch that ends is a problem:\n%s", got)
	}
}

func TestAWatchThatIsTooOldIsFollowedByAList(t *testing.T) {
	for name, answer := range map[string]string{"as an event": watchEvent("ERROR", tooOld), "at once": "HTTP 410\n" + tooOld} {
		t.Run(name, func(t *testing.T) {
			saw, _, r := watchRig(t, listJSON("5"), answer, listJSON("9", poolJSON("a", "8")))
			if diff := cmp.Diff([]string{"all of CommunicationPool", "all of CommunicationPool octo/a acme a Registered"}, saw); diff != "" {
				t.Error(diff)
			}
			if got := r.log.String(); strings.Contains(got, "WARN") {
				t.Errorf("it is a problem:\n%s", got)
			}
		})
	}
}

func TestTroubleWithAWatchIsToldAndTheWatchGoesOn(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"an error event", watchEvent("ERROR", `{"kind":"Status","message":"etcdserver: no leader","code":500}`),
			`reason="cannot watch communicationpools.octo-mesh.meshmakers.io: cannot reach the API server: etcdserver: no leader"`},
		{"an outage", "HTTP 503\n{}", `reason="cannot watch communicationpools.octo-mesh.meshmakers.io: cannot reach the API server: {}"`},
		{"what is no event", "nonsense", `reason="cannot watch communicationpools.octo-mesh.meshmakers.io: cannot read an event: invalid character`},
	} {
		t.Run(test.name, func(t *testing.T) {
			saw, _, r := watchRig(t, listJSON("5"), test.answer, listJSON("9"))
			if len(saw) != 2 {
				t.Errorf("saw %q", saw)
			}
			if got := r.log.String(); !strings.Contains(got, `level=WARN msg="pools not watched"`) || !strings.Contains(got, test.want) {
				t.Errorf("the log is\n%s", got)
			}
		})
	}
}

func TestEachPoolsStatusIsWrittenWhateverBecomesOfTheOthers(t *testing.T) {
	var asked []string
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		asked = append(asked, fmt.Sprintf("%s %s %s %s", req.Method, req.URL, req.Header.Get("Content-Type"), body))
		if strings.Contains(req.URL.Path, "/forbidden") {
			answer(403, "application/json", `{"kind":"Status","message":"no","code":403}`)(w, req)
		} else if strings.Contains(req.URL.Path, "/gone") {
			answer(404, "application/json", `{"kind":"Status","message":"not found","code":404}`)(w, req)
		}
	})
	pools := []Pool{}
	for _, name := range []string{"forbidden", "gone", "site"} {
		pools = append(pools, Pool{PoolKind: DeploymentSite, Namespace: "octo", Name: name, Status: "Registered"})
	}
	err := r.WritePoolStatus(testContext(t), "manager", pools)
	if err == nil || err.Error() != "cannot write the status of pool forbidden in namespace octo: no" {
		t.Errorf("got %v", err)
	}
	want := `PATCH /apis/octo-mesh.meshmakers.io/v1/namespaces/octo/deploymentsites/site/status?fieldManager=manager&force=true application/apply-patch+yaml ` +
		`{"apiVersion":"octo-mesh.meshmakers.io/v1","kind":"DeploymentSite","metadata":{"name":"site","namespace":"octo"},"status":{"communicationStatus":"Registered"}}`
	if len(asked) != 3 || asked[2] != want {
		t.Errorf("asked %s\nwant  %s", asked, want)
	}
}

func TestStatusesAreNotWrittenOneByOneWhileTheAPIServerIsAway(t *testing.T) {
	n := 0
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		n++
		answer(503, "text/plain", "starting")(w, req)
	})
	if err := r.WritePoolStatus(testContext(t), "manager", make([]Pool, 500)); err == nil || n != 1 {
		t.Errorf("%d requests: %v", n, err)
	}
}

func TestFailuresOfManyStatusesAreBounded(t *testing.T) {
	r := newRig(t, answer(403, "application/json", `{"kind":"Status","message":"no","code":403}`))
	err := r.WritePoolStatus(testContext(t), "manager", make([]Pool, 50))
	if err == nil || strings.Count(err.Error(), "\n") != maxFailures || !strings.HasSuffix(err.Error(), "\nand 45 more") {
		t.Errorf("got %v", err)
	}
}
