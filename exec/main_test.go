package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary also play an operator: one that is killed, and one that stops marked processes.
func TestMain(m *testing.M) {
	if script := os.Getenv("EXEC_TEST_OPERATOR"); script != "" {
		Run(context.Background(), Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ()})
		return
	}
	if mark := os.Getenv("EXEC_TEST_KILL_MARKED"); mark != "" {
		playKillMarked(mark)
		return
	}
	if amount := os.Getenv("EXEC_TEST_ALLOCATE"); amount != "" {
		playHungry(amount)
		return
	}
	if script := os.Getenv("EXEC_TEST_LIMITED"); script != "" {
		_, err := Run(context.Background(), Command{Path: "/bin/sh", Args: []string{"-c", script}, Limits: Limits{Memory: 1 << 30, FileSize: 1 << 30},
			OnLine: func(l Line) { fmt.Println(l.Text) }})
		fmt.Println(err)
		return
	}
	code := m.Run()
	os.RemoveAll(plainDir)
	os.Exit(code)
}

// plainDir is the directory of plain; "": plain was not built yet.
var plainDir string

// plain is this test binary without the race detector, which takes ten times as much memory and time, and as helm and kubectl are built,
// without C: the stacks of its threads would count as data.
var plain = sync.OnceValues(func() (binary string, err error) {
	if plainDir, err = os.MkdirTemp("", "exec-test-"); err != nil {
		return "", err
	}
	binary = filepath.Join(plainDir, "test")
	build := osexec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the tests without the race detector: %w\n%s", err, out)
	}
	return binary, nil
})

// playHungry allocates a number of MiB and says "enough".
func playHungry(amount string) {
	mib, _ := strconv.Atoi(amount)
	held := make([][]byte, 0, mib)
	for range mib {
		held = append(held, bytes.Repeat([]byte("x"), 1<<20))
	}
	fmt.Println("enough", len(held) == mib)
}

// playKillMarked says "ready" when KillMarked has stopped a stranger and not
// its brother in our own process group.
func playKillMarked(mark string) {
	brother, stranger := osexec.Command("sleep", "1000"), osexec.Command("sleep", "1000")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := errors.Join(brother.Start(), stranger.Start(), KillMarked(mark, endless))
	defer brother.Process.Kill()
	state := stateOf(brother.Process.Pid)
	stranger.Wait()
	if err != nil || state != "S" || stranger.ProcessState.Exited() {
		fmt.Println(err, "brother:", state, "stranger:", stranger.ProcessState)
		return
	}
	fmt.Println("ready")
}

// stateOf returns the letter for a process' state (Z: a zombie), read from /proc by other means than the code under test; "" if there is no process.
func stateOf(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	state, _, _ := strings.Cut(strings.TrimSpace(after(string(status), "State:")), " ")
	return state
}

// hangGuard turns a hang into a failure. No test comes near it.
const hangGuard = 2 * time.Minute

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), hangGuard, fmt.Errorf("the test hangs"))
	t.Cleanup(cancel)
	return ctx
}

// sh returns a script as a Command, with the PATH that its commands need.
func sh(script string, args ...string) Command {
	return Command{
		Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...),
		Env: AllowEnv(os.Environ(), "PATH"),
	}
}

// sayingItsGroup lets a script of sh begin with a line about its process
// group, which is not passed on to OnLine.
func sayingItsGroup(t *testing.T, c Command, group *int) Command {
	next := c.OnLine
	c.Args[1] = "echo $$\n" + c.Args[1]
	c.OnLine = func(l Line) {
		if *group != 0 {
			next(l)
			return
		}
		var err error
		if *group, err = strconv.Atoi(l.Text); err != nil {
			t.Error(err)
		}
	}
	return c
}

// collect gathers the lines per stream.
type collect struct {
	t              *testing.T
	stdout, stderr []string
	on             map[string]func() // called when this line comes
}

func (c *collect) line(l Line) {
	if l.Time.IsZero() {
		c.t.Errorf("line %q has no time", l.Text)
	}
	switch l.Stream {
	case "stdout":
		c.stdout = append(c.stdout, l.Text)
	case "stderr":
		c.stderr = append(c.stderr, l.Text)
	default:
		c.t.Errorf("line of stream %q", l.Stream)
	}
	if f := c.on[l.Text]; f != nil {
		f()
	}
}

func newFIFO(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// mustWrite writes to a FIFO; it returns when a reader has opened it.
func mustWrite(t *testing.T, fifo, text string) {
	if err := os.WriteFile(fifo, []byte(text), 0); err != nil {
		t.Error(err)
	}
}

// living returns the processes of a group without zombies, read from /proc by other means than the code under test.
func living(t *testing.T, group int) []string {
	names, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		status := string(data)
		pgid := strings.Fields(after(status, "NSpgid:"))
		if len(pgid) > 0 && pgid[len(pgid)-1] == fmt.Sprint(group) && !strings.Contains(status, "State:\tZ") {
			found = append(found, strings.TrimSpace(strings.SplitN(after(status, "Name:"), "\n", 2)[0]))
		}
	}
	slices.Sort(found)
	return found
}

func after(s, key string) string {
	_, rest, _ := strings.Cut(s, key)
	return strings.SplitN(rest, "\n", 2)[0]
}

func mustBeGone(t *testing.T, group int) {
	t.Helper()
	if group <= 1 {
		t.Fatalf("no process group: %d", group)
	}
	if names := living(t, group); len(names) > 0 {
		t.Errorf("alive in process group %d: %v", group, names)
	}
}

func equalLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
