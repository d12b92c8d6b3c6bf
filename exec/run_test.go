package exec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunReportsHowTheProgramEnded(t *testing.T) {
	for _, tt := range []struct {
		script string
		code   int
		signal string
		err    string
	}{
		{"exit 0", 0, "", ""},
		{"exit 3", 3, "", "cannot complete /bin/sh: exit code 3"},
		{"kill -9 $$", -1, "SIGKILL", "cannot complete /bin/sh: killed by SIGKILL from outside (often: out of memory)"},
		{"kill -1 $$", -1, "SIGHUP", "cannot complete /bin/sh: killed by SIGHUP"},
		{"sh -c 'kill -9 $$'", 137, "", "cannot complete /bin/sh: exit code 137 (usually: a command in it was killed by SIGKILL)"},
		{"no-such-command", 127, "", "cannot complete /bin/sh: exit code 127 (usually: a command in it was not found)"},
		{"/etc/passwd", 126, "", "cannot complete /bin/sh: exit code 126 (usually: a command in it is not executable)"},
		{"exit 255", 255, "", "cannot complete /bin/sh: exit code 255"},
	} {
		t.Run(tt.script, func(t *testing.T) {
			res, err := Run(testContext(t), sh(tt.script))
			if res.ExitCode != tt.code || errText(err) != tt.err {
				t.Errorf("got %d %q", res.ExitCode, errText(err))
			}
			var exit *ExitError
			if errors.As(err, &exit) != (tt.err != "") {
				t.Errorf("error is %T", err)
			} else if exit != nil && (exit.Code != tt.code || exit.Signal != tt.signal) {
				t.Errorf("error holds %+v", *exit)
			}
		})
	}
}

func TestErrorsNameTheScriptThatAShellReads(t *testing.T) {
	c := sh("exit 3")
	c.Name = "/scripts/chart-pull"
	_, err := Run(testContext(t), c)
	if errText(err) != "cannot complete /scripts/chart-pull: exit code 3" {
		t.Errorf("got %q", errText(err))
	}
}

func TestStartErrorNamesTheMistake(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range map[string]string{
		"not-executable":    "#!/bin/sh\n",
		"no interpreter":    "echo hello\n",
		"wrong-interpreter": "#!/bin/no-such-shell\n",
		"windows":           "#!/bin/sh\r\necho hello\r\n",
	} {
		mode := fs.FileMode(0o755)
		if name == "not-executable" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path, dir, want string
		is              error
	}{
		{"scripts/x", "", "cannot run scripts/x: no such file", fs.ErrNotExist},
		{"no-such-command", "", "cannot run no-such-command: no such command in PATH", nil},
		{"./not-executable", "", "cannot run ./not-executable: it is not executable: chmod +x ./not-executable", fs.ErrPermission},
		{"./no interpreter", "", "cannot run ./no interpreter: it is no program for this machine: a script must begin with #!/bin/sh", nil},
		{"./wrong-interpreter", "", `cannot run ./wrong-interpreter: its interpreter does not exist: its first line is "#!/bin/no-such-shell"`, fs.ErrNotExist},
		{"./windows", "", `cannot run ./windows: its interpreter does not exist: its first line is "#!/bin/sh\r"`, fs.ErrNotExist},
		{dir, "", "cannot run " + dir + ": it is a directory", nil},
		{"/bin/sh", "/no/such/dir", "cannot run /bin/sh: its working directory /no/such/dir does not exist", fs.ErrNotExist},
	} {
		t.Run(tt.path, func(t *testing.T) {
			for _, limits := range []Limits{{}, {Memory: 1 << 30}} { // with limits a shell starts it
				res, err := Run(testContext(t), Command{Path: tt.path, Dir: tt.dir, Limits: limits})
				if errText(err) != tt.want {
					t.Errorf("got  %s\nwant %s", errText(err), tt.want)
				}
				var start *StartError
				if !errors.As(err, &start) || res.ExitCode != -1 {
					t.Errorf("got %T, exit code %d", err, res.ExitCode)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("error is not %v", tt.is)
				}
			}
		})
	}
}

func TestRelativePathStartsAtTheOperatorsDirectoryAndProgramRunsInDir(t *testing.T) {
	home, work := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/pwd", filepath.Join(home, "scripts", "where")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(home)
	got := collect{t: t}
	if _, err := Run(testContext(t), Command{Path: "scripts/where", Dir: work, OnLine: got.line}); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "working directory", got.stdout, []string{work})
}

func TestEnvironmentIsExactlyWhatWasGiven(t *testing.T) {
	t.Setenv("OPERATOR__BROKERPASSWORD", "hunter2")
	for _, env := range [][]string{nil, {}, {"A=1", "B=two words"}} {
		got := collect{t: t}
		c := Command{Path: "/usr/bin/env", Env: env, Dir: t.TempDir(), OnLine: got.line}
		if _, err := Run(testContext(t), c); err != nil {
			t.Fatal(err)
		}
		equalLines(t, fmt.Sprintf("environment %q", env), got.stdout, env)
	}
}

func TestStandardInputIsEmpty(t *testing.T) {
	got := collect{t: t}
	c := sh("cat; echo end")
	c.OnLine = got.line
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"end"})
}

func TestCancelGivesTheCallersReason(t *testing.T) {
	ctx, cancel := context.WithCancelCause(testContext(t))
	reason := errors.New("the workload is being undeployed")
	c := sh("echo ready; sleep 1000")
	c.OnLine = func(Line) { cancel(reason) }
	_, err := Run(ctx, c)
	var stop *StoppedError
	if !errors.As(err, &stop) || !errors.Is(err, reason) || !errors.Is(err, context.Canceled) || stop.TimedOut {
		t.Errorf("got %#v", err)
	}
	if !strings.HasPrefix(errText(err), "cannot complete /bin/sh: cancelled after ") ||
		!strings.HasSuffix(errText(err), ": the workload is being undeployed") {
		t.Errorf("got %s", err)
	}
}

func TestDeadlineIsToldApartFromCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Run(ctx, sh("sleep 1000"))
	var stop *StoppedError
	if !errors.As(err, &stop) || !errors.Is(err, context.DeadlineExceeded) || !stop.TimedOut {
		t.Errorf("got %#v", err)
	}
	if !strings.HasPrefix(errText(err), "cannot complete /bin/sh: timed out after ") {
		t.Errorf("got %s", err)
	}
}

func TestAStoppedProgramMayCleanUpAndItsExitCodeIsKept(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	got := collect{t: t, on: map[string]func(){"ready": cancel}}
	c := sh("trap 'echo cleaned up; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
	c.OnLine = got.line
	res, err := Run(ctx, c)
	if res.ExitCode != 7 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", res, err)
	}
	equalLines(t, "stdout", got.stdout, []string{"ready", "cleaned up"})
}

func TestNothingIsStartedOnceTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := filepath.Join(t.TempDir(), "started")
	res, err := Run(ctx, sh(`echo >"$1"`, started))
	if res.ExitCode != -1 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := os.Stat(started); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was started: %v", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWhatAProgramAndItsChildrenHaveUsedIsKnown(t *testing.T) {
	// The shell does nothing but wait for another one, which takes some time and 60 MB.
	result, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", `/bin/sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; x=$(printf %060000000d 0)'; :`}, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	if result.CPU <= 0 || result.Memory < 50<<20 {
		t.Errorf("got %s and %d bytes", result.CPU, result.Memory)
	}
}
