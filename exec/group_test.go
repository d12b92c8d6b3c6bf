package exec

import (
	"context"
	"errors"
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
func runAndCancelOn(t *testing.T, c Command, alive []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	group := 0
	got := collect{t: t, on: map[string]func(){"ready": func() {
		equalLines(t, "processes before the cancel", living(t, group), alive)
		cancel()
	}}}
	c.OnLine = got.line
	res, err := Run(ctx, sayingItsGroup(t, c, &group))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v; stderr %q", res, err, got.stderr)
	}
	mustBeGone(t, group)
}

func TestCancelStopsGrandchildren(t *testing.T) {
	fifo := newFIFO(t)
	c := sh(`sh -c "$2"'sleeper; echo up >"$1"; wait' sh "$1" & read x <"$1"; echo ready; wait`, fifo, sleeper)
	c.Grace = endless // everything obeys SIGTERM
	runAndCancelOn(t, c, []string{"sh", "sh", "sleep"})
}

func TestGrandchildThatIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	c := sh(sleeper + `stubborn; echo ready; wait`)
	c.Grace = 20 * time.Millisecond
	runAndCancelOn(t, c, []string{"sh", "sleep"})
}

func TestChildWithRedirectedOutputDiesAlthoughTheLeaderIsGone(t *testing.T) {
	c := sh(sleeper + `stubborn >/dev/null 2>&1; echo ready; wait`)
	c.Grace = 20 * time.Millisecond
	runAndCancelOn(t, c, []string{"sh", "sleep"})
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
			c.OnLine, c.Grace = got.line, endless // it obeys SIGTERM
			res, err := Run(testContext(t), sayingItsGroup(t, c, &group))
			if err != nil || res.ExitCode != 0 {
				t.Errorf("got %+v, %v", res, err)
			}
			equalLines(t, "stdout", got.stdout, []string{"done"})
			mustBeGone(t, group)
		})
	}
}

// endless is a grace period longer than any test.
const endless = time.Hour

func TestHurryEndsTheGraceAtOnce(t *testing.T) {
	t.Run("closed before the stop", func(t *testing.T) {
		c := sh(sleeper + `stubborn; echo ready; wait`)
		c.Grace, c.Hurry = endless, closed()
		runAndCancelOn(t, c, []string{"sh", "sleep"})
	})
	t.Run("closed during the stop", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		hurry := make(chan struct{})
		got := collect{t: t, on: map[string]func(){"ready": cancel, "cleaning up": func() { close(hurry) }}}
		c := sh(sleeper + `trap 'echo cleaning up; while :; do sleep 1000; done' TERM; sleeper; echo ready; wait`)
		c.Grace, c.Hurry, c.OnLine = endless, hurry, got.line
		if res, err := Run(ctx, c); res.ExitCode != -1 || !errors.Is(err, context.Canceled) {
			t.Errorf("got %+v, %v", res, err)
		}
	})
	t.Run("for what a script leaves behind", func(t *testing.T) {
		group := 0
		c := sh(sleeper + `stubborn`)
		c.Grace, c.Hurry = endless, closed()
		if _, err := Run(testContext(t), sayingItsGroup(t, c, &group)); err != nil {
			t.Error(err)
		}
		mustBeGone(t, group)
	})
}

func TestHurryAloneStopsNothing(t *testing.T) {
	fifo := newFIFO(t)
	hurry := make(chan struct{})
	got := collect{t: t, on: map[string]func(){"ready": func() {
		close(hurry)
		go mustWrite(t, fifo, "go on\n")
	}}}
	c := sh(`echo ready; read x <"$1"; sleep 0.1; echo "$x"`, fifo)
	c.Hurry, c.OnLine = hurry, got.line
	if _, err := Run(testContext(t), c); err != nil {
		t.Error(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"ready", "go on"})
}

func closed() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

func TestProcessThatLeftTheGroupDoesNotHangTheRun(t *testing.T) {
	fifo := newFIFO(t)
	got := collect{t: t}
	// The process outside of the group holds the pipe open. All output from before the end of the group must still arrive.
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

func TestAProgramWithAStrangeNameIsAMemberOfItsGroup(t *testing.T) {
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
	if members, err := group(cmd.Process.Pid).members(); err != nil || !slices.Equal(members, []int{cmd.Process.Pid}) {
		t.Errorf("got %v, %v", members, err)
	}
}
