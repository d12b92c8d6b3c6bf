// Package e2e drives the real binary against real helm, kubectl and kube-apiserver, and a simulated controller.
// It needs the development cluster: run it with make test.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// patience bounds every wait. It is long because the machine may be busy; only a broken test waits for so long.
const patience = 5 * time.Minute

// longestTest bounds a whole test.
const longestTest = 4 * patience

// The binary under test and the chart servers, created once in TestMain.
var (
	operatorBinary string
	openCharts     chartServer
	closedCharts   chartServer
)

const (
	chartUser     = "chart-reader"
	chartPassword = "planted-chart-password-8d1f"
)

type chartServer struct{ URL, OCI string }

func TestMain(m *testing.M) {
	flag.Parse()
	code := 1
	err := besideEachOther()
	if err == nil {
		code, err = withEnvironment(m.Run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// atATime is how many tests run in parallel, unless -parallel is set: most of their time they wait for pods, timeouts and Leases.
const atATime = 8

func besideEachOther() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(max(atATime, runtime.GOMAXPROCS(0))))
}

func withEnvironment(run func() int) (int, error) {
	if os.Getenv("OCTO_TOOLS") == "" || os.Getenv("OCTO_DEVCLUSTER") == "" {
		return 1, fmt.Errorf("these tests need the development cluster: run make test")
	}
	dir, err := os.MkdirTemp("", "octo-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	operatorBinary = filepath.Join(dir, "octo-operator")
	if out, err := osexec.Command("go", "build", "-race", "-o", operatorBinary, "../..").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("cannot build the operator: %w\n%s", err, out)
	}
	stopOpen, err := serveCharts(&openCharts)
	if err != nil {
		return 1, err
	}
	defer stopOpen()
	stopClosed, err := serveCharts(&closedCharts, "--username", chartUser, "--password", chartPassword)
	if err != nil {
		return 1, err
	}
	defer stopClosed()
	if err := installSuiteChart(dir); err != nil {
		return 1, err
	}
	code := run()
	if flag.Lookup("test.bench").Value.String() != "" {
		return code, nil // benchmarks have the rights of the cluster's administrator
	}
	return code, judgeRole()
}

func serveCharts(into *chartServer, args ...string) (stop func(), err error) {
	cmd := osexec.Command(os.Getenv("OCTO_DEVCLUSTER"), append([]string{"charts", "--charts", "../../testdata/charts"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot serve the charts: %w", err)
	}
	stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), into)
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("cannot serve the charts: %w", err)
	}
	return stop, nil
}

// world is the controller, namespace and operator of one test.
type world struct {
	*testing.T
	ctx        context.Context
	controller *devcontroller.Server
	namespace  string
	stateDir   string
	pool       devcontroller.Pool
	env        []string // more settings
	wrap       []string // the command that starts the operator, if not directly
	program    string   // path of the operator, as wrap sees it; not always the one with the race detector
	container  []string // its whole environment, if it runs like a pod's container
	operator   *operator
	judged     func(violation string) bool // false: the test itself provokes the violation; nil: every violation counts
}

// newWorld creates a namespace and a controller. Tests share nothing but the API server.
func newWorld(t *testing.T, generation devcontroller.Generation) *world {
	t.Helper()
	t.Parallel()
	return newWorldAlone(t, generation)
}

// newWorldAlone is newWorld for a test that changes something that all tests share, or disturbs others: it runs before they begin.
func newWorldAlone(t *testing.T, generation devcontroller.Generation) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestTest)
	t.Cleanup(cancel)
	w := &world{
		T: t, ctx: ctx, stateDir: t.TempDir(), namespace: "octo-" + uniqueName(),
		controller: devcontroller.New(devcontroller.Options{Generation: generation}), program: operatorBinary,
		pool: devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381bc"},
	}
	if generation == devcontroller.G1 {
		w.pool.ID = "main-pool"
	}
	if err := w.controller.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.controller.Close() })
	w.kubectl("create", "namespace", w.namespace)
	w.must(allowOperator(w.namespace))
	t.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "namespace", w.namespace, "--wait=false").Run() })
	return w
}

var unique sync.Mutex
var uniqueNumber = time.Now().UnixNano() / 1000 % 1e9

func uniqueName() string {
	unique.Lock()
	defer unique.Unlock()
	uniqueNumber++
	return fmt.Sprint(uniqueNumber)
}

