package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const (
	poolPath = "v1communicationpoolentity"
	sitePath = "v1deploymentsiteentity"
	goodID   = "65d5c447b420da3fb12381bc"
)

var asJSON = http.Header{"Content-Type": {"application/json"}}

// reviewOf returns a review as the API server sends it; old may be "".
func reviewOf(operation, object, old string) string {
	if old == "" {
		old = "null"
	}
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002",
		"kind":{"group":"octo-mesh.meshmakers.io","version":"v1alpha1","kind":"CommunicationPool"},"name":"acme","namespace":"octo",
		"operation":%q,"userInfo":{"username":"admin"},"object":%s,"oldObject":%s,"dryRun":false,"options":null}}`, operation, object, old)
}

func withSpec(spec string) string { return `{"metadata":{"name":"acme"},"spec":` + spec + `}` }

// answerOf returns the answer to a valid review.
func answerOf(t *testing.T, url, body string) response {
	t.Helper()
	status, text := send(t, http.DefaultClient, http.MethodPost, url, body, asJSON)
	var r review
	if err := json.Unmarshal([]byte(text), &r); status != http.StatusOK || err != nil || r.Response == nil {
		t.Fatalf("got %d %s", status, text)
	}
	if r.APIVersion != "admission.k8s.io/v1" || r.Kind != "AdmissionReview" || r.Response.UID != "705ab4f5-6393-11e8-b7cc-42010a800002" {
		t.Errorf("got %s", text)
	}
	return *r.Response
}

var specs = []struct {
	name, path, spec string
	refused          []string // parts of the message; nil: it is allowed
}{
	{"a pool", poolPath, `{"tenantId":"acme","poolRtId":"` + goodID + `"}`, nil},
	{"a pool with a name too", poolPath, `{"tenantId":"acme","poolName":"Main","poolRtId":"` + goodID + `"}`, nil},
	{"a pool of G1", poolPath, `{"tenantId":"acme","poolName":"Main pool"}`, nil},
	{"a pool of G1 with a null", poolPath, `{"tenantId":"acme","poolName":"Main pool","poolRtId":null}`, nil},
	{"nothing that names it", poolPath, `{"tenantId":"acme"}`, []string{"spec.poolRtId is not set", "24 digits"}},
	{"no spec", poolPath, `null`, []string{"spec.poolRtId is not set"}},
	{"a blank name", poolPath, `{"poolName":" \t"}`, []string{"spec.poolRtId is not set"}},
	{"a name that is a number", poolPath, `{"poolName":5}`, []string{"spec.poolRtId is not set"}},
	{"an id in upper case", poolPath, `{"poolRtId":"65D5C447B420DA3FB12381BC"}`, []string{`spec.poolRtId: "65D5C447B420DA3FB12381BC" is not`, "lower case"}},
	{"an id too short", poolPath, `{"poolRtId":"65d5c447"}`, []string{`spec.poolRtId: "65d5c447" is not`, "copy it from the controller"}},
	{"an id too long", poolPath, `{"poolRtId":"` + goodID + `0"}`, []string{"spec.poolRtId: ", "is not"}},
	{"an id with a line's end", poolPath, `{"poolRtId":"` + goodID + `\n"}`, []string{"spec.poolRtId: ", "is not"}},
	{"a wrong id besides a name", poolPath, `{"poolName":"Main","poolRtId":"main"}`, []string{`spec.poolRtId: "main" is not`}},
	{"an empty id besides a name", poolPath, `{"poolName":"Main","poolRtId":""}`, []string{`spec.poolRtId: "" is not`}},
	{"an id that is a number", poolPath, `{"poolRtId":655447420312381000000000}`, []string{"spec.poolRtId: 655447420312381000000000 is not"}},
	{"an id in other letters", poolPath, `{"poolrtid":"` + goodID + `"}`, []string{"spec.poolRtId is not set"}},
	{"too large", poolPath, `{"poolRtId":"` + goodID + `","x":"` + strings.Repeat("x", largestSpec) + `"}`, []string{"spec: 65582 bytes are more"}},
	{"a site", sitePath, `{"tenantId":"acme","deploymentSiteRtId":"` + goodID + `"}`, nil},
	{"a site without an id", sitePath, `{"tenantId":"acme","poolName":"Main"}`, []string{"spec.deploymentSiteRtId is not set", "deployment site"}},
	{"a site with a wrong id", sitePath, `{"deploymentSiteRtId":"main"}`, []string{`spec.deploymentSiteRtId: "main" is not the runtime id of a deployment site`}},
}

func TestWhatAPoolsResourceMustSay(t *testing.T) {
	_, o := serve(t, Options{})
	for _, test := range specs {
		t.Run(test.name, func(t *testing.T) {
			for operation, body := range map[string]string{
				"CREATE": reviewOf("CREATE", withSpec(test.spec), ""),
				"UPDATE": reviewOf("UPDATE", withSpec(test.spec), withSpec(`{"tenantId":"before"}`)),
			} {
				r := answerOf(t, "http://"+o.HTTP+"/validate/"+test.path, body)
				if r.Allowed != (test.refused == nil) {
					t.Fatalf("%s: allowed %v, %+v", operation, r.Allowed, r.Status)
				}
				if test.refused != nil {
					wantText(t, r.Status.Message, test.refused...)
					if r.Status.Code != http.StatusBadRequest {
						t.Errorf("code %d", r.Status.Code)
					}
				}
				if r := answerOf(t, "http://"+o.HTTP+"/mutate/"+test.path, body); !r.Allowed {
					t.Errorf("%s: the mutating one refuses: %+v", operation, r.Status)
				}
			}
		})
	}
}

func TestWhatIsNeverBlocked(t *testing.T) {
	const wrong = `{"tenantId":"acme","poolRtId":"main"}`
	deleted := `{"metadata":{"name":"acme","deletionTimestamp":"2026-11-26T01:00:00Z"},"spec":` + wrong + `}`
	_, o := serve(t, Options{})
	for _, test := range []struct {
		name, body string
		allowed    bool
	}{
		{"a change of metadata", reviewOf("UPDATE", `{"metadata":{"labels":{"a":"b"}},"spec":`+wrong+`}`, withSpec(wrong)), true},
		{"a change of status", reviewOf("UPDATE", `{"metadata":{},"spec":`+wrong+`,"status":{"communicationStatus":"Failed"}}`, withSpec(wrong)), true},
		{"a finalizer's removal", reviewOf("UPDATE", deleted, deleted), true},
		{"a change of one that is being deleted", reviewOf("UPDATE", deleted, withSpec(`{}`)), true},
		{"neither has a spec", reviewOf("UPDATE", `{"metadata":{}}`, `{"metadata":{"labels":{"a":"b"}}}`), true},
		{"a deletion", reviewOf("DELETE", "null", withSpec(wrong)), true},
		{"a connect", reviewOf("CONNECT", withSpec(wrong), ""), true},
		{"a change of spec", reviewOf("UPDATE", withSpec(wrong), withSpec(`{"tenantId":"acme"}`)), false},
		{"a deletion's time that is null", reviewOf("UPDATE", `{"metadata":{"deletionTimestamp":null},"spec":`+wrong+`}`, withSpec(`{}`)), false},
		{"a creation that says that it is being deleted", reviewOf("CREATE", deleted, ""), false},
		{"a creation of nothing", reviewOf("CREATE", "null", ""), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r := answerOf(t, "http://"+o.HTTP+"/validate/"+poolPath, test.body); r.Allowed != test.allowed {
				t.Errorf("allowed %v, want %v: %+v", r.Allowed, test.allowed, r.Status)
			}
		})
	}
}

func TestWhatIsNoReviewIsRefusedInClearWords(t *testing.T) {
	good := reviewOf("CREATE", withSpec(`{}`), "")
	_, o := serve(t, Options{})
	for _, test := range []struct {
		name, method, contentType, body string
		status                          int
		want                            string
	}{
		{"a GET", http.MethodGet, "application/json", "", http.StatusMethodNotAllowed, "Method Not Allowed"},
		{"a form", http.MethodPost, "application/x-www-form-urlencoded", good, http.StatusUnsupportedMediaType, "Content-Type is not application/json"},
		{"no type", http.MethodPost, "", good, http.StatusUnsupportedMediaType, "Content-Type is not application/json"},
		{"nothing", http.MethodPost, "application/json", "", http.StatusBadRequest, "unexpected end of JSON input"},
		{"no JSON", http.MethodPost, "application/json; charset=utf-8", "{", http.StatusBadRequest, "cannot read the AdmissionReview"},
		{"a list", http.MethodPost, "application/json", "[]", http.StatusBadRequest, "cannot read the AdmissionReview"},
		{"two", http.MethodPost, "application/json", good + good, http.StatusBadRequest, "cannot read the AdmissionReview"},
		{"an older version", http.MethodPost, "application/json", strings.Replace(good, "io/v1", "io/v1beta1", 1), http.StatusBadRequest,
			"cannot answer a AdmissionReview of admission.k8s.io/v1beta1: only an AdmissionReview of admission.k8s.io/v1"},
		{"a review of something else", http.MethodPost, "application/json", `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview"}`,
			http.StatusBadRequest, "cannot answer a SubjectAccessReview"},
		{"no request", http.MethodPost, "application/json", `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, http.StatusBadRequest, "no request.uid"},
		{"no uid", http.MethodPost, "application/json", strings.Replace(good, `"uid"`, `"u"`, 1), http.StatusBadRequest, "no request.uid"},
		{"too large", http.MethodPost, "application/json", `"` + strings.Repeat("x", largestBody) + `"`, http.StatusRequestEntityTooLarge, "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/validate/" + poolPath, "/mutate/" + poolPath, "/validate/" + sitePath, "/mutate/" + sitePath} {
				status, body := send(t, http.DefaultClient, test.method, "http://"+o.HTTP+path, test.body, http.Header{"Content-Type": {test.contentType}})
				if status != test.status || !strings.Contains(body, test.want) {
					t.Errorf("%s: got %d %q, want %d %q", path, status, body, test.status, test.want)
				}
			}
		})
	}
}

// The API server sends the old resource and the new one, and each may have annotations of 256 KiB.
func TestALargeResourceMayBeChanged(t *testing.T) {
	_, o := serve(t, Options{})
	large := `{"metadata":{"annotations":{"a":"` + strings.Repeat("x", 1<<20) + `"}},"spec":{"poolRtId":"main"}}`
	if r := answerOf(t, "http://"+o.HTTP+"/validate/"+poolPath, reviewOf("UPDATE", large, large)); !r.Allowed {
		t.Errorf("refused: %+v", r.Status)
	}
}

func TestLargeReviewsThatNeverEndHoldUpNoOrdinaryOne(t *testing.T) {
	_, o := serve(t, Options{})
	for range largeReviews + 2 {
		connection, err := net.Dial("tcp", o.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		_, err = fmt.Fprintf(connection, "POST /validate/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			poolPath, largestBody, strings.Repeat(" ", 2*smallReview))
		if err != nil {
			t.Fatal(err)
		}
	}
	if r := answerOf(t, "http://"+o.HTTP+"/validate/"+poolPath, reviewOf("CREATE", withSpec(`{"poolName":"Main"}`), "")); !r.Allowed {
		t.Errorf("refused: %+v", r.Status)
	}
}

func TestOnlySoManyLargeReviewsAreReadAtATime(t *testing.T) {
	log, _ := newLog()
	v := newReviews(log)
	large := func(ctx context.Context) (done func(), err error) {
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", smallReview)))
		_, done, err = v.read(httptest.NewRecorder(), request)
		return done, err
	}
	var ends []func()
	for range largeReviews {
		done, err := large(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, done)
	}
	goneAway, goAway := context.WithCancel(t.Context())
	goAway()
	if _, err := large(goneAway); !errors.Is(err, context.Canceled) {
		t.Errorf("one more is read: %v", err)
	}
	ends[0]()
	if _, err := large(t.Context()); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

func FuzzReview(f *testing.F) {
	for _, test := range specs {
		f.Add(reviewOf("CREATE", withSpec(test.spec), ""))
		f.Add(reviewOf("UPDATE", withSpec(test.spec), withSpec(`{"tenantId":"acme"}`)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReview([]byte(text))
		if err != nil {
			return
		}
		for kind, check := range pools {
			answer := decide(r, check)
			if answer.UID != r.UID || answer.Allowed == (answer.Status != nil) {
				t.Fatalf("%s: %+v", kind, answer)
			}
			if r.Operation == "CREATE" && len(r.Object.Spec) < largestSpec && answer.Allowed != mayBeMade(kind, r.Object.Spec) {
				t.Errorf("%s: allowed is %v for the spec %s", kind, answer.Allowed, r.Object.Spec)
			}
			if answer.Allowed {
				continue
			}
			if r.Operation != "CREATE" && r.Operation != "UPDATE" || r.Operation == "UPDATE" && r.Object.deleted() {
				t.Errorf("%s: a %s is refused", kind, r.Operation)
			}
			said := answer.Status.Message
			if len(said) > 500 || !strings.HasPrefix(said, "spec") || slices.ContainsFunc([]rune(said), func(c rune) bool { return c < ' ' || c == 0x9b }) {
				t.Errorf("%s: the message is %q", kind, said)
			}
		}
		if answer := decide(r, nil); !answer.Allowed {
			t.Errorf("the mutating one refuses: %+v", answer)
		}
	})
}

// mayBeMade is the rule of the CRDs, written independently.
func mayBeMade(kind string, text []byte) bool {
	var fields map[string]any
	_ = json.Unmarshal(text, &fields)
	name, _ := fields["poolName"].(string)
	id, isText := fields["poolRtId"].(string)
	if kind == sitePath {
		id, isText = fields["deploymentSiteRtId"].(string)
	} else if fields["poolRtId"] == nil {
		return strings.TrimSpace(name) != ""
	}
	return isText && len(id) == 24 && strings.Trim(id, "0123456789abcdef") == ""
}
