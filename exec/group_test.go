package exec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// sleeper are shell functions that put a process in the background and return
// when it is there: a fresh child is called "sh" until its exec.
const sleeper = `
until_sleep() { until read name <"/proc/$!/comm" && [ "$name" = sleep ]; do :; done; }
sleeper() { sleep 1000 & until_sleep; }
stubborn() { (trap '' TERM; exec sleep 1000) & until_sleep; }
`

// runAndCancelOn runs script and cancels it when it prints "ready"; the group
// must consist of the processes named then, and of none afterwards.
func runAndCancelOn(t *testing.T, c Command, alive []string) Result {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	group := 0
	c.OnStart = func(pid int, _ uint64) { group = pid }
	got := collect{t: t, on: map[string]func(){"ready": func() {
		equalLines(t, "processes before the cancel", living(t, group), alive)
		cancel()
	}}}
	c.OnLine = got.line
	res, err := Run(ctx, c)
	if !errors.Is(err, context.Canceled) || !res.Canceled {
		t.Errorf("got %+v, %v; stderr %q", res, err, got.stderr)
	}
	mustBeGone(t, group)
	return res
}

func TestCancelStopsGrandchildren(t *testing.T) {
	fifo := newFIFO(t)
	c := sh(`sh -c "$2"'sleeper; echo up >"$1"; wait' sh "$1" & read x <"$1"; echo ready; wait`, fifo, sleeper)
	res := runAndCancelOn(t, c, []string{"sh", "sh", "sleep"})
	if res.Killed {
		t.Error("took a SIGKILL, though everything obeys SIGTERM")
	}
}

func TestGrandchildThatIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	c := sh(sleeper + `stubborn; echo ready; wait`)
	c.Grace = 20 * time.Millisecond
	if res := runAndCancelOn(t, c, []string{"sh", "sleep"}); !res.Killed {
		t.Error("no SIGKILL")
	}
}

func TestChildWithRedirectedOutputDiesAlthoughTheLeaderIsGone(t *testing.T) {
	c := sh(sleeper + `stubborn >/dev/null 2>&1; echo ready; wait`)
	c.Grace = 20 * time.Millisecond
	res := runAndCancelOn(t, c, []string{"sh", "sleep"})
	if !res.Killed || res.Signal != "SIGTERM" { // the leader died of the SIGTERM
		t.Errorf("got %+v", res)
	}
}

func TestBackgroundProcessDoesNotOutliveTheScript(t *testing.T) {
	for name, script := range map[string]string{
		"with its output redirected": `sleeper >/dev/null 2>&1; echo done`,
		"holding the pipe":           `sleeper; echo done`,
	} {
		t.Run(name, func(t *testing.T) {
			group := 0
			got := collect{t: t}
			c := sh(sleeper + script)
			c.OnStart = func(pid int, _ uint64) { group = pid }
			c.OnLine = got.line
			res, err := Run(testContext(t), c)
			if err != nil || res.ExitCode != 0 || !res.Leftover || res.Killed {
				t.Errorf("got %+v, %v", res, err)
			}
			equalLines(t, "stdout", got.stdout, []string{"done"})
			mustBeGone(t, group)
		})
	}
}

func TestProcessThatLeftTheGroupDoesNotHangTheRun(t *testing.T) {
	fifo := newFIFO(t)
	got := collect{t: t}
	// The escapee holds the pipe; what was written before the end must come all the same.
	c := sh(`setsid sh -c 'echo $$ >"$1"; exec sleep 1000' sh "$1" & read escapee <"$1"; echo $escapee; seq 1 5000`, fifo)
	c.OnLine = got.line
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "output", got.stdout[1:], numbers(5000))
	escapee, err := strconv.Atoi(got.stdout[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(escapee, syscall.SIGKILL); err != nil {
		t.Errorf("it has been waited for: %v", err)
	}
}

func TestOnStartComesBeforeTheFirstLineAndIdentifiesTheProcess(t *testing.T) {
	fifo := newFIFO(t)
	got := collect{t: t}
	c := sh(`echo first; read x <"$1"; echo $$`, fifo)
	leader := 0
	c.OnLine = got.line
	c.OnStart = func(pid int, start uint64) {
		leader = pid
		if len(got.stdout) > 0 {
			t.Error("a line came before OnStart")
		}
		st, err := readStat(pid)
		if err != nil || st.start != start || st.group != pid {
			t.Errorf("got start time %d, /proc has %+v, %v", start, st, err)
		}
		go mustWrite(t, fifo, "go on\n")
	}
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"first", fmt.Sprint(leader)})
}