// operator is a running octo-operator.
type operator struct {
	cmd  *osexec.Cmd
	done chan struct{}

	mu     sync.Mutex
	log    bytes.Buffer
	parsed []map[string]any // the records in the first bytes of log
	read   int              // number of these bytes
}

func (o *operator) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(p)
}

func (o *operator) text() string { return o.textFrom(0) }

// textFrom returns the log after its first bytes.
func (o *operator) textFrom(first int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.log.Bytes()[first:])
}

// records returns the log so far, which is JSON. Each line is parsed once, because many callers ask repeatedly; the last line may be
// incomplete.
func (o *operator) records(t *testing.T) []map[string]any {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(o.log.Bytes()[o.read:]) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		record := map[string]any{}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("the log has a line that is not JSON: %s", line)
		}
		o.parsed, o.read = append(o.parsed, record), o.read+len(line)
	}
	return slices.Clone(o.parsed)
}

func (w *world) environment() []string {
	if w.container != nil {
		return w.container
	}
	return append(append(os.Environ(),
		"KUBECONFIG="+operatorKubeconfig,
		"OPERATOR__AUTOMANAGEPOOLS=true",
		"OPERATOR__COMMUNICATIONCONTROLLERURI="+w.controller.URL(),
		"OPERATOR__POOLNAMESPACE="+w.namespace,
		"OPERATOR__WATCHNAMESPACE="+w.namespace,
		"OPERATOR__STATEDIR="+w.stateDir,
		"OPERATOR__LOGFORMAT=json",
		"OPERATOR__HELM__PLAINHTTP=true",
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.0/8,::1", // the tests' repositories are on this machine
		"OPERATOR__BROKERUSER=octo",
		"OPERATOR__BROKERPASSWORD="+brokerPassword,
		"KESTREL__ENDPOINTS__HTTP__URL=http://127.0.0.1:0",
		"OPERATOR__STATUSPAGE=off",
	), w.env...)
}

const brokerPassword = "planted-broker-password-55e0"

// start starts the operator and waits until it is registered. It ends with the test.
func (w *world) start() {
	w.Helper()
	before := w.controller.LastSeq()
	w.launch()
	w.waitFor("RegisterOperatorAsync", func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" })
}

// launch starts the operator, which ends with the test.
func (w *world) launch() {
	w.Helper()
	line := append(slices.Clone(w.wrap), w.program)
	o := &operator{cmd: osexec.Command(line[0], line[1:]...), done: make(chan struct{})}
	o.cmd.Env = w.environment()
	o.cmd.Stdout, o.cmd.Stderr = o, o
	if err := o.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	go func() { _ = o.cmd.Wait(); close(o.done) }()
	w.operator = o
	w.Cleanup(func() {
		w.stop(o)
		left, proxies := processesWith(w.T, w.namespace), w.proxies()
		if len(left)+len(proxies) > 0 && o.cmd.ProcessState.ExitCode() >= 0 {
			w.Errorf("the operator has ended and left processes behind: %q, kubectl proxies %v", left, proxies)
		}
		if w.Failed() {
			w.Logf("the operator's log:\n%s", o.text())
		}
		if strings.Contains(o.text(), "DATA RACE") {
			w.Errorf("the race detector found something:\n%s", o.text())
		}
		for _, violation := range w.controller.ProtocolViolations() {
			if w.judged != nil && !w.judged(violation) {
				continue
			}
			w.Errorf("protocol violation: %s", violation)
		}
	})
}

func (w *world) stop(o *operator) {
	_ = o.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-o.done:
	case <-time.After(patience):
		_ = o.cmd.Process.Kill()
		w.Errorf("the operator did not end on SIGTERM")
	}
}

