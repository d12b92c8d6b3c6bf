// Package handlers_test drives the operator without its connection and without a cluster: the real handlers with the real
// scripts, on fakes of what is around them. A rig is one test's world; newRig starts an operator in it as daemon.go does.
//
//	harness_test.go             the rig, the operator's lives, events
//	harness_tools_test.go       helm and kubectl on the PATH, played by the test process
//	harness_helm_test.go        what that helm does
//	harness_kubectl_test.go     what that kubectl does
//	harness_api_test.go         the API server behind kubectl proxy
//	harness_objects_test.go     the objects in it
//	harness_workloads_test.go   what becomes of Deployments and the like
//	harness_controller_test.go  what the controller is told
//	harness_charts_test.go      charts to pull
package handlers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"octo-operator/config"
	"octo-operator/handlers"
	"octo-operator/hub"
	"octo-operator/runs"
)

// patience ends a test that waits for what never comes; no test depends on its length.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withTools(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "handlers:", err)
		code = 1
	}
	os.Exit(code)
}

func withTools(run func() int) (code int, err error) {
	// More tests beside each other than there are processors: they wait, most of the time.
	if err := flag.Set("test.parallel", "16"); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "tools-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if tools, err = startTools(dir); err != nil {
		return 1, err
	}
	if err := os.Setenv("PATH", dir+":"+os.Getenv("PATH")); err != nil {
		return 1, err
	}
	return run(), nil
}

// rig is one test's world: an operator and what it speaks with.
type rig struct {
	*testing.T
	cluster     *cluster
	controller  *controller
	charts      *shelf
	log         *journal
	helmVersion string
	render      func(release, namespace string, values object) []object // what helm makes of a chart
	settings    map[string]string                                       // by name without OPERATOR__
	disk        string                                                  // the operator's state directory
	life        *life                                                   // that lives; nil: none
	lives       int

	*played
}

// played is what a test has told the tools to do, and what they and the operator have done. Subtests share it.
type played struct {
	mu       sync.Mutex
	calls    []*call
	replaced []replacement
	holders  []*hold
	ends     []string
}

// option changes a rig before its operator starts.
type option func(*rig)

// with sets OPERATOR__name.
func with(name, value string) option { return func(r *rig) { r.settings[name] = value } }

// central is the mode in which the operator makes pools itself.
func central(r *rig) { r.settings["AUTOMANAGEPOOLS"] = "true" }

// in puts the rig beside another one, in its cluster: a second operator.
func in(other *rig) option {
	return func(r *rig) { r.cluster, r.charts, r.controller = other.cluster, other.charts, other.controller }
}

// prepared lets a test prepare what the operator finds when it starts.
func prepared(prepare func(*rig)) option { return prepare }

const (
	tenant        = "acme"
	poolID        = "65d5c447b420da3fb12381bc"
	namespace     = "octo"
	controllerURI = "https://controller.test"
	repository    = "oci://registry.test/charts"
)

// newRig starts an operator with an empty cluster. Both end with the test, which runs beside others.
func newRig(t *testing.T, options ...option) *rig {
	t.Helper()
	t.Parallel()
	r := newWorld(t, options...)
	r.start()
	return r
}

// newWorld is newRig without an operator.
func newWorld(t *testing.T, options ...option) *rig {
	t.Helper()
	r := &rig{
		T: t, cluster: newCluster(), controller: newController(), charts: newShelf(), log: &journal{}, played: &played{},
		helmVersion: "v4.3.1", render: renderDemo, disk: filepath.Join(tempDir(t), "state"),
		settings: map[string]string{"COMMUNICATIONCONTROLLERURI": controllerURI, "POOLNAMESPACE": namespace},
	}
	for _, o := range options {
		o(r)
	}
	t.Cleanup(func() {
		r.end()
		if t.Failed() {
			t.Logf("the operator's log:\n%s\nwhat it ran:\n%s", r.log, strings.Join(r.commands(), "\n"))
		}
	})
	return r
}

// tempDir is one whose path is short and may be set in the environment, which is not so of a test's name.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// of is the same rig for a subtest, which does not run beside others.
func (r *rig) of(t *testing.T) *rig {
	same := *r
	same.T = t
	return &same
}

