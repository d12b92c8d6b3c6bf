package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

const (
	indexVersions = 6000
	chartLimit    = 512 << 20 // of the official chart's pod, which has half a core
	oldLimit      = 128 << 20 // of older official charts
)

// largeRepository has the test's chart among 6,000 versions of other charts. It counts how often it has sent its index.
type largeRepository struct {
	*httptest.Server
	index []byte
	sent  atomic.Int64
}

func newLargeRepository(t testing.TB) *largeRepository {
	t.Helper()
	return newRepositoryOf(t, indexVersions)
}

// newRepositoryOf is newLargeRepository with so many versions of other charts: 1,000 are 0.76 MB.
func newRepositoryOf(t testing.TB, versions int) *largeRepository {
	t.Helper()
	answer, err := http.Get(openCharts.URL + "/demo-app-1.2.0.tgz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	archive, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("cannot get the chart: %s, %v", answer.Status, err)
	}
	r := &largeRepository{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case request.URL.Path == "/demo-app-1.2.0.tgz":
			_, _ = w.Write(archive)
		case request.URL.Path != "/index.yaml":
			http.NotFound(w, request)
		case request.Header.Get("If-None-Match") == `"1"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			r.sent.Add(1)
			w.Header().Set("ETag", `"1"`)
			_, _ = w.Write(r.index)
		}
	}))
	t.Cleanup(r.Close)
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	fmt.Fprintf(&text, "  demo-app:\n  - apiVersion: v2\n    name: demo-app\n    version: 1.2.0\n    digest: %x\n    urls: [demo-app-1.2.0.tgz]\n", sha256.Sum256(archive))
	for n := range versions {
		if n%20 == 0 {
			fmt.Fprintf(&text, "  chart-%d:\n", n/20)
		}
		fmt.Fprintf(&text, `  - annotations:
      category: Infrastructure
      licenses: Apache-2.0
    apiVersion: v2
    appVersion: 1.%[2]d.0
    created: "2026-03-05T12:00:00.000000000Z"
    dependencies:
    - name: common
      repository: https://charts.example.com/stable
      version: 2.x.x
    description: Chart %[1]d does what a chart of its kind does, and this text is as long as
      such texts are.
    digest: %[3]x
    home: https://example.com/charts/chart-%[1]d
    keywords:
    - web
    - app
    maintainers:
    - email: somebody@example.com
      name: Somebody
    name: chart-%[1]d
    type: application
    urls:
    - https://charts.example.com/chart-%[1]d-1.%[2]d.0.tgz
    version: 1.%[2]d.0
`, n/20, n%20, sha256.Sum256(fmt.Append(nil, n)))
	}
	r.index = []byte(text.String())
	return r
}

// crowd returns so many new workloads of the test's chart.
func (w *world) crowd(n int, repository string) (all []devcontroller.Workload) {
	for i := range n {
		app := w.workload(fmt.Sprint("Shop ", i), fmt.Sprintf("65d5c447b420da3fb4%06x", i))
		app.RepositoryURL = repository
		all = append(all, app)
	}
	return all
}

func TestManyDeploysAtOnceStayWithinTheMemoryOfThePod(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		limit int64
		helms string
	}{{"512 MiB", chartLimit, "2"}, {"128 MiB", oldLimit, "1"}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			repository := newLargeRepository(t)
			cage := newCage(t, test.limit, 0.5)
			binary, err := normalBinary()
			w.must(err)
			w.program, w.wrap = binary, cage.wrap() // with the race detector it would take ten times as much
			w.env = append(cage.settings(), "OPERATOR__HELM__TIMEOUT=4m")
			w.start()
			w.deployPool()
			w.waitForLog(1, "helm at a time", map[string]string{"memory_limit": test.name})

			after, began := w.controller.LastSeq(), time.Now()
			highest := watchMemory(w.operator.cmd.Process.Pid)
			apps := w.crowd(manyWorkloads, repository.URL)
			for _, app := range apps {
				w.must(w.controller.Deploy(w.ctx, app))
			}
			for _, app := range apps {
				if s := w.waitForStatus(app, after); !s.Success {
					t.Errorf("the deploy of %s failed: %s", app.Name, s.StatusMessage)
				}
			}
			took, most := time.Since(began), highest()
			w.must(cage.check(most))
			if sent := repository.sent.Load(); sent != 1 {
				t.Errorf("the index was sent %d times", sent)
			}
			t.Logf("%d deploys within %s and half a core: %.1f s, %.0f MiB at the most; %s", len(apps), test.name, took.Seconds(), most, cage)
		})
	}
}