// kill ends the operator like a crash, together with its kubectl proxy, which would end with its container.
func (w *world) kill() {
	w.Helper()
	w.must(w.operator.cmd.Process.Signal(syscall.SIGKILL))
	<-w.operator.done
	for _, pid := range w.proxies() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// killProcesses kills every process whose command line contains all the parts, and returns how many there were.
func (w *world) killProcesses(parts ...string) (killed int) {
	w.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	w.must(err)
	for _, file := range files {
		line, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		holds := func(part string) bool { return bytes.Contains(line, []byte(part)) }
		if !slices.ContainsFunc(parts, func(part string) bool { return !holds(part) }) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

func (w *world) waitFor(method string, match func(devcontroller.Call) bool) devcontroller.Call {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	call, err := w.controller.WaitFor(ctx, method, match)
	if err != nil {
		w.Fatalf("%v\nthe operator's log:\n%s", err, w.operator.text())
	}
	return call
}

// status is the operator's report of a deploy.
type status struct {
	TenantID, WorkloadName, WorkloadRtID, PoolName, StatusMessage string
	Success                                                       bool
}

// waitForStatus waits for a report on the workload that came after the call with number after.
func (w *world) waitForStatus(workload devcontroller.Workload, after int) status {
	w.Helper()
	var s status
	w.waitFor("ReportWorkloadDeploymentStatusAsync", func(c devcontroller.Call) bool {
		s = status{}
		return c.Seq > after && json.Unmarshal(c.Args[0], &s) == nil && s.WorkloadName == workload.Name
	})
	return s
}

// deployPool creates the test's pool and waits until events for its workloads can be sent.
func (w *world) deployPool() {
	w.Helper()
	w.must(w.controller.PoolDeployed(w.ctx, w.pool))
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if _, err := w.controller.WaitRegistered(ctx, w.pool); err != nil {
		w.Fatalf("%v\nthe operator's log:\n%s", err, w.operator.text())
	}
}

// workload returns a workload that can be deployed without changes.
func (w *world) workload(name, rtID string) devcontroller.Workload {
	return devcontroller.Workload{
		Pool: w.pool, Name: name, RtID: rtID, Type: devcontroller.Application,
		RepositoryURL: openCharts.URL, ChartName: "demo-app", ChartVersion: "1.2.0",
	}
}

// deploy sends a deploy and waits for its report.
func (w *world) deploy(workload devcontroller.Workload) status {
	w.Helper()
	after := w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, workload))
	return w.waitForStatus(workload, after)
}

// eventually polls a condition, and returns whether it became true. The longer it waits, the less often it asks, because a kubectl that
// asks takes CPU time from what is waited for.
func (w *world) eventually(condition func() bool) bool {
	for began := time.Now(); !condition(); {
		if time.Since(began) > patience {
			return false
		}
		time.Sleep(min(max(time.Since(began)/20, 50*time.Millisecond), 300*time.Millisecond))
	}
	return true
}

// waitForRevision waits until helm has begun a revision of a release, by its Secret.
func (w *world) waitForRevision(secret string) {
	w.Helper()
	begun := func() bool { return w.kubectl("get", "secret", secret, "--ignore-not-found", "-o", "name") != "" }
	if !w.eventually(begun) {
		w.Fatalf("helm does not begin: %s did not appear", secret)
	}
}

// waitForLog waits until n records have the message and attributes.
func (w *world) waitForLog(n int, message string, attrs map[string]string) []map[string]any {
	w.Helper()
	return w.waitForLogOf(w.operator, n, message, attrs)
}

// waitForLogOf is waitForLog for an operator other than the newest.
func (w *world) waitForLogOf(o *operator, n int, message string, attrs map[string]string) (found []map[string]any) {
	w.Helper()
	logged := func() bool {
		found = matching(o.records(w.T), message, attrs)
		return len(found) >= n
	}
	if !w.eventually(logged) {
		w.Fatalf("%d of %d records %q %v in the log:\n%s", len(found), n, message, attrs, o.text())
	}
	return found
}

func matching(records []map[string]any, message string, attrs map[string]string) (found []map[string]any) {
	for _, r := range records {
		same := r["msg"] == message
		for key, value := range attrs {
			same = same && fmt.Sprint(r[key]) == value
		}
		if same {
			found = append(found, r)
		}
	}
	return found
}

// kubectl runs kubectl in the test's namespace and returns what it prints.
func (w *world) kubectl(args ...string) string {
	w.Helper()
	return w.command("kubectl", args...)
}

func (w *world) helm(args ...string) string {
	w.Helper()
	return w.command("helm", args...)
}

func (w *world) command(name string, args ...string) string {
	w.Helper()
	cmd := osexec.Command(name, append(args, "--namespace", w.namespace)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		if w.operator != nil {
			w.Logf("the operator's log:\n%s", w.operator.text())
		}
		w.Fatal(err)
	}
}
