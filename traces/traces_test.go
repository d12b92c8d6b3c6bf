package traces

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"octo-operator/dev/collector"
	"octo-operator/dev/fixtures"
	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func start(t *testing.T, environ string) (*Traces, *logged) {
	t.Helper()
	said := &logged{}
	traces, err := Start(fixtures.Settings(t, environ), "v1", slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return traces, said
}

// patience is how long a test waits for something that always comes.
const patience = time.Minute

var began = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

func number(n int) *int { return &n }

// course makes moments of an event, one second apart.
func course(end runs.Moment, first runs.Kind) (all []dispatch.Happening) {
	run := &runs.Run{ID: "20261126T100000.000000Z-workload-deployed-acme-x-6c1f0a"}
	for i, m := range []runs.Moment{
		{Kind: first},
		{Kind: runs.KindWait, Name: runs.WaitSlot, Text: "all slots are taken"},
		{Kind: runs.KindPhase, Name: runs.PhaseLook},
		{Kind: runs.KindPhase, Name: runs.PhaseInstall},
		{Kind: runs.KindScript, Name: "workload-deploy"},
		{Kind: runs.KindCommand, Name: "KUBECONFIG=/x kubectl apply -f secret.yaml"},
		{Kind: runs.KindCommand, Name: "helm upgrade --install acme-x chart.tgz"},
		{Kind: runs.KindExit, Name: "workload-deploy", ExitCode: number(len(end.Text)), CPU: 0.25, Memory: 40 << 20, Text: end.Text},
		{Kind: runs.KindWait, Name: runs.WaitPods},
		end,
	} {
		m.Time = began.Add(time.Duration(i) * time.Second)
		all = append(all, dispatch.Happening{Run: run, Callback: "WorkloadDeployed", Tenant: "acme", Workload: "Shop", Release: "acme-x", Moment: m})
	}
	return all
}

func succeeded() []dispatch.Happening {
	return course(runs.Moment{Kind: runs.KindEnd, Name: string(runs.Succeeded)}, runs.KindAccepted)
}

const tree = `WorkloadDeployed
  wait: slot
  look
  install
    workload-deploy
      kubectl apply
      helm upgrade
  wait: pods`

func TestAnEventIsATraceOfItsPhasesScriptsAndCommands(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	for _, h := range succeeded() {
		traces.Observe(h)
	}
	traces.Close(patience)
	all := c.Traces()
	if len(all) != 1 || all[0].String() != tree {
		t.Fatalf("got %v", all)
	}
	event := all[0]
	fixtures.Golden(t, "attributes.txt", []byte(attributesOf(event)))
	seconds := func(s *collector.Span) string {
		from := uint64(began.UnixNano())
		return fmt.Sprint((s.Start-from)/1e9, "–", (s.End-from)/1e9)
	}
	script := event.Below[2].Below[0]
	for _, test := range []struct {
		span *collector.Span
		want string
	}{
		{event, "0–9"}, {event.Below[0], "1–2"}, {event.Below[1], "2–3"}, {event.Below[2], "3–8"}, {event.Below[3], "8–9"},
		{script, "4–7"}, {script.Below[0], "5–6"}, {script.Below[1], "6–7"},
	} {
		if got := seconds(test.span); got != strings.ReplaceAll(test.want, "–", " – ") && got != test.want {
			t.Errorf("%s lasted %s, not %s", test.span.Name, got, test.want)
		}
	}
	if who := c.Resource(); who["service.name"] != "octo-operator" || who["service.version"] != "v1" {
		t.Errorf("the resource is %v", who)
	}
}

func attributesOf(s *collector.Span) (text string) {
	text = s.Name + "\n"
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		text += "  " + name + ": " + s.Attributes[name] + "\n"
	}
	for _, below := range s.Below {
		text += attributesOf(below)
	}
	return text
}

func TestAFailedEventIsAnErrorWithItsReason(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	for _, h := range course(runs.Moment{Kind: runs.KindEnd, Name: string(runs.Failed), Text: "no such image"}, runs.KindAccepted) {
		traces.Observe(h)
	}
	traces.Close(patience)
	want := strings.NewReplacer("WorkloadDeployed", "WorkloadDeployed failed", "workload-deploy", "workload-deploy failed", "helm upgrade", "helm upgrade failed").Replace(tree)
	all := c.Traces()
	if len(all) != 1 || all[0].String() != want || all[0].Error != "no such image" || all[0].Attributes["octo.outcome"] != "failed" {
		t.Errorf("got %v", all)
	}
}

