package handlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
)

func TestALimitThatAScriptReachesIsNamedWithItsSettingAndTheEventIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	// As Go does it: the cause first, then all that helm was doing, in which "connection refused" may stand as well.
	goroutines := `i=0; while [ $((i+=1)) -le 300 ]; do echo "runtime.goexit connection refused $i" >&2; done`
	for name, test := range map[string]struct{ script, want string }{
		"memory": {`echo 'fatal error: runtime: out of memory' >&2; ` + goroutines + `; exit 2`,
			"workload-deploy needs more memory than one process may have (OPERATOR__SCRIPTMEMORY is 64 MiB): make the chart or its values smaller, or raise the setting"},
		"memory in one large piece": {`echo 'runtime: out of memory: cannot allocate 4001366016-byte block (33030144 in use)' >&2; echo 'fatal error: out of memory' >&2; ` + goroutines + `; exit 2`,
			"OPERATOR__SCRIPTMEMORY is 64 MiB"},
		"memory for another process": {`echo 'Error: fork/exec /bin/x: cannot allocate memory' >&2; exit 1`, "OPERATOR__SCRIPTMEMORY is 64 MiB"},
		"a file of a program": {`head -c 3000000 /dev/zero >large`,
			"workload-deploy makes a file that is larger than one may be (OPERATOR__SCRIPTFILESIZE is 1 MiB): make the chart or its values smaller, or raise the setting"},
		"a file of helm":            {`echo 'Error: write /dev/stdout: file too large' >&2; exit 1`, "OPERATOR__SCRIPTFILESIZE is 1 MiB"},
		"a file, silent":            {`head -c 3000000 /dev/zero >large 2>/dev/null || exit $?`, "OPERATOR__SCRIPTFILESIZE is 1 MiB"},
		"output":                    {`yes "connection refused" >&2`, "workload-deploy wrote more than it may and was stopped (OPERATOR__SCRIPTOUTPUT is 1 MiB)"},
		"output without a line end": {`tr '\0' x </dev/zero`, "OPERATOR__SCRIPTOUTPUT is 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ownScript(t, "workload-deploy", test.script), with("SCRIPTMEMORY", "64Mi"), with("SCRIPTFILESIZE", "1Mi"), with("SCRIPTOUTPUT", "1Mi"))
			s := r.wantFailure(r.run(deployEvent("shop")), "shop", test.want)
			if len(s.StatusMessage) > 400 || strings.Contains(s.StatusMessage, "goexit") {
				t.Errorf("the status has %d bytes: %s", len(s.StatusMessage), s.StatusMessage)
			}
			if tries := len(r.log.records("event tried again: the API server seems not to have answered")); tries > 0 {
				t.Errorf("it was tried %d times more", tries)
			}
		})
	}
}

func TestEachProcessOfAScriptHasTheLimitsOfTheSettings(t *testing.T) {
	r := newRig(t, ownScript(t, "workload-deploy", `echo "Error: memory $(ulimit -d) file $(ulimit -f)" >&2; exit 1`),
		with("SCRIPTMEMORY", "100Mi"), with("SCRIPTFILESIZE", "10Mi"))
	r.wantFailure(r.run(deployEvent("shop")), "shop", "memory 167936 file 20480") // KiB, with what Go needs for itself; 512 bytes
}

func TestAProcessThatIsKilledFromOutsideIsExplained(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"chart-pull", "workload-deploy"} {
		t.Run(step, func(t *testing.T) {
			r := newRig(t, ownScript(t, step, `sh -c 'kill -9 $$'; exit $?`))
			r.wantFailure(r.run(deployEvent("shop")), "shop", step+" was killed from outside (SIGKILL), often for want of memory: raise the memory limit")
		})
	}
}

func TestOfAFloodOfOutputTheLogGetsTheBeginningAndOutputLogAllOfIt(t *testing.T) {
	r := newRig(t, ownScript(t, "workload-deploy", `yes "a line of a flood" | head -n 60000 >&2; echo "the last line" >&2; exit 1`))
	result := r.run(deployEvent("shop"))
	if result.Outcome != runs.Failed {
		t.Errorf("got %+v", result)
	}
	if length := len(r.log.String()); length > 2<<20 {
		t.Errorf("the log has %d bytes", length)
	}
	if cuts := r.log.records("output cut: the rest of it is in output.log alone", "step"); len(cuts) != 1 {
		t.Errorf("the log says %d times that it is cut", len(cuts))
	}
	output, err := os.ReadFile(filepath.Join(r.runDirs()[0], "output.log"))
	r.must(err)
	if lines := strings.Count(string(output), "a line of a flood"); lines != 60000 || !strings.Contains(string(output), "the last line") {
		t.Errorf("output.log has %d lines of the flood", lines)
	}
}

// As many bytes as a Secret holds are few; as many lines, none like another, are more than can be looked for in each line of the output.
func TestSecretsOfTooManyLinesToKeepOutOfTheLogAreRefusedBeforeAnythingRuns(t *testing.T) {
	var lines strings.Builder
	for i := range 1 << 16 {
		fmt.Fprintf(&lines, "%015x\n", uint64(i)*0x9e3779b97f4a7c15>>4)
	}
	r := newRig(t)
	s := r.wantFailure(r.run(deployEvent("shop", secret("token", lines.String()))), "shop",
		"its secret values have too many different lines for all of them to be kept out of the log: make them smaller")
	if first, _, _ := strings.Cut(lines.String(), "\n"); strings.Contains(s.StatusMessage, first) || len(r.commands()) > 0 {
		t.Errorf("status %.300q; it ran %v", s.StatusMessage, r.commands())
	}
}
