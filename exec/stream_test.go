package exec

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i + 1)
	}
	return all
}

func TestLinesComeWhileTheProgramRuns(t *testing.T) {
	fifo := newFIFO(t)
	got := collect{t: t, on: map[string]func(){
		"first": func() { mustWrite(t, fifo, "answer\n") }, // the script waits for it
	}}
	c := sh(`echo first; read x <"$1"; echo "got $x"`, fifo)
	c.OnLine = got.line
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"first", "got answer"})
}

func TestLinesComeWhileTheProgramRunsAlsoWithARedactor(t *testing.T) {
	fifo := newFIFO(t)
	got := collect{t: t, on: map[string]func(){
		"user=admin password=[redacted]": func() { mustWrite(t, fifo, "answer\n") },
	}}
	c := sh(`echo user=admin password=hunter2; read x <"$1"; echo "got $x"`, fifo)
	c.OnLine = got.line
	c.Redact = NewRedactor("hunter2", "line one of it\nline two of it")
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"user=admin password=[redacted]", "got answer"})
}

func TestTwoHundredThousandLinesOnBothStreamsWithoutLossInOrder(t *testing.T) {
	const n = 200_000
	got := collect{t: t}
	c := sh(`seq 1 "$1" & seq 1 "$1" >&2; wait`, strconv.Itoa(n))
	c.OnLine = got.line
	c.Redact = NewRedactor("a secret", "another one", "and\none with\nseveral lines")
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string][]string{"stdout": got.stdout, "stderr": got.stderr} {
		if len(lines) != n {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		for i, line := range lines {
			if line != strconv.Itoa(i+1) {
				t.Fatalf("%s: line %d is %q", name, i+1, line)
			}
		}
	}
}

func TestSlowReaderSlowsTheProgramDownAndLosesNothing(t *testing.T) {
	const n = 500_000 // 3.4 MB
	var lines []string
	leader := 0
	c := sh(`exec seq 1 "$1"`, strconv.Itoa(n))
	c.OnLine = func(l Line) {
		lines = append(lines, l.Text)
		if len(lines) > 1 {
			return
		}
		// While we do not return, seq fills the pipe and then sleeps.
		written := untilBlocked(t, leader)
		if written > 200<<10 {
			t.Errorf("%d bytes are written although nobody reads", written)
		}
	}
	if _, err := Run(testContext(t), sayingItsGroup(t, c, &leader)); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", lines, numbers(n))
}

// untilBlocked returns how many bytes pid has written when it sleeps and the
// number does not change any more between two looks.
func untilBlocked(t *testing.T, pid int) int {
	before := -1
	for range 1_000_000 {
		io, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
		if err != nil {
			t.Fatal(err)
		}
		written, err := strconv.Atoi(strings.TrimSpace(after(string(io), "wchar:")))
		if err != nil {
			t.Fatal(err)
		}
		if stateOf(pid) == "S" && written == before && written > 0 {
			return written
		}
		before = written
	}
	t.Fatalf("process %d never waits, %d bytes written", pid, before)
	return 0
}

func TestLongLineArrivesWhole(t *testing.T) {
	const size = 3<<20 + 5
	var text strings.Builder
	var more []bool
	c := sh(`head -c "$1" /dev/zero | tr '\0' x; echo; echo next`, strconv.Itoa(size))
	c.OnLine = func(l Line) {
		if len(l.Text) > maxLine {
			t.Errorf("line of %d bytes", len(l.Text))
		}
		text.WriteString(l.Text)
		more = append(more, l.More)
		if !l.More {
			text.WriteByte('\n')
		}
	}
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("x", size) + "\nnext\n"; text.String() != want {
		t.Errorf("got %d bytes, want %d", text.Len(), len(want))
	}
	if len(more) != 5 || more[3] || more[4] {
		t.Errorf("More is %v", more)
	}
}

func TestOutputIsCutIntoLines(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         []string
	}{
		{"no line end at the end", `printf 'one\ntwo'`, []string{"one", "two"}},
		{"progress", `printf '\r10%%\r20%%\r\ndone\n'`, []string{"10%", "20%", "done"}},
		{"invalid UTF-8", `printf 'a\377b\n'`, []string{"a\uFFFDb"}},
		{"nothing", ``, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := collect{t: t}
			c := sh(tt.script)
			c.OnLine = got.line
			if _, err := Run(testContext(t), c); err != nil {
				t.Fatal(err)
			}
			equalLines(t, "stdout", got.stdout, tt.want)
		})
	}
}

func TestSecretsOfTheProgramAreRedactedOnBothStreams(t *testing.T) {
	got := collect{t: t}
	c := sh(`echo "password: $SECRET"; printf %s "$SECRET" | base64 >&2`)
	c.Env = append(c.Env, "SECRET=correct horse battery")
	c.Redact = NewRedactor("correct horse battery")
	c.OnLine = got.line
	if _, err := Run(testContext(t), c); err != nil {
		t.Fatal(err)
	}
	equalLines(t, "stdout", got.stdout, []string{"password: [redacted]"})
	equalLines(t, "stderr", got.stderr, []string{"[redacted]"})
}

func BenchmarkRun(b *testing.B) {
	c := sh(`seq -f 'line %.0f: created resource deployments.apps/some-workload in namespace octo' 1 200000`)
	c.Redact = NewRedactor(benchmarkSecrets...)
	for b.Loop() {
		lines := 0
		c.OnLine = func(Line) { lines++ }
		if _, err := Run(b.Context(), c); err != nil || lines != 200_000 {
			b.Fatal(lines, err)
		}
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