// life is an operator from its start to its end.
type life struct {
	*handlers.Handlers
	rig        *rig
	kubeconfig string
	session    *session
	api        *tunnels
	server     *http.Server
	cut        atomic.Bool // nothing that it does reaches the cluster

	stop, stopKeeping context.CancelFunc
	background, last  sync.WaitGroup
}

// config are the rig's settings.
func (r *rig) config() config.Config {
	r.Helper()
	environ := []string{"OPERATOR__STATEDIR=" + r.disk}
	for name, value := range r.settings {
		environ = append(environ, "OPERATOR__"+name+"="+value)
	}
	settings, err := config.Load(environ)
	r.must(err)
	return settings
}

// newLife makes the surroundings of an operator that has not started.
func (r *rig) newLife() *life {
	r.Helper()
	r.lives++
	dir := tempDir(r.T)
	l := &life{rig: r, kubeconfig: filepath.Join(dir, "kubeconfig"), session: r.controller.connect(), api: newTunnels()}
	r.must(os.WriteFile(l.kubeconfig, []byte("apiVersion: v1\nkind: Config\n"), 0o600))
	l.session.status = func(p hub.Pool, status string) { l.PoolStatus(p, status) }
	l.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if l.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		r.cluster.ServeHTTP(w, req)
	})}
	go func() { _ = l.server.Serve(l.api) }()
	tools.add(l)
	return l
}

// environ is the operator's environment.
func (l *life) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(l.kubeconfig), "KUBECONFIG=" + l.kubeconfig}
}

// start starts an operator, as daemon.go does.
func (r *rig) start() {
	r.Helper()
	l := r.newLife()
	waitForForks() // of the last life's lock
	h, err := handlers.Open(r.config(), l.environ(), l.session, slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r.must(err)
	waitForForks()
	h.Ended = r.countEnd
	l.Handlers, r.life = h, l
	ctx, stop := context.WithCancel(context.Background())
	keeping, stopKeeping := context.WithCancel(context.Background())
	l.stop, l.stopKeeping = stop, stopKeeping
	l.last.Go(func() { h.Prune(keeping) })
	r.must(h.Resume())
	l.last.Go(func() { h.RunJournal(keeping) })
	l.background.Go(func() { h.WatchPools(ctx) })
	l.background.Go(func() { h.WatchCluster(ctx) })
}

func (r *rig) countEnd(callback, outcome string, _ float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, callback+" "+outcome)
}

// ended are the events that have ended: callback and outcome.
func (r *rig) ended() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// waitForForks returns when no child of this process is between its fork and its exec that has been there before: such a one
// holds all the files that were open then. A script that is open for writing cannot be run, and a lock is not given up.
func waitForForks() {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
}

// once is an operator for one event or command, without a daemon.
func (r *rig) once() *life {
	r.Helper()
	l := r.newLife()
	h, err := handlers.New(r.Context(), r.config(), l.environ(), l.session, slog.New(slog.NewJSONHandler(r.log, nil)))
	r.must(err)
	waitForForks()
	l.Handlers = h
	r.Cleanup(func() {
		h.Wait()
		l.endSurroundings()
	})
	return l
}

// shutdown ends the operator as SIGTERM does, with that much time.
func (r *rig) shutdown(grace time.Duration) {
	r.Helper()
	l := r.life
	r.life = nil
	r.must(l.shutdown(grace))
}

func (l *life) shutdown(grace time.Duration) error {
	l.stop()
	l.Shutdown(grace)
	l.background.Wait()
	l.stopKeeping()
	l.last.Wait()
	err := l.Close()
	l.endSurroundings()
	return err
}

func (l *life) endSurroundings() {
	l.session.end()
	l.session.calls.Wait()
	_ = l.server.Close()
}

// kill ends the operator as SIGKILL does: its disk is as it was at that moment, and nothing reaches the cluster or the
// controller any more. Its helm and kubectl die with it.
func (r *rig) kill() {
	r.Helper()
	l := r.life
	l.cut.Store(true)
	l.session.end()
	moment := r.disk + ".moment"
	r.must(copyFiles(r.disk, moment))
	r.quit()
	r.must(os.RemoveAll(r.disk))
	r.must(os.Rename(moment, r.disk))
}

