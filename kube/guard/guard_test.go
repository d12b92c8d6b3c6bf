package guard

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"octo-operator/bounds"
	"octo-operator/kube"
)

// rig is a guard in front of a simulated API server.
type rig struct {
	guard  *Guard
	server *httptest.Server
	client *http.Client // whose requests go through the guard
	end    context.CancelFunc

	mu      sync.Mutex
	reached []string
	looked  []string
	objects map[string]kube.Metadata
}

func newRig(t testing.TB, api http.HandlerFunc) *rig {
	r := &rig{objects: map[string]kube.Metadata{}}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.reached = append(r.reached, req.Method+" "+req.URL.Path)
		r.mu.Unlock()
		api(w, req)
	}))
	r.guard = New(r, slog.New(slog.DiscardHandler))
	ctx, end := context.WithCancel(context.Background())
	text, err := r.guard.Open(ctx, run)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				Proxy  string `json:"proxy-url"`
			}
		}
	}
	if err := json.Unmarshal(text, &config); err != nil || config.Clusters[0].Cluster.Server != "http://api-server" {
		t.Fatalf("%s %v", text, err)
	}
	through, err := url.Parse(config.Clusters[0].Cluster.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	r.end, r.client = end, &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true, MaxIdleConnsPerHost: 8}}
	t.Cleanup(func() { end(); r.guard.Close(); r.server.CloseClientConnections(); r.server.Close() })
	return r
}

func (r *rig) Forward() (*url.URL, http.RoundTripper) {
	u, _ := url.Parse(r.server.URL)
	return u, &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
}

func (r *rig) Object(_ context.Context, path string) (kube.Metadata, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = append(r.looked, path)
	m, is := r.objects[path]
	if !is {
		return m, &kube.StatusError{Code: http.StatusNotFound}
	}
	return m, nil
}

func (r *rig) Failed(_ context.Context, err error) error {
	return fmt.Errorf("%w: %w", kube.ErrUnreachable, err)
}

func (r *rig) do(t testing.TB, method, path string, header ...string) (code int, body string) {
	req, err := http.NewRequest(method, "http://api-server"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	answer, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func secret(annotations string) string {
	return `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x","annotations":{` + annotations + `}},"data":{"a":"cGxhbnRlZA=="}}`
}

func TestASecretIsReadOnlyByTheReleaseThatItBelongsTo(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		code   int
		want   int
	}{
		"its own":           {secret(`"meta.helm.sh/release-name":"` + own + `","meta.helm.sh/release-namespace":"octo"`), 200, 200},
		"another's":         {secret(`"meta.helm.sh/release-name":"other","meta.helm.sh/release-namespace":"octo"`), 200, 403},
		"nobody's":          {secret(``), 200, 403},
		"not there":         {`{"kind":"Status","code":404}`, 404, 404},
		"no JSON":           {"k8s\x00planted", 200, 403},
		"of another's list": {`{"kind":"Table","rows":["cGxhbnRlZA=="]}`, 200, 403},
		"too long":          {secret(`"meta.helm.sh/release-name":"`+own+`","meta.helm.sh/release-namespace":"octo"`) + strings.Repeat(" ", longestSecret), 200, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.answer)
			})
			code, body := r.do(t, "GET", secrets+"/x", "Accept", "application/vnd.kubernetes.protobuf", "Accept-Encoding", "gzip")
			if code != test.want || (code != 403) != (body == test.answer) || code == 403 && strings.Contains(body, "cGxhbnRlZA") {
				t.Errorf("%d %.300s", code, body)
			}
			if code == 403 && (!strings.Contains(body, `secrets \"x\" is forbidden: octo-operator: release `+own+` may not read it: `) || !strings.Contains(body, `"reason":"Forbidden"`)) {
				t.Errorf("it is told %s", body)
			}
		})
	}
}