// leftover starts a process group that Run does not know of. Its leader ends when
// the returned function is called, a child of it stays.
func leftover(t *testing.T) (g group, endLeader func()) {
	fifo := newFIFO(t)
	cmd := osexec.Command("/bin/sh", "-c", sleeper+`sleeper >/dev/null 2>&1; echo ready; read x <"$1"`, "sh", fifo)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	st, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return group{id: cmd.Process.Pid, start: st.start}, func() {
		mustWrite(t, fifo, "end\n")
		cmd.Wait()
	}
}

func TestKillGroupKillsOnlyTheRightGroup(t *testing.T) {
	t.Run("leader alive", func(t *testing.T) {
		g, _ := leftover(t)
		for _, other := range []uint64{g.start - 1, g.start + 1} {
			if err := KillGroup(g.id, other); err != nil {
				t.Error(err)
			}
			equalLines(t, "a group with a leader of another start time", living(t, g.id), []string{"sh", "sleep"})
		}
		if err := KillGroup(g.id, g.start); err != nil {
			t.Error(err)
		}
		mustBeGone(t, g.id)
	})
	t.Run("leader gone", func(t *testing.T) {
		g, endLeader := leftover(t)
		endLeader()
		if err := KillGroup(g.id, bootTicks()+1); err != nil {
			t.Error(err)
		}
		equalLines(t, "a group that is older", living(t, g.id), []string{"sleep"})
		if err := KillGroup(g.id, g.start); err != nil {
			t.Error(err)
		}
		mustBeGone(t, g.id)
		if err := KillGroup(g.id, g.start); err != nil {
			t.Errorf("nothing left to kill is no error, got %v", err)
		}
	})
	for _, pid := range []int{-5, 0, 1, syscall.Getpgrp()} {
		if err := KillGroup(pid, 0); err == nil {
			t.Errorf("KillGroup(%d) did not refuse", pid)
		}
	}
}

func TestALaterLifeKillsWhatAKilledOperatorLeftBehind(t *testing.T) {
	fifo := newFIFO(t)
	operator := osexec.Command(os.Args[0])
	operator.Env = append(os.Environ(), "EXEC_TEST_FIFO="+fifo,
		"EXEC_TEST_OPERATOR="+sleeper+`sleeper; echo up >"$EXEC_TEST_FIFO"; wait`)
	out, err := operator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var start uint64
	if _, err := fmt.Fscan(out, &pid, &start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-pid, syscall.SIGKILL) })
	if _, err := os.ReadFile(fifo); err != nil { // the script is up
		t.Fatal(err)
	}
	operator.Process.Kill()
	operator.Wait()
	equalLines(t, "orphans", living(t, pid), []string{"sh", "sleep"})
	if err := KillGroup(pid, start); err != nil {
		t.Error(err)
	}
	mustBeGone(t, pid)
}

func TestStatOfAProgramWithAStrangeName(t *testing.T) {
	name := t.TempDir() + "/a) Z (b c"
	if err := os.Symlink("/bin/sleep", name); err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(name, "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	st, err := readStat(cmd.Process.Pid)
	if err != nil || st.group != cmd.Process.Pid || !slices.Contains([]byte("RSD"), st.state) {
		t.Errorf("got %+v (state %c), %v", st, st.state, err)
	}
}
