package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// mostOfTheOperator is the limit for the operator's own process, in MiB.
const mostOfTheOperator = 150

// hostile is an event, or its chart, that would exhaust a resource, and what its status must say.
type hostile struct {
	name, want string
	event      func(*devcontroller.Workload)
	chart      map[string]string            // files of the chart besides Chart.yaml; nil: the ordinary chart
	archive    func(to http.ResponseWriter) // writes another archive; nil: it is made of chart
}

func brings(text string) func(*devcontroller.Workload) {
	return func(w *devcontroller.Workload) { w.ValuesYaml = text }
}

func sets(count int, path func(int) string, value string, secret bool) func(*devcontroller.Workload) {
	return func(w *devcontroller.Workload) {
		for i := range count {
			w.Values = append(w.Values, devcontroller.Override{Path: path(i), Value: value, IsSecret: secret})
		}
	}
}

func nth(i int) string { return "x" + strconv.Itoa(i) }

func hostiles() []hostile {
	again := strings.Repeat
	var patterns strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&patterns, `"^p%d":{},`, i)
	}
	schema := `{"patternProperties":{` + strings.TrimSuffix(patterns.String(), ",") + "}}"
	return []hostile{
		{name: "a list of 4 MiB", want: "places at which a value may begin", event: brings("a: [" + again("1,", 2<<20) + "]")},
		{name: "small maps", want: "", event: brings("a: [" + again("{a},", 24_000) + "]")},
		{name: "a deep list", want: "the merged values have more than", event: brings(again("{a: ", 95) + "[" + again("1,", 45_000) + "]" + again("}", 95))},
		{name: "aliases", want: "aliases expand to more than", event: brings("a: &x " + again("y", 200_000) + "\nb: [" + again("*x,", 45_000) + "]")},
		{name: "one secret of 4 MiB", want: "the limit is 1048576", event: sets(1, nth, again("0123456789abcde\n", 4<<20/16), true)},
		{name: "one secret of 1 MiB", want: "", event: sets(1, nth, again("0123456789abcdef", 1<<20/16), true)},
		{name: "too many overrides", want: "more than 2000 overrides", event: sets(40_000, nth, "v", false)},
		{name: "patterns", want: "takes too long", event: sets(300, nth, "1", false), chart: map[string]string{"values.schema.json": schema}},
		{name: "an archive that unpacks to much", want: "it unpacks to more than 100 MiB", chart: map[string]string{"zeros": again("\x00", 110<<20)}},
		{name: "Chart.yaml with aliases", want: "aliases expand to more than", chart: map[string]string{"Chart.yaml": "name: hostile\nversion: 1.0.0\na: &x " + again("y", 200_000) + "\nb: [" + again("*x,", 45_000) + "]\n"}},
		{name: "a template that repeats", want: "OPERATOR__SCRIPTMEMORY is 256 MiB", chart: map[string]string{
			"templates/a.yaml": "{{- $a := repeat 1000000 \"0123456789\" -}}\na: {{ repeat 400 $a | len }}\n"}},
		{name: "a template that prints", want: "OPERATOR__SCRIPT", chart: map[string]string{
			"templates/a.yaml": "# {{ repeat 40000000 \"x\" }}\n"}},
		{name: "a template that fails at length", want: "OPERATOR__SCRIPTOUTPUT is 16 MiB", chart: map[string]string{
			"templates/a.yaml": "{{ fail (repeat 20000000 \"x\") }}\n"}},
		{name: "an archive without end", want: "the limit is 100 MiB", archive: func(to http.ResponseWriter) {
			_, _ = io.CopyN(to, noBytes{}, 1<<30)
		}},
	}
}

type noBytes struct{}

func (noBytes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// hostileArchive makes a chart's archive.
func hostileArchive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	all := map[string]string{"Chart.yaml": "apiVersion: v2\nname: hostile\nversion: 1.0.0\n"}
	for name, text := range files {
		all[name] = text
	}
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for name, text := range all {
		if err := out.WriteHeader(&tar.Header{Name: "hostile/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostileRepository serves one chart, hostile 1.0.0.
func hostileRepository(t *testing.T, h hostile) string {
	t.Helper()
	var archive []byte
	if h.archive == nil {
		archive = hostileArchive(t, h.chart)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case request.URL.Path == "/index.yaml":
			fmt.Fprint(w, "apiVersion: v1\nentries:\n  hostile:\n  - apiVersion: v2\n    name: hostile\n    version: 1.0.0\n    urls: [hostile-1.0.0.tgz]\n")
		case h.archive != nil:
			h.archive(w)
		default:
			_, _ = w.Write(archive)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// highestMemory is the highest memory of a process so far, in MiB.
func highestMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("the kernel does not say what the process has taken")
	return 0
}

func TestTheOperatorStaysSmallWhateverAnEventOrAChartHolds(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	binary, err := normalBinary()
	w.must(err)
	w.program = binary // with the race detector it would take ten times as much
	w.env = []string{"OPERATOR__SCRIPTMEMORY=256Mi", "OPERATOR__HELM__TIMEOUT=1m", "OPERATOR__CONCURRENCY=2"}
	w.start()
	w.deployPool()
	others := devcontroller.Pool{TenantID: "other", ID: "65d5c447b420da3fb12381bd"}
	w.must(w.controller.PoolDeployed(w.ctx, others))
	if _, err := w.controller.WaitRegistered(w.ctx, others); err != nil {
		t.Fatal(err)
	}

	all, after, highest := hostiles(), w.controller.LastSeq(), 0
	var sent []devcontroller.Workload
	for i, h := range all {
		app := w.workload(h.name, fmt.Sprintf("65d5c447b420da3fb4%06x", i))
		if h.chart != nil || h.archive != nil {
			app.RepositoryURL, app.ChartName, app.ChartVersion = hostileRepository(t, h), "hostile", "1.0.0"
		}
		if h.event != nil {
			h.event(&app)
		}
		w.must(w.controller.Deploy(w.ctx, app))
		sent = append(sent, app)
	}
	ordinary := w.workload("Another tenant's", appRtID)
	ordinary.Pool = others
	if s := w.deploy(ordinary); !s.Success {
		t.Errorf("the deploy of another tenant failed meanwhile: %s", s.StatusMessage)
	}
	for i, app := range sent {
		s := w.waitForStatus(app, after)
		now := highestMemory(t, w.operator.cmd.Process.Pid)
		t.Logf("%s: %d MiB so far; %.300s", app.Name, now, s.StatusMessage)
		if s.Success && all[i].want != "" || !strings.Contains(s.StatusMessage, all[i].want) {
			t.Errorf("%s: success %v, want %q in: %s", app.Name, s.Success, all[i].want, s.StatusMessage)
		}
		highest = max(highest, now)
	}
	if highest >= mostOfTheOperator {
		t.Errorf("the operator has taken %d MiB, want less than %d", highest, mostOfTheOperator)
	}
	if length := len(w.operator.text()); length > 12<<20 {
		t.Errorf("the log has %d bytes", length)
	}
}