func TestAnObjectOfAnotherReleaseIsNeitherChangedNorDeleted(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {})
	r.objects[maps+"/x"] = kube.Metadata{Annotations: map[string]string{"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "octo"}}
	r.objects[maps+"/hook"] = kube.Metadata{}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		if code, body := r.do(t, method, maps+"/x"); code != 403 || !strings.Contains(body, "it is release other's in namespace octo") {
			t.Errorf("%s: %d %s", method, code, body)
		}
	}
	if code, _ := r.do(t, "PATCH", maps+"/x/status"); code != 403 {
		t.Errorf("its subresource: %d", code)
	}
	if len(r.reached) > 0 {
		t.Errorf("the API server was reached by %v", r.reached)
	}
	for _, path := range []string{maps + "/hook", maps + "/absent"} {
		if code, _ := r.do(t, "DELETE", path); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestWhatHelmHasReadIsNotLookedAtAgain(t *testing.T) {
	answers := map[string]string{maps + "/mine": strings.Replace(secret(``), "Secret", "ConfigMap", 1), maps + "/others": secret(`"meta.helm.sh/release-name":"other"`)}
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		if text, is := answers[req.URL.Path]; is {
			_, _ = io.WriteString(w, text)
		} else {
			w.WriteHeader(404)
		}
	})
	for path, want := range map[string]int{maps + "/mine": 200, maps + "/others": 403, maps + "/absent": 404} {
		if _, body := r.do(t, "GET", path); body != answers[path] {
			t.Errorf("%s was changed to %s", path, body)
		}
		if code, _ := r.do(t, "PATCH", path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if len(r.looked) > 0 {
		t.Errorf("it was looked at %v", r.looked)
	}
	if _, _ = r.do(t, "PATCH", maps+"/mine"); !slices.Equal(r.looked, []string{maps + "/mine"}) {
		t.Errorf("what was read counts more than once: %v", r.looked)
	}
}

func TestWhatPassesIsUntouched(t *testing.T) {
	packed := strings.Repeat("\x1f\x8b packed", 1<<17) // a MiB of what could be gzip
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Proxy-Authorization")+req.Header.Get("Authorization") != "" || req.Header.Get("Impersonate-User") != "system:serviceaccount:octo:octo-acme" ||
			req.Header.Get("Accept") != "a" || req.URL.RawQuery != "b=%2F&c" {
			w.WriteHeader(500)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, packed)
	})
	for _, path := range []string{maps, maps + "/long"} {
		code, body := r.do(t, "GET", path+"?b=%2F&c", "Impersonate-User", "system:serviceaccount:octo:octo-acme", "Accept", "a", "Authorization", "Basic eA==", "Accept-Encoding", "gzip")
		if code != 200 || body != packed {
			t.Errorf("%s: %d, %d bytes", path, code, len(body))
		}
	}
}

func TestAWatchIsHandedOnAsItComesAndEndsWithTheStep(t *testing.T) {
	next := make(chan string)
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		for {
			select {
			case line := <-next:
				fmt.Fprintln(w, line)
				w.(http.Flusher).Flush()
			case <-req.Context().Done():
				return
			}
		}
	})
	started := make(chan *http.Response)
	go func() {
		answer, err := r.client.Get("http://api-server" + maps + "?watch=true")
		if err != nil {
			close(started)
			return
		}
		started <- answer
	}()
	next <- "first"
	answer := <-started
	if answer == nil {
		t.Fatal("no answer")
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for _, want := range []string{"first", "second"} {
		if want == "second" {
			next <- want
		}
		if line, err := lines.ReadString('\n'); line != want+"\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	r.end()
	if _, err := lines.ReadString('\n'); err == nil {
		t.Error("the watch goes on")
	}
	if code, _ := r.do(t, "GET", "/version"); code != http.StatusProxyAuthRequired {
		t.Errorf("after the step: %d", code)
	}
}

func TestNobodyWithoutTheTokenOfARunReachesTheAPIServer(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {})
	for _, user := range []*url.Userinfo{nil, url.UserPassword("run", ""), url.UserPassword("run", "guess"), url.User("run")} {
		through := &url.URL{Scheme: "http", Host: r.guard.address, User: user}
		client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through)}}
		answer, err := client.Get("http://api-server/version")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusProxyAuthRequired {
			t.Errorf("%v: %d", user, answer.StatusCode)
		}
	}
	if !strings.HasPrefix(r.guard.address, "127.0.0.1:") || len(r.reached) > 0 {
		t.Errorf("it listens at %s, and the API server was reached by %v", r.guard.address, r.reached)
	}
}

func TestAnAPIServerThatIsAwayIsToldInTheWordsOfTheConnection(t *testing.T) {
	r := newRig(t, nil)
	r.server.Close()
	if code, body := r.do(t, "GET", "/version"); code != 503 || !strings.Contains(body, "connection refused") || !strings.Contains(body, "ServiceUnavailable") {
		t.Errorf("%d %s", code, body)
	}
	if _, away := r.guard.checkOwner(context.Background(), r.guard.anyRun(), maps+"/x", target{}); away != nil {
		t.Error(away)
	}
	r.guard.api = awayAPI{r}
	if code, body := r.do(t, "DELETE", maps+"/x"); code != 503 || !strings.Contains(body, "cannot reach") {
		t.Errorf("a look-up that fails: %d %s", code, body)
	}
}

type awayAPI struct{ *rig }

func (awayAPI) Object(context.Context, string) (kube.Metadata, error) {
	return kube.Metadata{}, errors.Join(kube.ErrUnreachable)
}

func (g *Guard) anyRun() *guarded {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, run := range g.runs {
		return run
	}
	return nil
}