func TestASupersededEventIsNoError(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	all := course(runs.Moment{Kind: runs.KindEnd, Name: string(runs.Superseded), Text: "a newer event"}, runs.KindAccepted)
	for _, h := range append(all[:2:2], all[len(all)-1]) {
		traces.Observe(h)
	}
	traces.Close(patience)
	if got := c.Traces(); len(got) != 1 || got[0].String() != "WorkloadDeployed\n  wait: slot" || got[0].Attributes["octo.reason"] != "a newer event" {
		t.Errorf("got %v", got)
	}
}

func TestWhatIsUnfinishedWhenTheOperatorEndsIsSentAndTheNextLifeBeginsATraceOfItsOwn(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	for _, h := range succeeded()[:6] {
		traces.Observe(h)
	}
	traces.Close(patience)
	traces, _ = start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	for _, h := range course(runs.Moment{Kind: runs.KindEnd, Name: string(runs.Succeeded)}, runs.KindResumed) {
		traces.Observe(h)
	}
	traces.Close(patience)
	all := c.Traces()
	if len(all) != 2 {
		t.Fatalf("got %v", all)
	}
	outcomes := []string{all[0].Attributes["octo.outcome"] + all[0].Attributes["octo.resumed"], all[1].Attributes["octo.outcome"] + all[1].Attributes["octo.resumed"]}
	if slices.Sort(outcomes); !slices.Equal(outcomes, []string{"stopped", "succeededtrue"}) {
		t.Errorf("got %q", outcomes)
	}
}

func TestWithoutAnEndpointNothingIsStarted(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, environ := range []string{"", "OTEL_SERVICE_NAME=x", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9\nOTEL_SDK_DISABLED=true"} {
		if traces, said := start(t, environ); traces != nil || said.String() != "" {
			t.Errorf("%q: %v, %s", environ, traces, said)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, before %d", after, before)
	}
	(*Traces)(nil).Close(time.Second)
}

func TestTheUsualVariablesAreObeyed(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	t.Setenv("OTEL_SERVICE_NAME", "mine")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	traces, said := start(t, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+c.URL+"/v1/traces\nOTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20m4rk3r, x-tenant = a\nOTEL_EXPORTER_OTLP_COMPRESSION=gzip")
	for _, h := range succeeded() {
		traces.Observe(h)
	}
	traces.Close(patience)
	requests, who := c.Requests(), c.Resource()
	if len(requests) != 1 || requests[0].Get("Authorization") != "Bearer m4rk3r" || requests[0].Get("X-Tenant") != "a" || requests[0].Get("Content-Encoding") != "gzip" {
		t.Errorf("got %v", requests)
	}
	if len(c.Traces()) != 1 || who["service.name"] != "mine" || who["deployment.environment"] != "test" {
		t.Errorf("got %v of %v", c.Traces(), who)
	}
	if strings.Contains(said.String(), "m4rk3r") {
		t.Errorf("the log has the token: %s", said)
	}
}

func TestWhyNoTracesAreMadeIsSaidWithoutTheSecret(t *testing.T) {
	for environ, want := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":             "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and only http/protobuf is spoken: set that, and the collector's port for HTTP, usually 4318",
		"OTEL_EXPORTER_OTLP_HEADERS=a=b,m4rk3r":        "entry 2 is not name=value",
		"OTEL_EXPORTER_OTLP_HEADERS=a=%zzm4rk3r":       "entry 1 is not name=value",
		"OTEL_EXPORTER_OTLP_CERTIFICATE=/no/such/file": "OTEL_EXPORTER_OTLP_CERTIFICATE: open /no/such/file",
	} {
		settings := fixtures.Settings(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9\n"+environ)
		traces, err := Start(settings, "", slog.New(slog.DiscardHandler))
		if traces != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "m4rk3r") {
			t.Errorf("%s: %v, %v", environ, traces, err)
		}
	}
}

func TestTracesThatCannotBeSentAreToldOnce(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	c := collector.Start()
	defer c.Close()
	c.Answer(http.StatusUnauthorized)
	traces, said := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL+"\nOTEL_EXPORTER_OTLP_HEADERS=authorization=m4rk3r")
	until := func(what string, there func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !there(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s; the log is\n%s", what, said)
			}
			for _, h := range succeeded() {
				traces.Observe(h)
			}
		}
	}
	until("nothing was sent three times", func() bool { return len(c.Requests()) >= 3 })
	c.Answer(0)
	until("nothing can be sent again", func() bool { return strings.Contains(said.String(), "traces can be sent again") })
	traces.Close(patience)
	if n := strings.Count(said.String(), "traces are lost"); n != 1 || !strings.Contains(said.String(), "the collector answers 401 Unauthorized") || !strings.Contains(said.String(), "next=") {
		t.Errorf("told %d times:\n%s", n, said)
	}
	if strings.Contains(said.String(), "m4rk3r") {
		t.Errorf("the log has the token:\n%s", said)
	}
}

