package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain acts as a devcluster with one component if it is started as a helper.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DEVCLUSTER_TEST_HELPER"); dir != "" {
		c := &component{name: "sleep", dir: dir, path: "/bin/sleep", args: []string{"1000"}}
		if err := c.start(); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("started\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestKilledDevclusterTakesItsProcessesAlong(t *testing.T) {
	dir := t.TempDir()
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), "DEVCLUSTER_TEST_HELPER="+dir)
	stdout, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("helper said %q: %v", line, err)
	}
	pid := readPid(t, dir, "sleep")
	helper.Process.Kill()
	helper.Wait()
	eventually(t, "the component is gone", func() bool { return !alive(pid) })
}

func TestComponentIsStartedAgainWhenItDies(t *testing.T) {
	c := &component{name: "sleep", dir: t.TempDir(), path: "/bin/sleep", args: []string{"1000"}}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	c.keepAlive()
	before := readPid(t, c.dir, "sleep")
	if err := os.WriteFile(c.file(".hold"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(before, syscall.SIGKILL)
	time.Sleep(restartDelay + 500*time.Millisecond)
	if now := readPid(t, c.dir, "sleep"); now != before {
		t.Error("the component was started while it was on hold")
	}
	os.Remove(c.file(".hold"))
	eventually(t, "the component runs again", func() bool {
		now := readPid(t, c.dir, "sleep")
		return now != before && alive(now)
	})
	c.stop(time.Minute)
	if now := readPid(t, c.dir, "sleep"); alive(now) {
		t.Error("the component lives on after stop")
	}
}

func TestComponentThatIgnoresTheEndIsKilled(t *testing.T) {
	c := &component{name: "stubborn", dir: t.TempDir(), path: "/bin/sh", args: []string{"-c", "trap '' TERM; while :; do sleep 0.1; done"}}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	c.stop(300 * time.Millisecond)
	if alive(readPid(t, c.dir, "stubborn")) {
		t.Error("the component lives on")
	}
}

func TestFailedStartShowsTheLog(t *testing.T) {
	c := &cluster{dir: t.TempDir()}
	if err := c.start("broken", "/bin/sh", "-c", "echo no such flag; exit 1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := c.wait(ctx, "broken", func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("error does not show the log: %v", err)
	}
}

func TestExitCodeOfTheCommandIsPassedOn(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		err := runCommand(t.Context(), func() {}, []string{"--kubeconfig", "/k", "--", "sh", "-c", script})
		var code exitCode
		if errors.As(err, &code); int(code) != want {
			t.Errorf("%s: exit code %d (%v), want %d", script, code, err, want)
		}
	}
}

func TestOwnClusterIsUsedAsItIs(t *testing.T) {
	t.Setenv("OCTO_CACHE", filepath.Join(t.TempDir(), "never-made"))
	t.Setenv("DEVCLUSTER_KUBECONFIG", "/my/config")
	t.Setenv("OCTO_TOOLS", "") // the test may itself run in a cluster of devcluster's
	t.Setenv("OCTO_CLUSTER_DIR", "")
	out := filepath.Join(t.TempDir(), "out")
	script := `echo "$KUBECONFIG $OCTO_TOOLS$OCTO_CLUSTER_DIR" > ` + out
	if err := runCommand(t.Context(), func() {}, []string{"--", "sh", "-c", script}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); string(got) != "/my/config \n" {
		t.Errorf("the command saw %q", got)
	}
	if _, err := os.Stat(os.Getenv("OCTO_CACHE")); err == nil {
		t.Error("the cache was touched")
	}
}

func TestTermIsForwardedToTheCommand(t *testing.T) {
	signals, exited := make(chan os.Signal, 1), make(chan error, 1)
	cmd := exec.Command("/bin/sleep", "1000")
	if err := startTied(cmd, syscall.SIGTERM, false); err != nil {
		t.Fatal(err)
	}
	go func() { exited <- cmd.Wait() }()
	signals <- syscall.SIGTERM
	err := exitOf("sleep", waitForwarding(cmd.Process, signals, exited))
	if !errors.Is(err, exitCode(128+15)) {
		t.Errorf("the command ended with %v", err)
	}
}

func readPid(t *testing.T, dir, name string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive says false for a zombie too: nobody may be left to reap it.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = 2 * time.Minute // a busy machine may take long to start an API server; nothing waits for it unless it is broken
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not so after %s: %s", patience, what)
}