// Compares a request through the guard with one without it.
func BenchmarkRequest(b *testing.B) {
	object := secret(`"meta.helm.sh/release-name":"` + own + `","meta.helm.sh/release-namespace":"octo"`)
	r := newRig(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, object) })
	direct := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, row := range []struct {
		name, url string
		client    *http.Client
	}{
		{"direct", r.server.URL + maps + "/x", direct},
		{"passed", "http://api-server" + maps, r.client},
		{"learnt", "http://api-server" + maps + "/x", r.client},
		{"revealed", "http://api-server" + secrets + "/x", r.client},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer, err := row.client.Get(row.url)
				if err != nil || answer.StatusCode != 200 {
					b.Fatal(answer, err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
}

// helm renders a chart again before it sends it, and the result may differ from what was checked before.
func TestWhatIsSentIsLookedAt(t *testing.T) {
	r := &guarded{Scope: run}
	r.Look = func(object []byte) error {
		if bytes.Contains(object, []byte("hostile")) {
			return errors.New("hostile")
		}
		return nil
	}
	for _, test := range []struct{ name, method, path, kind, body, want string }{
		{"an object", "POST", "/api/v1/namespaces/octo/configmaps", "application/json", `{"a": "b"}`, ""},
		{"a hostile one", "POST", "/api/v1/namespaces/octo/configmaps", "application/json", `{"a": "hostile"}`, "hostile"},
		{"a hostile patch of one", "PATCH", "/api/v1/namespaces/octo/configmaps/a", "application/apply-patch+yaml", "a: hostile", "hostile"},
		{"one that nobody can look at", "POST", "/api/v1/namespaces/octo/configmaps", "application/cbor", "", `it is sent as "application/cbor"`},
		{"helm's new record of the release", "POST", "/api/v1/namespaces/octo/secrets", "application/vnd.kubernetes.protobuf", "hostile", ""},
		{"another object in the same form", "POST", "/api/v1/namespaces/octo/pods", "application/vnd.kubernetes.protobuf", "hostile", "it is sent as"},
		{"an endless one", "PUT", "/api/v1/namespaces/octo/configmaps/a", "application/json", strings.Repeat(" ", bounds.Manifest+1), "it has more than"},
		{"what is deleted", "DELETE", "/api/v1/namespaces/octo/configmaps/a", "application/json", "hostile", ""},
	} {
		request := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		request.Header.Set("Content-Type", test.kind)
		_, about, err := r.judge(test.method, request.URL)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		err = r.checkBody(request, about)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if rest, _ := io.ReadAll(request.Body); err == nil && string(rest) != test.body {
			t.Errorf("%s: %q is handed on", test.name, rest)
		}
	}
	elsewhere, _ := url.Parse("/api/v1/namespaces/kube-system/configmaps")
	if _, _, err := r.judge("POST", elsewhere); err == nil || !strings.Contains(err.Error(), "it belongs into namespace kube-system") {
		t.Errorf("got %v", err)
	}
}

func TestARequestThatChangesSomethingWaitsUntilItMay(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {})
	waited := 0
	r.guard.mu.Lock()
	for _, open := range r.guard.runs {
		open.BeforeWrite = func(context.Context) {
			waited++
			r.mu.Lock()
			defer r.mu.Unlock()
			if last := r.reached[len(r.reached)-1]; waited == 1 && last != "PATCH "+maps+"/x" {
				t.Errorf("before the first change the API server has got %s", last)
			}
		}
	}
	r.guard.mu.Unlock()
	for i, request := range []struct{ method, path string }{
		{"GET", maps + "/x"}, {"PATCH", maps + "/x?dryRun=All"}, {"POST", maps}, {"DELETE", maps + "/x?dryRun=All"}, {"PATCH", maps + "/x"}, {"PUT", maps + "/x"},
	} {
		if code, body := r.do(t, request.method, request.path); code != 200 {
			t.Errorf("%v: %d %s", request, code, body)
		}
		if want := max(0, i-1); waited != want {
			t.Errorf("%s %s: %d requests have waited, want %d", request.method, request.path, waited, want)
		}
	}
}

// Otherwise a request that has waited for 2 s would write to an object that another release has created meanwhile.
func TestWhoseAnObjectIsIsFoundOutAfterTheWait(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {})
	r.guard.mu.Lock()
	for _, open := range r.guard.runs {
		open.BeforeWrite = func(context.Context) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.objects[maps+"/x"] = kube.Metadata{Annotations: map[string]string{"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "octo"}}
		}
	}
	r.guard.mu.Unlock()
	if code, body := r.do(t, "PATCH", maps+"/x"); code != 403 || !strings.Contains(body, "release other's") || len(r.reached) > 0 {
		t.Errorf("%d %s; the API server has got %q", code, body, r.reached)
	}
}

// The API server may answer before the guard's transport has seen the end of the request's body. By default, net/http then closes that body, and the
// transport drops the connection with the answer.
func TestAnAnswerThatComesAtOnceArrivesWhole(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(w, large)
	})
	for range 200 {
		answer, err := r.client.Post("http://api-server/api/v1/namespaces/octo/configmaps", "application/json", strings.NewReader(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"web"}}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || len(text) != len(large) {
			t.Fatalf("%d, %d bytes, %v: %.300s", answer.StatusCode, len(text), err, text)
		}
	}
}
