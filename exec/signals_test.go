package exec

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestAProgramDoesNotInheritWhatTheOperatorIgnores(t *testing.T) {
	said := filepath.Join(t.TempDir(), "status")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Ignored signals, as under nohup or in the background of a shell. The operator itself must go on ignoring SIGHUP.
	operator := osexec.CommandContext(testContext(t), "/bin/sh", "-c", `trap "" HUP INT QUIT PIPE TERM; exec "$0"`, self)
	operator.Env = append(os.Environ(), "SAID="+said, `EXEC_TEST_OPERATOR=
		kill -HUP $PPID
		cat /proc/$$/status >"$SAID"`)
	if output, err := operator.CombinedOutput(); err != nil {
		t.Fatalf("the operator ended with %v, output %q", err, output)
	}
	status, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := strconv.ParseUint(strings.TrimSpace(after(string(status), "SigIgn:")), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGTERM} {
		if ignored&(1<<(signal-1)) != 0 {
			t.Errorf("the program ignores %s (%d)", signal, signal)
		}
	}
}
