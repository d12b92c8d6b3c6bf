package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// hostile is what a tenant may write into a name, or a chart print.
const hostile = `</pre><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e\x1b[2J"

const planted = "planted-secret-8811"

// rig is a page over a state directory of its own.
type rig struct {
	*testing.T
	source Source
	store  *runs.Store
	now    Now
	page   http.Handler
}

func newRig(t testing.TB) *rig {
	t.Helper()
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{store: store}
	r.T, _ = t.(*testing.T)
	r.source = Source{
		Now:    func() Now { return r.now },
		Runs:   func() (*runs.Store, error) { return r.store, nil },
		Values: func(context.Context, *runs.Run) ([]Value, error) { return nil, errors.New("no values in this test") },
	}
	r.page = New(r.source)
	return r
}

// event deploys a workload of that name, with a password and a secret value.
func event(name string) hub.Event {
	argument, _ := json.Marshal(hub.WorkloadDeployed{
		Workload:      hub.Workload{Pool: hub.Pool{TenantID: "acme", PoolRtID: "65d5c447b420da3fb12381bc"}, WorkloadName: name, WorkloadRtID: "65d5c447b420da3fb12381c1"},
		RepositoryURL: "https://user:" + planted + "@charts.example", RepositoryPassword: planted, ChartName: "demo-app",
		Values: []hub.Value{{Path: "secrets.key", Value: planted, IsSecret: true}, {Path: "image.tag", Value: "1.10"}},
	})
	return hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: argument}
}

// newRun makes a run; outcome "": it has not ended.
func (r *rig) newRun(name string, outcome runs.Outcome, reason string) *runs.Run {
	run, err := r.store.Create(event(name), "release/octo/acme-65d5c447b420da3fb12381c1")
	if err == nil && outcome != "" {
		clean, _ := event(name).WithoutSecrets()
		began := time.Now().Add(-time.Minute)
		err = run.Finish(runs.Result{Outcome: outcome, Reason: reason, Started: began, Ended: began.Add(1500 * time.Millisecond)}, &clean)
	}
	if err != nil {
		panic(err)
	}
	return run
}

// get sends a request like a browser with the page; change may change the request.
func (r *rig) get(path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.RemoteAddr, request.Host = "127.0.0.1:40000", "localhost:5002"
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(request)
	}
	answer := httptest.NewRecorder()
	r.page.ServeHTTP(answer, request)
	return answer
}

func getJSON[T any](r *rig, path string) (into T) {
	r.Helper()
	answer := r.get(path)
	if err := json.Unmarshal(answer.Body.Bytes(), &into); err != nil || answer.Code != http.StatusOK {
		r.Fatalf("%s: %d %s: %v", path, answer.Code, answer.Body, err)
	}
	return into
}

func TestOnlyThePageItselfIsAnsweredAndNothingCanBeChanged(t *testing.T) {
	r := newRig(t)
	run := r.newRun("Shop", runs.Succeeded, "")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	from := func(from string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = from } }
	method := func(method string) func(*http.Request) { return func(r *http.Request) { r.Method = method } }
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"the page", header("Accept", "*/*"), http.StatusOK},
		{"the address typed in", header("Sec-Fetch-Site", "none"), http.StatusOK},
		{"curl", header("Sec-Fetch-Site", ""), http.StatusOK},
		{"another port of port-forward", host("127.0.0.1:8080"), http.StatusOK},
		{"IPv6", host("[::1]:5002"), http.StatusOK},
		{"its own origin", header("Origin", "http://localhost:5002"), http.StatusOK},
		{"HEAD", method(http.MethodHead), http.StatusOK},
		{"another page's name for this address", host("evil.example:5002"), http.StatusForbidden},
		{"a name that begins like it", host("127.0.0.1.evil.example"), http.StatusForbidden},
		{"localhost.evil.example", host("localhost.evil.example:5002"), http.StatusForbidden},
		{"no name", host(""), http.StatusForbidden},
		{"another page", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		{"another port's page", header("Sec-Fetch-Site", "same-site"), http.StatusForbidden},
		{"another origin", header("Origin", "https://evil.example"), http.StatusForbidden},
		{"another port's origin", header("Origin", "http://localhost:5003"), http.StatusForbidden},
		{"an origin that hides", header("Origin", "null"), http.StatusForbidden},
		{"another pod", from("10.1.2.3:4000"), http.StatusForbidden},
		{"a proxy", header("X-Forwarded-For", "10.1.2.3"), http.StatusForbidden},
		{"POST", method(http.MethodPost), http.StatusMethodNotAllowed},
		{"DELETE", method(http.MethodDelete), http.StatusMethodNotAllowed},
		{"OPTIONS", method(http.MethodOptions), http.StatusMethodNotAllowed},
	} {
		for _, path := range []string{"/", "/page.js", "/page.css", "/api/now", "/api/runs", "/api/runs/" + run.ID, "/api/runs/" + run.ID + "/output"} {
			answer := r.get(path, test.change)
			if answer.Code != test.want {
				t.Errorf("%s: %s: got %d %s", test.name, path, answer.Code, answer.Body)
			}
			if test.want == http.StatusForbidden && strings.Contains(answer.Body.String(), run.ID) {
				t.Errorf("%s: %s: is told of a run", test.name, path)
			}
		}
	}
}

func TestNoAnswerIsKeptFramedOrTakenForSomethingElse(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/page.js", "/page.css", "/api/now", "/api/runs", "/api/runs/none", "/nothing"} {
		header := r.get(path).Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, header.Get(name))
			}
		}
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(header.Get("Content-Security-Policy"), part) {
				t.Errorf("%s: the policy lacks %s", path, part)
			}
		}
		if kind := header.Get("Content-Type"); strings.HasPrefix(path, "/api") && strings.Contains(kind, "html") {
			t.Errorf("%s is %s", path, kind)
		}
	}
}

func TestThePageConsistsOfItsThreeFilesAndAsksForNothingElse(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/page.js", "/page.css"} {
		text := r.get(path).Body.String()
		for _, foreign := range []string{"https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " onclick", " style="} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s has %s", path, foreign)
			}
		}
		if text == "" {
			t.Errorf("%s is empty", path)
		}
	}
}

func TestOnlyNamedFilesOfARunThatIsThereAreRead(t *testing.T) {
	r := newRig(t)
	run := r.newRun("Shop", runs.Succeeded, "")
	if err := os.WriteFile(filepath.Join(r.store.Dir(), "..", "output.log"), []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret.yaml", "manifest.yaml", "env"} {
		if err := run.Write(name, []byte(planted)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"..", "%2e%2e", ".", "..%2f..", "%2e%2e%2f" + run.ID, run.ID + "%2f..", run.ID + "%2fsecret.yaml", "%00", run.ID[:8], "octo-operator", ""} {
		for _, rest := range []string{"", "/output", "/values", "/secret.yaml", "/file/secret.yaml"} {
			answer := r.get("/api/runs/" + id + rest)
			if answer.Code < 300 && (id != "." || rest != "") || strings.Contains(answer.Body.String(), planted) {
				t.Errorf("%q%s: got %d %s", id, rest, answer.Code, answer.Body)
			}
		}
	}
	for _, id := range []string{run.ID, run.ShortID(), run.RandomEnd()} {
		if got := getJSON[shownRun](r, "/api/runs/"+id); got.ID != run.ID {
			t.Errorf("%s is the run %q", id, got.ID)
		}
	}
}

func TestNoSecretReachesThePageWhileARunRunsNorAfterwards(t *testing.T) {
	r := newRig(t)
	for _, run := range []*runs.Run{r.newRun("Shop", "", ""), r.newRun("Shop", runs.Failed, "it failed")} {
		if err := run.Write("secret.yaml", []byte(planted)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/api/now", "/api/runs", "/api/runs/" + run.ID, "/api/runs/" + run.ID + "/output", "/api/runs/" + run.ID + "/values"} {
			if body := r.get(path).Body.String(); strings.Contains(body, planted) {
				t.Errorf("%s has the secret: %s", path, body)
			}
		}
		shown := getJSON[struct{ Event string }](r, "/api/runs/"+run.ID)
		for _, kept := range []string{"secrets.key", "1.10", "charts.example"} {
			if !strings.Contains(shown.Event, kept) {
				t.Errorf("the event lacks %s: %s", kept, shown.Event)
			}
		}
	}
}

func TestHostileTextsComeAsJSONAndNeverAsHTML(t *testing.T) {
	r := newRig(t)
	r.now = Now{Trouble: hostile, Work: []Work{{Workload: hostile, Text: hostile}}, Pools: []Pool{{ID: hostile, Status: hostile}}}
	run := r.newRun(hostile, runs.Failed, hostile)
	run.Record(runs.Moment{Kind: runs.KindCommand, Name: hostile, Time: time.Now()})
	for _, name := range []string{"output.log", "changes.diff", "values.yaml"} {
		if err := run.Write(name, []byte(hostile+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/api/now", "/api/runs?q=%3Cscript%3E", "/api/runs/" + run.ID, "/api/runs/" + run.ID + "/output"} {
		answer := r.get(path)
		if body := answer.Body.String(); answer.Code != http.StatusOK || strings.ContainsAny(body, "<>") || !strings.Contains(body, `\u003cscript`) {
			t.Errorf("%s: %d %s", path, answer.Code, body)
		}
		if kind := answer.Header().Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s is %s", path, kind)
		}
	}
}

func TestTheListIsPagedAndSearchedAsFarAsItGoes(t *testing.T) {
	r := newRig(t)
	const all = 2*perPage + 7
	var want []string
	for i := range all {
		outcome, reason := runs.Succeeded, ""
		if i%10 == 3 {
			outcome, reason = runs.Failed, fmt.Sprintf("The Image no-%d- is away", i)
		}
		want = append(want, r.newRun(fmt.Sprintf("Shop no.%d.", i), outcome, reason).ID)
	}
	slices.Reverse(want)
	search := func(query string) (found []string) {
		t.Helper()
		for before, asked := "", 0; ; asked++ {
			part := getJSON[listed](r, "/api/runs?"+query+"&before="+before)
			if part.Total != all || len(part.Runs) > perPage || asked > all {
				t.Fatalf("%s: %d of %d runs, asked %d times", query, len(part.Runs), part.Total, asked)
			}
			for _, run := range part.Runs {
				found = append(found, run.ID)
			}
			if before = part.Next; before == "" {
				return found
			}
		}
	}
	if got := search(""); !slices.Equal(got, want) {
		t.Errorf("listed are %d runs, or another order", len(got))
	}
	for query, n := range map[string]int{
		"outcome=failed": 11, "outcome=succeeded": all - 11, "outcome=superseded": 0, "q=image+away": 11, "q=IMAGE": 11, "q=image+no-93-": 1, "q=nothing": 0,
		"q=acme&outcome=failed": 11, "q=shop+NO.50.": 1, "q=65d5c447b420da3fb12381c1": all,
	} {
		if got := search(query); len(got) != n {
			t.Errorf("%s finds %d runs, not %d", query, len(got), n)
		}
	}
}

func TestARunSaysWhatItWaitsFor(t *testing.T) {
	r := newRig(t)
	run := r.newRun("Shop", "", "")
	until := time.Now().Add(time.Minute)
	r.now.Work = []Work{{ID: "another"}, {ID: run.ID, Wait: runs.WaitRetry, Text: "the repository is away", Until: &until}}
	run.Record(runs.Moment{Kind: runs.KindWait, Name: runs.WaitRetry, Text: "the repository is away", Until: &until, Time: time.Now()})
	shown := getJSON[shownRun](r, "/api/runs/"+run.ID)
	if shown.Now == nil || shown.Now.Text != "the repository is away" || shown.Outcome != "waiting" || len(shown.Timeline) != 1 {
		t.Errorf("got %+v", shown)
	}
}

func TestWhileTheStateDirectoryCannotBeUsedThePageSaysSo(t *testing.T) {
	r := newRig(t)
	r.source.Runs = func() (*runs.Store, error) { return nil, errors.New("the disk is full") }
	r.now.Trouble = "the disk is full"
	r.page = New(r.source)
	if answer := r.get("/api/runs"); answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), "the disk is full") {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if now := getJSON[Now](r, "/api/now"); now.Trouble != "the disk is full" || now.Work == nil || now.Pools == nil {
		t.Errorf("got %+v", now)
	}
}
