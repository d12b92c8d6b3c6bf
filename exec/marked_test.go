package exec

import (
	"bufio"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newMark is a mark that nothing else on this machine carries.
func newMark(t *testing.T) string { return "EXEC_TEST_MARK=" + t.TempDir() }

// background starts a script in a process group that Run does not know of,
// and returns when it has printed "ready".
func background(t *testing.T, variables []string, script string, args ...string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.Command("/bin/sh", append([]string{"-c", sleeper + script, "sh"}, args...)...)
	cmd.Env = append(AllowEnv(os.Environ(), "PATH"), variables...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	startAndWaitReady(t, cmd)
	return cmd
}

// startAndWaitReady is for the leader of a process group.
func startAndWaitReady(t *testing.T, cmd *osexec.Cmd) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
}

func mustKillMarked(t *testing.T, mark string, grace time.Duration) {
	t.Helper()
	if err := KillMarked(mark, grace); err != nil {
		t.Error(err)
	}
}

func mustExist(t *testing.T, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestALaterLifeStopsWhatAKilledOperatorLeftBehind(t *testing.T) {
	mark, fifo := newMark(t), newFIFO(t)
	operator := osexec.Command(os.Args[0])
	operator.Env = append(os.Environ(), mark, "EXEC_TEST_FIFO="+fifo,
		"EXEC_TEST_OPERATOR="+sleeper+`sleeper; echo $$ >"$EXEC_TEST_FIFO"; wait`)
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	group := readNumber(t, fifo) // the script is up
	operator.Process.Kill()
	operator.Wait()
	equalLines(t, "orphans", living(t, group), []string{"sh", "sleep"})
	mustKillMarked(t, mark, endless)
	mustBeGone(t, group)
	mustKillMarked(t, mark, endless) // nothing left to stop is no error
}

func readNumber(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestOnlyExactlyThisMarkCounts(t *testing.T) {
	mark := newMark(t)
	name, value, _ := strings.Cut(mark, "=")
	others := [][]string{nil, {mark + "1"}, {"X" + mark}, {"X=" + mark}, {name + "=" + strings.ToUpper(value)}, {name + "="}}
	var groups []int
	for _, variables := range others {
		groups = append(groups, background(t, variables, `sleeper; echo ready; wait`).Process.Pid)
	}
	mustKillMarked(t, mark, endless)
	for i, group := range groups {
		equalLines(t, strings.Join(others[i], " "), living(t, group), []string{"sh", "sleep"})
	}
	for _, bad := range []string{"", "NAME", "=value"} {
		if err := KillMarked(bad, endless); err == nil {
			t.Errorf("%q was taken for a mark", bad)
		}
	}
}

// As when Run stops it: all processes of the group were started in it, even those with another environment.
func TestOfAGroupNobodyIsLeft(t *testing.T) {
	mark := newMark(t)
	script := `env -i PATH="$PATH" sleep 1000 & until_sleep; stubborn; echo ready; wait`
	group := background(t, []string{mark}, script).Process.Pid
	equalLines(t, "before", living(t, group), []string{"sh", "sleep", "sleep"})
	mustKillMarked(t, mark, 20*time.Millisecond)
	mustBeGone(t, group)
}

func TestEachGetsOneSIGTERM(t *testing.T) {
	mark, signals := newMark(t), filepath.Join(t.TempDir(), "signals")
	// After the first one it goes on for a while.
	helm := sleeper + `trap 'echo >>"$1"' TERM; sleeper; echo ready; wait; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`
	background(t, nil, `env "$1" sh -c "$2" helm "$3" & wait`, mark, helm, signals)
	mustKillMarked(t, mark, endless)
	if text, err := os.ReadFile(signals); string(text) != "\n" {
		t.Errorf("%d SIGTERMs, %v", len(text), err)
	}
}

func TestWhatIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	mark := newMark(t)
	group := background(t, []string{mark}, `stubborn; echo ready; wait`).Process.Pid
	mustKillMarked(t, mark, 20*time.Millisecond)
	mustBeGone(t, group)
}

// The shell dies at once, the program that it has started (helm) does not.
func TestACleanUpAfterTheDeathOfTheShellIsWaitedFor(t *testing.T) {
	mark, cleaned := newMark(t), filepath.Join(t.TempDir(), "cleaned")
	helm := sleeper + `trap 'while kill -0 "$2" 2>/dev/null; do sleep 0.01; done; echo >"$1"; exit' TERM
		sleeper; echo ready; wait`
	shell := background(t, []string{mark}, `sh -c "$1" helm "$2" $$ & wait`, helm, cleaned)
	waited := make(chan struct{})
	go func() {
		shell.Wait() // otherwise it would stay as a zombie
		close(waited)
	}()
	mustKillMarked(t, mark, endless)
	<-waited
	mustExist(t, cleaned)
	mustBeGone(t, shell.Process.Pid)
}

// One SIGTERM for the group, none for the commands that a clean-up starts: as
// when Run stops it. The leader is dead, but still there as a zombie.
func TestTheCommandsOfACleanUpAreNotStopped(t *testing.T) {
	mark, cleaned := newMark(t), filepath.Join(t.TempDir(), "cleaned")
	helm := sleeper + `trap 'sleep 0.3 && echo >"$1"; exit' TERM; sleeper; echo ready; wait`
	cmd := background(t, []string{mark}, `sh -c "$1" helm "$2" & kill -9 $$`, helm, cleaned)
	untilZombie(cmd.Process.Pid)
	mustKillMarked(t, mark, endless)
	mustExist(t, cleaned)
}

func TestWhatIsStartedDuringTheStopIsStoppedToo(t *testing.T) {
	mark, file := newMark(t), filepath.Join(t.TempDir(), "group")
	// setsid: a group of its own, which does not get the first SIGTERM.
	background(t, []string{mark}, `trap 'setsid sleep 1000 & echo $! >"$1"; exit' TERM; sleeper; echo ready; wait`, file)
	mustKillMarked(t, mark, endless)
	mustBeGone(t, readNumber(t, file))
}

// Each group ends only when the other one has got its SIGTERM.
func TestAllGroupsAreToldAtTheSameTime(t *testing.T) {
	mark, one, other := newMark(t), newFIFO(t), newFIFO(t)
	script := `trap 'exec 3<>"$1" 4<>"$2"; echo >&3; read x <&4; exit 7' TERM; sleeper; echo ready; wait`
	first := background(t, []string{mark}, script, one, other)
	second := background(t, []string{mark}, script, other, one)
	mustKillMarked(t, mark, endless)
	for _, cmd := range []*osexec.Cmd{first, second} {
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 7 {
			t.Errorf("exit code %d", code)
		}
	}
}

func TestAZombieIsNotWaitedFor(t *testing.T) {
	mark := newMark(t)
	cmd := background(t, []string{mark}, `echo ready; sleeper; kill -9 $$`)
	untilZombie(cmd.Process.Pid)
	mustKillMarked(t, mark, endless)
	mustBeGone(t, cmd.Process.Pid)
}

// untilZombie returns when our child pid has ended: it stays until we wait for it.
func untilZombie(pid int) {
	for stateOf(pid) != "Z" {
		time.Sleep(time.Millisecond)
	}
}

func TestOurselvesOurGroupAndProcess1AreLeftAlone(t *testing.T) {
	// In a container of its own, where process 1 is a shell. All carry the mark.
	container := []string{"unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `setsid "$@"; exit`, "sh"}
	for name, around := range map[string][]string{"on a host": nil, "in a container": container} {
		t.Run(name, func(t *testing.T) {
			command := append(slices.Clone(around), os.Args[0])
			cmd := osexec.Command(command[0], command[1:]...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			mark := newMark(t)
			cmd.Env = append(os.Environ(), mark, "EXEC_TEST_KILL_MARKED="+mark)
			startAndWaitReady(t, cmd)
		})
	}
}

func TestTheMembersOfAGroupAreThoseThatLive(t *testing.T) {
	cmd := background(t, nil, `sleeper; echo ready; wait`)
	left, err := group(cmd.Process.Pid).members()
	if err != nil || len(left) != 2 || !slices.Contains(left, cmd.Process.Pid) {
		t.Errorf("got %v, %v, want %d and its child", left, err, cmd.Process.Pid)
	}
}
