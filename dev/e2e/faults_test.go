package e2e

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// probe gives the operator a known address for probes.
func (w *world) probe() (url string) {
	w.Helper()
	address := fmt.Sprintf("http://127.0.0.1:%d", freePort(w))
	w.env = append(w.env, "KESTREL__ENDPOINTS__HTTP__URL="+address)
	return address + "/health/ready"
}

// waitUntilReadiness waits for an answer with this status and text. If all is well, the text is only "ready\n".
func (w *world) waitUntilReadiness(url string, status int, says string) {
	w.Helper()
	said := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(url)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		said = fmt.Sprint(response.StatusCode, " ", string(text))
		if response.StatusCode == status && strings.Contains(said, says) {
			return
		}
	}
	w.Fatalf("readiness says %q, not %q; the operator's log:\n%s", said, says, w.operator.text())
}

const allIsWell = "200 ready\n"

// smallDisk mounts a small state directory that only the operator sees: see inside.
func (w *world) smallDisk(options string) {
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	w.wrap = append(unshare, "sh", "-c", `mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"`, options, w.stateDir)
}

// inside is a path as the operator sees it.
func (w *world) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", w.operator.cmd.Process.Pid, path)
}

func TestAFullDiskRefusesEventsWithAReasonAndWorkGoesOnWhenThereIsSpace(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	w.smallDisk("size=8m")
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	w.waitForLog(1, "event done", map[string]string{"workload": "Shop"}) // its result is written, and it needs no more space
	fill := w.inside(filepath.Join(w.stateDir, "fill"))
	fillDisk(t, fill)
	w.waitUntilReadiness(ready, http.StatusOK, "no space left on device: set OPERATOR__STATEDIR")
	app.ValuesYaml = "settings: {LARGE: " + strings.Repeat("x", 200_000) + "}"
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "no space left on device") || !strings.Contains(s.StatusMessage, "send it again") {
		t.Errorf("reported %+v", s)
	}
	w.must(os.Remove(fill))
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	if s := w.deploy(app); !s.Success {
		t.Errorf("reported %+v", s)
	}
}

func fillDisk(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for n := len(block); n > 0; n /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(block[:n])
		}
	}
	if !strings.Contains(err.Error(), "no space left") {
		t.Fatal(err)
	}
}

func TestADiskFullOfOldRunsIsFreedForNewEvents(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.smallDisk("size=8m")
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "exit 1\n"}) // failures are kept for a day
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "large: " + strings.Repeat("x", 400_000)
	for range 20 { // 800 KB each: together twice the disk
		if s := w.deploy(app); !strings.Contains(s.StatusMessage, "workload-deploy: exit code 1") {
			t.Fatalf("reported %+v", s)
		}
	}
}

func TestAStateDirectoryThatCannotBeUsedIsNoCrashLoop(t *testing.T) {
	t.Parallel()
	t.Run("read-only", func(t *testing.T) {
		w := newWorld(t, devcontroller.G3)
		ready := w.probe()
		w.smallDisk("ro")
		w.launch()
		w.waitUntilReadiness(ready, http.StatusServiceUnavailable, "read-only file system")
		w.must(osexec.Command("nsenter", "--mount", "--target", fmt.Sprint(w.operator.cmd.Process.Pid), "mount", "-o", "remount,rw", w.stateDir).Run())
		w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	})
	t.Run("a file in its place", func(t *testing.T) {
		w := newWorld(t, devcontroller.G3)
		ready := w.probe()
		w.stateDir = filepath.Join(w.stateDir, "state")
		w.must(os.WriteFile(w.stateDir, nil, 0o600))
		w.launch()
		w.waitUntilReadiness(ready, http.StatusServiceUnavailable, "not a directory: set OPERATOR__STATEDIR")
		w.must(os.Remove(w.stateDir))
		w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	})
	t.Run("another operator's", func(t *testing.T) {
		w := newWorld(t, devcontroller.G3)
		w.start()
		first := w.operator
		ready := w.probe()
		w.launch()
		w.waitUntilReadiness(ready, http.StatusOK, "another operator is at work in it")
		w.stop(first)
		w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	})
}

func TestAMissingHelmIsToldAndNeedsNoRestartWhenItComes(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	bin := w.TempDir()
	link := func(tool string) {
		path, err := osexec.LookPath(tool)
		w.must(err)
		w.must(os.Symlink(path, filepath.Join(bin, tool)))
	}
	link("kubectl")
	w.env = append(w.env, "PATH="+bin+":/usr/bin:/bin")
	w.start()
	w.waitUntilReadiness(ready, http.StatusServiceUnavailable, "cannot run helm: it is not on PATH")
	w.deployPool()
	app := w.workload("Shop", appRtID)
	if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, "cannot run helm: no such command in PATH") {
		t.Errorf("reported %+v", s)
	}
	link("helm")
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	if s := w.deploy(app); !s.Success {
		t.Errorf("reported %+v", s)
	}
}

func TestAScriptWithoutTheRunBitIsToldByReadiness(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	dir := w.TempDir()
	w.must(os.WriteFile(filepath.Join(dir, "workload-scale"), []byte("#!/bin/sh\n"), 0o644))
	w.env = append(w.env, "OPERATOR__SCRIPTSDIR="+dir)
	w.start()
	w.waitUntilReadiness(ready, http.StatusServiceUnavailable, "chmod +x "+filepath.Join(dir, "workload-scale"))
	w.must(os.Chmod(filepath.Join(dir, "workload-scale"), 0o755))
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
}

