package e2e

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// traced is a step's script that writes down when it worked on which release for which event, and runs the original.
//
// That no two work on one release at once is told by a lock: it is held by the script and by everything it starts until the
// last of them is gone, and the kernel knows, whoever was killed. A deploy that scales runs workload-scale itself.
const traced = `
if [ -z "${CHAOS_HELD-}" ]; then
    exec 9>>"%[1]s/$OCTO_RELEASE.lock"
    what=start
    [ -n "${OCTO_WORKLOAD-}" ] || { what=recover OCTO_WORKLOAD=0; } # for no event
    line="$OCTO_RELEASE ${OCTO_WORKLOAD##*#} pid $$"
    echo "$what $line" >>%[1]s/trace
    flock --nonblock 9 || echo "overlap $line with$(find /proc/[0-9]*/fd -lname "*/$OCTO_RELEASE.lock" 2>/dev/null | cut -d/ -f3 |
        while read -r pid; do echo " [$pid $(tr '\0' ' ' </proc/$pid/cmdline)]"; done | tr '\n' ' ')" >>%[1]s/trace
    export CHAOS_HELD=1
fi
code=0
"$(dirname "$OCTO_LIB")/${0##*/}" || code=$?
echo "end ${line-} code $code" >>%[1]s/trace
exit $code
`

func tracedScripts(dir string) map[string]string {
	text := fmt.Sprintf(traced, dir)
	return map[string]string{"workload-deploy": text, "workload-undeploy": text, "workload-scale": text, "workload-recover": text}
}

// checkTrace finds where the order of a release's events was broken: an older event that begins after a newer one, or two
// at once. The same one again is fine: an operator was killed.
func checkTrace(trace string) (broken []string) {
	newest := map[string]int{}
	for line := range strings.Lines(trace) {
		var what, release string
		number := 0
		if n, _ := fmt.Sscan(line, &what, &release, &number); n < 3 {
			continue
		}
		switch {
		case what == "overlap":
			broken = append(broken, fmt.Sprintf("two processes work on one release: %s", strings.TrimSpace(line)))
		case what == "start" && number < newest[release]:
			broken = append(broken, fmt.Sprintf("%s: #%d begins after #%d", release, number, newest[release]))
		case what == "start":
			newest[release] = number
		}
	}
	return broken
}

func TestTheTraceShowsWhatIsOutOfOrder(t *testing.T) {
	for trace, want := range map[string]int{
		"start a 1 pid 7\nend a 1 pid 7 code 0\nstart a 1 pid 8\nstart b 1 pid 9\nstart a 5 pid 9\n": 0,
		"start a 1 pid 7\nrecover a 0 pid 8\nend a 0 pid 8 code 0\nstart a 2 pid 9\n":                0,
		"start a 1 pid 7\nstart a 3 pid 7\nstart a 2 pid 8\nstart a 3 pid 8\n":                       1,
		"start a 1 pid 7\nstart a 2 pid 8\noverlap a 2 pid 8 with [7 sh]\n":                          1,
	} {
		if got := checkTrace(trace); len(got) != want {
			t.Errorf("in %q %q is broken, want %d", trace, got, want)
		}
	}
}

// Two lives of an operator at work on one release, and the older one's script is gone but not what it started: the trace
// must show it, else the chaos test proves nothing.
func TestTheTraceShowsTwoProcessesAtWorkOnOneRelease(t *testing.T) {
	dir := t.TempDir()
	original := filepath.Join(dir, "original")
	scripts := filepath.Join(dir, "scripts")
	for path, text := range map[string]string{
		filepath.Join(original, "workload-deploy"): "#!/bin/sh\n[ \"${OCTO_WORKLOAD##*#}\" != 1 ] || { sleep 1000 >/dev/null 2>&1 & }\n",
		filepath.Join(scripts, "workload-deploy"):  "#!/bin/sh\nset -eu\n" + fmt.Sprintf(traced, dir),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(number int) {
		cmd := osexec.Command(filepath.Join(scripts, "workload-deploy"))
		cmd.Env = append(os.Environ(), "OCTO_LIB="+filepath.Join(original, "lib.sh"), "OCTO_RELEASE=acme-1", fmt.Sprintf("OCTO_WORKLOAD=shop #%d", number), "CHAOS_TEST="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	broken := func() []string {
		text, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		return checkTrace(string(text))
	}
	run(1)
	defer killAllBelow(t, dir)
	if got := broken(); got != nil {
		t.Errorf("one alone: %q", got)
	}
	run(2)
	if got := broken(); len(got) != 1 || !strings.Contains(got[0], "sleep 1000") {
		t.Errorf("beside the first one's child: %q", got)
	}
	killAllBelow(t, dir)
	time.Sleep(10 * time.Millisecond)
	run(3)
	if got := broken(); len(got) != 1 {
		t.Errorf("after its end: %q", got)
	}
}