// copyFiles copies a directory while somebody works in it: what goes meanwhile is left out, and so are sockets.
func copyFiles(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		var content []byte
		info := fs.FileInfo(nil)
		if err == nil {
			info, err = entry.Info()
		}
		switch {
		case err != nil:
		case entry.IsDir():
			err = os.MkdirAll(to+path[len(from):], 0o700)
		case entry.Type().IsRegular():
			if content, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(to+path[len(from):], content, info.Mode())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// end ends the operator, if there is one, with the test.
func (r *rig) end() {
	if r.life == nil {
		return
	}
	r.mu.Lock()
	for _, h := range r.holders {
		h.release()
	}
	r.mu.Unlock()
	r.quit()
}

// quit ends the operator at once.
func (r *rig) quit() {
	r.life.Abort()
	r.life.stopKeeping()
	r.life.last.Wait() // before the lanes: what the journal finds would begin one again
	r.shutdown(time.Nanosecond)
}

// restart kills the operator and starts it again on the same disk.
func (r *rig) restart() {
	r.Helper()
	r.kill()
	r.start()
}

// freshDisk kills the operator and starts another one in its place, as when a pod is replaced. Its Lease has run out.
func (r *rig) freshDisk() {
	r.Helper()
	r.kill()
	for _, path := range r.cluster.paths("/apis/coordination.k8s.io/v1/") {
		r.cluster.remove(path)
	}
	r.disk += "-2"
	r.start()
}

// run carries a tool's call out.
func (l *life) run(c *call) int {
	if l.cut.Load() {
		return 1
	}
	r := l.rig
	r.mu.Lock()
	r.calls = append(r.calls, c)
	i := slices.IndexFunc(r.replaced, func(x replacement) bool { return c.is(x.pattern) })
	var instead func(*call, func() int) int
	if i >= 0 {
		instead = r.replaced[i].instead
	}
	r.mu.Unlock()
	usual := func() int { return r.helm(c) }
	if c.tool == "kubectl" {
		usual = func() int { return r.kubectl(c) }
	}
	if instead == nil {
		return usual()
	}
	return instead(c, usual)
}

// replacement is what a test lets a tool do.
type replacement struct {
	pattern string
	instead func(*call, func() int) int
}

// when lets a tool do something else, or something besides what is usual, when it is called with these first words, such as
// "helm get values". The newest replacement counts.
func (r *rig) when(pattern string, instead func(c *call, usual func() int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced = slices.Insert(r.replaced, 0, replacement{pattern, instead})
}

// fails lets a tool fail with these words on stderr.
func (r *rig) fails(pattern, words string) {
	r.when(pattern, func(c *call, _ func() int) int { c.say("%s", words); return 1 })
}

// usually ends all replacements.
func (r *rig) usually() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced = nil
}

// hold lets a helm hang while it waits for a release to become ready, or to be gone.
type hold struct {
	verb, release_ string
	reached        chan struct{}
	released       chan struct{}
	failure        string
	once           sync.Once
	taken          bool
}

// hold lets the next helm with that verb, "upgrade" or "uninstall", wait for a workload's release.
func (r *rig) hold(verb, workload string) *hold {
	h := &hold{verb: verb, release_: releaseName(workload), reached: make(chan struct{}), released: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders = append(r.holders, h)
	return h
}

func (h *hold) release() { h.once.Do(func() { close(h.released) }) }

// fail lets helm give up.
func (h *hold) fail(failure string) { h.failure = failure; h.release() }

// die lets helm die of a SIGKILL, as for a lack of memory.
func (h *hold) die() { h.fail(died) }

// holder finds the hold for a call, which it is used up by.
func (r *rig) holder(c *call) *hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.holders {
		if !h.taken && h.verb == c.word(0) && h.release_ == c.word(1) {
			h.taken = true
			return h
		}
	}
	return nil
}

// reach waits until helm hangs.
func (r *rig) reach(h *hold) {
	r.Helper()
	select {
	case <-h.reached:
	case <-time.After(patience):
		r.Fatalf("helm %s of %s does not begin", h.verb, h.release_)
	}
}

// looks are commands that change nothing, or that are not the event's own.
var looks = []string{"kubectl proxy", "kubectl get", "kubectl version", "helm version", "helm get", "helm history", "helm status", "helm list"}

// commands are what helm and kubectl were told to do so far, oldest first, without those that only look.
func (r *rig) commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, c := range r.calls {
		if !slices.ContainsFunc(looks, c.is) {
			all = append(all, c.String())
		}
	}
	return all
}

// called are the calls that begin with these words.
func (r *rig) called(pattern string) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.calls), func(c *call) bool { return !c.is(pattern) })
}