// line is the network between one operator and the API server, which can be cut without cutting off other tests.
type line struct {
	*world
	address, target string
	kubeconfig      string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// newLine connects the operator to the API server by a line of its own.
func (w *world) newLine() *line {
	w.Helper()
	text, err := os.ReadFile(operatorKubeconfig)
	w.must(err)
	_, rest, _ := strings.Cut(string(text), "server: https://")
	target, _, _ := strings.Cut(rest, "\n")
	target = strings.Trim(target, `"' `)
	l := &line{world: w, address: "127.0.0.1:0", target: target, open: map[net.Conn]bool{}}
	l.restore()
	l.kubeconfig = filepath.Join(w.TempDir(), "kubeconfig")
	w.must(os.WriteFile(l.kubeconfig, []byte(strings.ReplaceAll(string(text), target, l.address)), 0o600))
	w.env = append(w.env, "KUBECONFIG="+l.kubeconfig)
	w.Cleanup(l.cut)
	return l
}

func (l *line) restore() {
	l.Helper()
	listener, err := net.Listen("tcp", l.address)
	l.must(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener, l.address = listener, listener.Addr().String()
	go l.serve(listener)
}

func (l *line) serve(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		l.open[near], l.open[far] = true, true
		l.mu.Unlock()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				pair[0].Close()
				pair[1].Close()
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.open, pair[0])
			}()
		}
	}
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for c := range l.open {
		c.Close()
	}
}

// The test itself needs only a few seconds of outage; make bench uses 60 s, as the requirements do.
var outage = flag.Duration("outage", 0, "how much longer the API server stays away than it takes to see that events are tried again")

const triedAgain = "event tried again: the API server cannot be reached"

func TestDeploysDuringWhichTheAPIServerIsAwayAreTriedAgain(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	l := w.newLine()
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"workload-deploy": fmt.Sprintf("[ \"$OCTO_WORKLOAD\" != Between ] || until [ -e %s ]; do sleep 0.05; done\nexec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate)})
	w.start()
	w.deployPool()
	waiting, between, later := w.workload("Waiting", appRtID), w.workload("Between", brokenRtID), w.workload("Later", "65d5c447b420da3fb12390fe")
	waiting.ValuesYaml = "podAnnotations: {octo-dev/ready-after: 5s}"
	after := w.controller.LastSeq()
	w.must(w.controller.Deploy(w.ctx, waiting))
	w.must(w.controller.Deploy(w.ctx, between))
	revision := "sh.helm.release.v1.acme-" + appRtID + ".v1"
	w.waitForRevision(revision)
	w.waitForLog(1, "values merged", map[string]string{"workload": "Between"})
	l.cut()
	w.must(w.controller.Deploy(w.ctx, later))
	w.must(os.WriteFile(gate, nil, 0o600))
	w.waitForLog(2, triedAgain, map[string]string{"workload": "Between"})
	w.waitForLog(1, "events wait", map[string]string{"lane": w.namespace + "/acme-65d5c447b420da3fb12390fe"})
	time.Sleep(*outage)
	l.restore()
	for _, app := range []devcontroller.Workload{waiting, between, later} {
		if s := w.waitForStatus(app, after); !s.Success {
			t.Errorf("reported %+v", s)
		}
	}
	t.Logf("the API server was away for %v more: three deploys went on, one of them after %d tries", *outage,
		len(matching(w.operator.records(t), triedAgain, map[string]string{"workload": "Between"})))

	bad := w.workload("Bad", "65d5c447b420da3fb12390ff")
	bad.ValuesYaml = "port: no-number"
	if s := w.deploy(bad); s.Success {
		t.Errorf("reported %+v", s)
	}
	if again := matching(w.operator.records(t), triedAgain, map[string]string{"workload": "Bad"}); len(again) > 0 {
		t.Errorf("a chart's failure was tried again: %v", again)
	}
}

func TestAFloodForOneReleaseAndHungScriptsDoNotStarveTheOthers(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OPERATOR__CONCURRENCY=2", "OPERATOR__SCRIPTDEADLINE=5s"} // must be long enough for a good script on a busy machine
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "case $OCTO_WORKLOAD in Hung*) trap '' TERM; sleep 1008;; esac\n"})
	w.start()
	w.deployPool()
	after := w.controller.LastSeq()
	hung := []devcontroller.Workload{w.workload("Hung 1", "65d5c447b420da3fb1239001"), w.workload("Hung 2", "65d5c447b420da3fb1239002")}
	for _, app := range hung {
		w.must(w.controller.Deploy(w.ctx, app))
	}
	w.waitForLog(2, "values merged", nil) // every slot is taken
	flood := w.workload("Flood", "65d5c447b420da3fb1239003")
	for range 300 {
		w.must(w.controller.Deploy(w.ctx, flood))
	}
	other := w.workload("Other", "65d5c447b420da3fb1239004")
	w.must(w.controller.Deploy(w.ctx, other))
	for range 300 {
		w.must(w.controller.Deploy(w.ctx, flood))
	}
	if s := w.waitForStatus(other, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
	for _, app := range hung {
		if s := w.waitForStatus(app, after); s.Success || !strings.Contains(s.StatusMessage, "OPERATOR__SCRIPTDEADLINE") {
			t.Errorf("reported %+v", s)
		}
	}
	if s := w.waitForStatus(flood, after); !s.Success {
		t.Errorf("reported %+v", s)
	}
}
