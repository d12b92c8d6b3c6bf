package charts

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"octo-operator/config"
	"octo-operator/dev/fixtures"
	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
)

// testRepository is a chart repository and the script that pulls from it. Its index has the ETag of the version that it offers.
type testRepository struct {
	*httptest.Server
	t          *testing.T
	dispatcher *dispatch.Dispatcher
	dir        string
	version    atomic.Int64
}

func newRepository(t *testing.T) (*testRepository, *Cache) {
	t.Helper()
	r := &testRepository{t: t, dir: t.TempDir()}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		etag := fmt.Sprintf(`"%d"`, r.version.Load())
		w.Header().Set("ETag", etag)
		if request.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = fmt.Fprintf(w, "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: %s.0.0\n    urls: [app.tgz]\n", strings.Trim(etag, `"`))
	}))
	t.Cleanup(r.Close)
	own := filepath.Join(r.dir, "scripts")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	r.pulls("cat " + r.dir + "/offered.tgz >chart.tgz")
	r.offer(1)
	s := fixtures.Settings(t, "OPERATOR__STATEDIR="+filepath.Join(r.dir, "state")+"\nOPERATOR__SCRIPTSDIR="+own+"\nOPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1")
	set, err := scripts.Install(s.StateDir, s.ScriptsDir)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH")}
	c, err := Open(s, set, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.dispatcher = dispatch.New(t.Context(), dispatch.Options{Settings: s, Scripts: set, Env: env, Log: slog.New(slog.DiscardHandler), Capacity: config.Capacity{Slots: 1}})
	return r, c
}

// pulls makes script the chart-pull, and counts its runs.
func (r *testRepository) pulls(script string) {
	r.t.Helper()
	text := "#!/bin/sh\nset -e\necho pulled >>" + r.dir + "/pulled\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(r.dir, "scripts", "chart-pull"), []byte(text), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

// offer makes a version the newest; readers of the old archive are not disturbed.
func (r *testRepository) offer(version int64) {
	r.t.Helper()
	path := archive(r.t, file{name: "app/Chart.yaml", text: fmt.Sprintf("version: %d.0.0", version)})
	if err := os.Rename(path, filepath.Join(r.dir, "offered.tgz")); err != nil {
		r.t.Fatal(err)
	}
	r.version.Store(version)
}

// pulled returns how often it was pulled since the last call.
func (r *testRepository) pulled() int {
	r.t.Helper()
	text, _ := os.ReadFile(filepath.Join(r.dir, "pulled"))
	_ = os.Remove(filepath.Join(r.dir, "pulled"))
	return strings.Count(string(text), "pulled")
}

// task makes a deploy in a run directory, which may exist already.
func (r *testRepository) task(dir string) *dispatch.Task {
	r.t.Helper()
	t := r.dispatcher.NewTask(dispatch.Handler{}, &runs.Run{ID: "run", Dir: dir}, slog.New(slog.DiscardHandler))
	t.Redact = exec.NewRedactor()
	var err error
	if t.Output, err = t.OpenOutput(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = t.Output.Close() })
	return t
}

func (r *testRepository) event() hub.WorkloadDeployed {
	return hub.WorkloadDeployed{RepositoryURL: r.URL, ChartName: "app"}
}

// fetches expects a version from a number of pulls.
func (r *testRepository) fetches(h *Cache, t *dispatch.Task, want string, pulls int) {
	r.t.Helper()
	c, err := h.Fetch(context.Background(), t, names.Release{}, r.event())
	if err != nil || c.Version != want {
		r.t.Errorf("got version %s, %v, want %s", c.Version, err, want)
	}
	if n := r.pulled(); n != pulls {
		r.t.Errorf("it was pulled %d times, want %d", n, pulls)
	}
}

func TestAChartIsPulledOnceWhileTheIndexStays(t *testing.T) {
	r, h := newRepository(t)
	r.fetches(h, r.task(t.TempDir()), "1.0.0", 1)
	r.fetches(h, r.task(t.TempDir()), "1.0.0", 0)
	r.offer(2)
	r.fetches(h, r.task(t.TempDir()), "2.0.0", 1)
	r.fetches(h, r.task(t.TempDir()), "2.0.0", 0)
}

func TestARetryOfAnEventTakesTheChartThatItHas(t *testing.T) {
	r, h := newRepository(t)
	same := r.task(t.TempDir())
	r.fetches(h, same, "1.0.0", 1)
	r.offer(2)
	r.fetches(h, same, "1.0.0", 0)
	r.Close()
	r.fetches(h, same, "1.0.0", 0)

	if err := os.WriteFile(same.Path("chart.tgz"), []byte("no chart any more"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fetches(h, same, "2.0.0", 1)
}

func TestAnEarlierLifesChartIsNotTrusted(t *testing.T) {
	r, h := newRepository(t)
	dir := t.TempDir()
	r.fetches(h, r.task(dir), "1.0.0", 1)
	r.offer(2)
	r.fetches(h, r.task(dir), "2.0.0", 1)
}

func TestOnlyAChartThatCanBeReadIsKept(t *testing.T) {
	r, h := newRepository(t)
	r.pulls("echo '<html>' >chart.tgz")
	_, err := h.Fetch(context.Background(), r.task(t.TempDir()), names.Release{}, r.event())
	if err == nil || !strings.Contains(err.Error(), "cannot read chart app from "+r.URL+": it is no archive of a chart: ") {
		t.Errorf("got %v", err)
	}
	r.pulls("cat " + r.dir + "/offered.tgz >chart.tgz")
	r.fetches(h, r.task(t.TempDir()), "1.0.0", 2)

	// A damaged archive in the cache is not used.
	kept, err := filepath.Glob(filepath.Join(h.settings.StateDir, "charts", "*.tgz"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fetches(h, r.task(t.TempDir()), "1.0.0", 1)
}

func TestAPullThatLeavesNoFileIsAnError(t *testing.T) {
	r, h := newRepository(t)
	for script, want := range map[string]string{
		":":                                   "no such file",
		"mkdir chart.tgz":                     "it is no file",
		"mkfifo chart.tgz":                    "it is no file",
		"ln -s /etc/passwd chart.tgz":         "it is no file",
		"echo Error: no such host >&2;exit 1": "cannot get chart app from " + r.URL + ": chart-pull failed: Error: no such host",
	} {
		r.pulls(script)
		_, err := h.Fetch(context.Background(), r.task(t.TempDir()), names.Release{}, r.event())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", script, err, want)
		}
	}
}

// Deploys of the same chart run at the same time while the repository changes: each gets a whole chart, and the archive in the
// cache at the end belongs to the index for which it is kept.
func TestEqualDeploysAtTheSameTimeLeaveAWholeCache(t *testing.T) {
	r, h := newRepository(t)
	for version := range int64(5) {
		var deploys sync.WaitGroup
		for i := range 8 {
			same := r.task(t.TempDir())
			deploys.Go(func() {
				if i == 3 {
					r.offer(version + 1)
				}
				c, err := h.Fetch(context.Background(), same, names.Release{}, r.event())
				if err != nil || !strings.HasSuffix(c.Version, ".0.0") {
					t.Errorf("version %q, %v", c.Version, err)
				}
			})
		}
		deploys.Wait()
		c, err := h.Fetch(context.Background(), r.task(t.TempDir()), names.Release{}, r.event())
		if want := fmt.Sprintf("%d.0.0", version+1); err != nil || c.Version != want {
			t.Errorf("got version %s, %v, want %s", c.Version, err, want)
		}
	}
}