// eventually waits for a condition.
func (r *rig) eventually(what string, condition func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(3 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("it did not come: %s", what)
		}
	}
}

// shell runs a program as a person would, in the cluster of the operator that lives.
func (r *rig) shell(program string, args ...string) error {
	cmd := osexec.Command(program, args...)
	cmd.Env = r.life.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// readFile is a file's text, or why there is none.
func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("it lacks %q: %s", w, got)
		}
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// rtID is a workload's runtime id.
func rtID(workload string) string {
	sum := sha256.Sum256([]byte(workload))
	return hex.EncodeToString(sum[:])[:24]
}

// releaseName is that of a workload of the tenant.
func releaseName(workload string) string { return tenant + "-" + rtID(workload) }

func workload(name string) hub.Workload {
	return hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolRtID: poolID}, WorkloadName: name, WorkloadRtID: rtID(name), WorkloadType: hub.Application}
}

func event(callback string, argument any) hub.Event {
	text, err := json.Marshal(argument)
	if err != nil {
		panic(err)
	}
	return hub.Event{Callback: callback, Argument: text}
}

// deployEvent deploys chart demo 1.2.3, unless it is changed.
func deployEvent(name string, change ...func(*hub.WorkloadDeployed)) hub.Event {
	w := hub.WorkloadDeployed{Workload: workload(name), RepositoryURL: repository, ChartName: "demo", ChartVersion: "1.2.3"}
	for _, c := range change {
		c(&w)
	}
	return event(hub.WorkloadDeploy, w)
}

func undeployEvent(name string) hub.Event {
	return event(hub.WorkloadUndeploy, hub.WorkloadUndeployed{Workload: workload(name)})
}

func scaleEvent(name string, replicas int) hub.Event {
	return event(hub.ScaleWorkload, hub.WorkloadScale{Workload: workload(name), Replicas: replicas})
}

// accepted is an event that the operator has taken.
type accepted struct {
	r    *rig
	what string
	done chan runs.Result
}

// accept hands an event to the operator.
func (r *rig) accept(e hub.Event) accepted {
	r.Helper()
	a := accepted{r, e.Callback + " " + string(e.Argument), make(chan runs.Result, 1)}
	r.must(r.life.Accept(e, func(result runs.Result) { a.done <- result }))
	return a
}

// result waits until the event has ended.
func (a accepted) result() runs.Result {
	a.r.Helper()
	select {
	case result := <-a.done:
		return result
	case <-time.After(patience):
		a.r.Fatalf("it does not end: %s", a.what)
		return runs.Result{}
	}
}

// run hands an event to the operator and waits until it has ended.
func (r *rig) run(e hub.Event) runs.Result {
	r.Helper()
	return r.accept(e).result()
}

// deploy deploys a workload and waits until it has succeeded.
func (r *rig) deploy(name string, change ...func(*hub.WorkloadDeployed)) {
	r.Helper()
	r.succeed(r.run(deployEvent(name, change...)))
}

func (r *rig) succeed(result runs.Result) {
	r.Helper()
	if result.Outcome != runs.Succeeded {
		r.Fatalf("it has %s: %s", result.Outcome, result.Reason)
	}
}

// runDirs are the run directories, oldest first.
func (r *rig) runDirs() []string {
	r.Helper()
	all, err := filepath.Glob(filepath.Join(r.disk, "runs", "[0-9]*"))
	r.must(err)
	return all
}

// file reads a file of the newest run; "": there is none.
func (r *rig) file(name string) string {
	r.Helper()
	all := r.runDirs()
	text, err := os.ReadFile(filepath.Join(all[len(all)-1], name))
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	return string(text)
}

// journal is the operator's log, over all its lives.
type journal struct {
	mu    sync.Mutex
	lines []string
}

// Write takes one record.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	return len(line), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "")
}

// records are those with a message, whose attributes hold all of attrs.
func (j *journal) records(message string, attrs ...string) (found []object) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		var record object
		if !strings.Contains(line, message) {
			continue // most of them, and tests ask often
		}
		if json.Unmarshal([]byte(line), &record) != nil || record["msg"] != message {
			continue
		}
		same := true
		for i := 0; i+1 < len(attrs); i += 2 {
			same = same && fmt.Sprint(record[attrs[i]]) == attrs[i+1]
		}
		if same {
			found = append(found, record)
		}
	}
	return found
}