// The collector hangs: it accepts connections and never answers.
func TestNothingWaitsForACollectorThatHangs(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent.Addr().String()+"\nOTEL_EXPORTER_OTLP_TIMEOUT=3600000")
	for range 1000 { // more spans than the queue takes
		for _, h := range succeeded() {
			traces.Observe(h)
		}
	}
	traces.Close(time.Millisecond)
	if n := len(traces.events); n != 0 {
		t.Errorf("%d events are still known", n)
	}
}

// The script workload-deploy does a dry run before it changes anything, so it runs in two phases.
func TestAScriptThatIsOfSeveralPhasesIsInEachAndTheLastHasItsEnd(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	run := &runs.Run{ID: "20261126T100000.000000Z-workload-deployed-acme-x-6c1f0a"}
	for i, m := range []runs.Moment{
		{Kind: runs.KindAccepted},
		{Kind: runs.KindPhase, Name: runs.PhaseCheck},
		{Kind: runs.KindScript, Name: "workload-deploy"},
		{Kind: runs.KindCommand, Name: "helm template acme-x chart.tgz"},
		{Kind: runs.KindPhase, Name: runs.PhaseInstall},
		{Kind: runs.KindCommand, Name: "helm upgrade --install acme-x chart.tgz"},
		{Kind: runs.KindExit, Name: "workload-deploy", ExitCode: number(1), CPU: 0.25, Memory: 40 << 20},
		{Kind: runs.KindPhase, Name: runs.PhaseRollback},
		{Kind: runs.KindEnd, Name: string(runs.Failed), Text: "no such image"},
	} {
		m.Time = began.Add(time.Duration(i) * time.Second)
		traces.Observe(dispatch.Happening{Run: run, Callback: "WorkloadDeployed", Moment: m})
	}
	traces.Close(patience)
	const want = `WorkloadDeployed failed
  check
    workload-deploy
      helm template
  install
    workload-deploy failed
      helm upgrade failed
  rollback`
	all := c.Traces()
	if len(all) != 1 || all[0].String() != want {
		t.Fatalf("got %v", all)
	}
	if script := all[0].Below[1].Below[0]; script.Attributes["octo.exit_code"] != "1" || script.Attributes["octo.cpu_seconds"] != "0.25" {
		t.Errorf("the script's end is not told: %v", script.Attributes)
	}
}

// Headers may contain a token, which is only for the collector; and a redirected POST may become a GET, which carries no spans.
func TestARedirectIsNotFollowedButTold(t *testing.T) {
	elsewhere := collector.Start()
	defer elsewhere.Close()
	for _, code := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect} {
		redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/traces", code))
		traces, said := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+redirects.URL+"\nOTEL_EXPORTER_OTLP_HEADERS=x-api-key=m4rk3r")
		for _, h := range succeeded() {
			traces.Observe(h)
		}
		traces.Close(patience)
		redirects.Close()
		if got := elsewhere.Requests(); len(got) > 0 || !strings.Contains(said.String(), "the collector answers "+fmt.Sprint(code)) {
			t.Errorf("%d: requests elsewhere: %v; said\n%s", code, got, said)
		}
	}
}

func TestAWaitForPodsOfWhichMoreIsFoundOutIsOneSpan(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	traces, _ := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	all := succeeded()
	end := all[len(all)-1]
	for _, text := range []string{"the image is pulled", "the image cannot be pulled"} {
		more := end
		more.Moment = runs.Moment{Time: end.Time, Kind: runs.KindWait, Name: runs.WaitPods, Text: text}
		all = append(all[:len(all)-1], more, end)
	}
	for _, h := range all {
		traces.Observe(h)
	}
	traces.Close(patience)
	got := c.Traces()
	if len(got) != 1 || got[0].String() != tree || got[0].Below[3].Attributes["octo.waits_for"] != "the image cannot be pulled" {
		t.Errorf("got %v", got)
	}
}

// A collector may quote an unknown key in its answer, or a proxy the whole request.
func TestWhatTheCollectorAnswersIsToldWithoutTheHeadersThatItGot(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		fmt.Fprintf(w, "not a Bearer token: %s %s is not known, nor %s", strings.Repeat("x", 160), key, r.Header.Get("X-Key")) // the first key is at the end of the part that is reported
	}))
	defer collector.Close()
	settings := fixtures.Settings(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL+"\nOTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20planted-token-of-the-collector,X-Key=planted-key")
	c, err := newClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	err = c.UploadTraces(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "the collector answers 401 Unauthorized: not a Bearer token: xxx") || strings.Contains(err.Error(), "plant") {
		t.Errorf("got %v", err)
	}
}
