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

// traced is the script of a step that writes to the trace when it works on which release for which event, and runs the original.
//
// A lock shows whether two work on one release at the same time: the script and all processes that it starts hold it until the last of
// them has ended, and the kernel releases it whoever was killed. A deploy that scales runs workload-scale itself.
const traced = `
if [ -z "${CHAOS_HELD-}" ]; then
    exec 9>>"%[1]s/$OCTO_RELEASE.lock"
    number=${OCTO_WORKLOAD-#0} # 0: for no event
    line="$OCTO_RELEASE ${number##*#} ${0##*/} $OCTO_RUN life $PPID pid $$"
    echo "start $line" >>%[1]s/trace
    flock --nonblock 9 || echo "overlap $line with$(find /proc/[0-9]*/fd -lname "*/$OCTO_RELEASE.lock" 2>/dev/null | cut -d/ -f3 |
        while read -r pid; do echo " [$pid $(tr '\0' ' ' </proc/$pid/cmdline)]"; done | tr '\n' ' ')" >>%[1]s/trace
    export CHAOS_HELD=1
fi
code=0
"$(dirname "$OCTO_LIB")/${0##*/}" || code=$?
[ -z "${line-}" ] || echo "end $line code $code" >>%[1]s/trace
exit $code
`

func tracedScripts(dir string) map[string]string {
	text := fmt.Sprintf(traced, dir)
	scripts := map[string]string{}
	for _, name := range []string{"workload-deploy", "workload-undeploy", "workload-scale", "workload-recover", "workload-rollback"} {
		scripts[name] = text
	}
	return scripts
}

// traceEntry is a line of the trace.
type traceEntry struct {
	what    string // start, overlap, end
	release string
	number  int // of the event; 0: the script has no event
	script  string
	run     string // the name of its directory
	life    int    // the process id of the operator
	pid     int    // of the script
	code    int    // exit code
	line    string
}

func parseTrace(text string) (entries []traceEntry) {
	for line := range strings.Lines(text) {
		e := traceEntry{line: strings.TrimSpace(line)}
		n, _ := fmt.Sscanf(line, "%s %s %d %s %s life %d pid %d", &e.what, &e.release, &e.number, &e.script, &e.run, &e.life, &e.pid)
		if n < 7 {
			continue // the line is incomplete because of a kill
		}
		if _, code, ended := strings.Cut(line, " code "); ended {
			_, _ = fmt.Sscan(code, &e.code)
		}
		entries = append(entries, e)
	}
	return entries
}

// trace reads the lines that the scripts have written so far, in order.
func (c *chaos) trace() []traceEntry {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "trace"))
	if !os.IsNotExist(err) {
		c.must(err)
	}
	return parseTrace(string(text))
}

// checkTrace finds where the order of a release's events was violated: an older event began after a newer one, or two ran at the same
// time. The same event may begin again, because an operator was killed. again are the runs of events that the controller has sent again:
// they have the number of an older event, but are newer than the ones before them.
func checkTrace(trace []traceEntry, again map[string]bool) (broken []string) {
	newest := map[string]traceEntry{}
	for _, e := range trace {
		last := newest[e.release]
		switch {
		case e.what == "overlap":
			broken = append(broken, "two processes work on one release: "+e.line)
		case e.what != "start" || e.number == 0:
		case e.number >= last.number:
			newest[e.release] = e
		case !again[e.run] || e.run < last.run: // the names of runs begin with the time of their events
			broken = append(broken, fmt.Sprintf("%s: #%d begins after #%d", e.release, e.number, last.number))
		}
	}
	return broken
}

// traceOf makes a trace of lines, and adds what all lines have in common.
func traceOf(lines ...string) (entries []traceEntry) {
	for _, line := range lines {
		line, code, ended := strings.Cut(line, " code ")
		line += " life 1 pid 2"
		if ended {
			line += " code " + code
		}
		entries = append(entries, parseTrace(line)...)
	}
	return entries
}

func TestTheTraceShowsWhatIsOutOfOrder(t *testing.T) {
	start := func(release string, number int) string {
		return fmt.Sprintf("start %s %d workload-deploy r%d", release, number, number)
	}
	const againLater, againEarlier = "start a 1 workload-deploy r8", "start a 1 workload-deploy r0"
	for want, trace := range [][]string{
		{start("a", 1), "end a 1 workload-deploy r1 code 0", start("a", 1), start("b", 1), "start a 0 workload-recover r1", start("a", 5), againLater},
		{start("a", 1), start("a", 3), start("a", 2), start("a", 3)},
		{start("a", 2), againEarlier, "overlap a 2 workload-deploy r2"},
	} {
		if got := checkTrace(traceOf(trace...), map[string]bool{"r8": true, "r0": true}); len(got) != want {
			t.Errorf("in %q %q is broken, want %d", trace, got, want)
		}
	}
}

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
		cmd.Env = append(os.Environ(), "OCTO_RUN=run", "OCTO_LIB="+filepath.Join(original, "lib.sh"), "OCTO_RELEASE=acme-1", fmt.Sprintf("OCTO_WORKLOAD=shop #%d", number), "CHAOS_TEST="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	broken := func() []string {
		text, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		return checkTrace(parseTrace(string(text)), nil)
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
