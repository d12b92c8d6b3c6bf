package merge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"octo-operator/bounds"
)

// allocated returns how many MiB f allocates in total, including garbage. That is an upper bound for its memory at any time, and does not depend on
// the machine's speed or on when garbage is collected.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) >> 20)
}

func repeat(s string, count int) string { return strings.Repeat(s, count) }

// nested returns nested maps with inner in the innermost.
func nested(levels int, inner string) string {
	return repeat("{a: ", levels) + inner + repeat("}", levels)
}

func bomb(anchored, alias string, aliases int) string {
	return "version: 1.0.0\na: &x " + anchored + "\nb: [" + repeat(alias+",", aliases) + "]\n"
}

func schemaOf(keyword string, properties int, pattern string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"%s":{`, keyword)
	for i := range properties {
		fmt.Fprintf(&b, `"%s%d":{},`, pattern, i)
	}
	return strings.TrimSuffix(b.String(), ",") + "}}"
}

func manyOverrides(count int, path func(i int) string, value string, secret bool) []Override {
	var overrides []Override
	for i := range count {
		overrides = append(overrides, Override{Path: path(i), Value: value, Secret: secret})
	}
	return overrides
}

func numbered(i int) string { return "x" + strconv.Itoa(i) }

func inList(i int) string { return "x[" + strconv.Itoa(i) + "]" }

func TestWhatWouldExhaustTheMemoryIsRefusedInAFewMiB(t *testing.T) {
	values := func(doc string) Input { return Input{Values: []byte(doc)} }
	overrides := func(o []Override) Input { return Input{Overrides: o, SecretName: "s"} }
	schema := func(text string) Input {
		return Input{ChartSchema: []byte(text), Overrides: manyOverrides(300, numbered, "1", false)}
	}
	for _, test := range []struct {
		name string
		in   Input
		want string // in the error
		mib  int
	}{
		{"a list of 4 MiB", values("a: [" + repeat("1,", 2<<20) + "]"), "places at which a value may begin", 1},
		{"a list of empty maps", values("a: [" + repeat("{},", 1<<20) + "]"), "places at which a value may begin", 1},
		{"a list of dashes", values(repeat("-\n", 2<<20)), "places at which a value may begin", 1},
		{"a list of 4 MiB, 95 deep", values(nested(95, "["+repeat("1,", 2<<20)+"]")), "places at which a value may begin", 1},
		{"what is small, but not when each line is indented", values(nested(95, "["+repeat("1,", 45_000)+"]")), "the merged values have more than", 80},
		{"lines of text that are indented", values(nested(95, `"`+repeat(`x\n`, 50_000)+`"`)), "the merged values have more than", 60},
		{"words that are folded behind a deep indent", values(nested(95, `"`+repeat(`x `, 50_000)+`"`)), "the merged values have more than", 60},
		{"thousands of documents", values(repeat("a:\n---\n", 20_000)), "more than 1000 documents", 5},
		{"thousands of empty documents", values(repeat("---\n", 16_000)), "more than 1000 documents", 10},
		{"aliases of a long text", values(bomb(repeat("y", 200_000), "*x", 45_000)), "aliases expand to more than", 60},
		{"aliases of a long list", values(bomb("["+repeat("1,", 1000)+"]", "*x", 5000)), "aliases expand to more than", 10},
		{"aliases of aliases", values(aliasBomb()), "aliases expand to more than", 5},
		{"a text of 6 MiB", values(repeat("#", 6<<20)), "6291456 bytes", 1},
		{"the chart's values", Input{Context: map[string]any{"a": 1}, ChartValues: []byte(bomb(repeat("y", 200_000), "*x", 45_000))}, "the chart's values.yaml: its aliases expand to more than", 60},
		{"a schema of 120,000 patterns", schema(schemaOf("patternProperties", 120_000, "^p")), "values.schema.json: it has", 10},
		{"a schema of 30,000 patterns, within the limit", schema(schemaOf("patternProperties", 30_000, "^p")), "values.schema.json: it takes too long", 200},
		{"patterns that are large programs", schema(schemaOf("patternProperties", 300, `^([a-z]{500}|[0-9]{500}){2}`)), "values.schema.json: it takes too long", 120},
		{"a schema of 25,000 patterns, each tried on one name a hundred times", Input{ChartSchema: []byte(schemaOf("patternProperties", 25_000, "^p")), Overrides: manyOverrides(100, inList, "1", false)}, "values.schema.json: it takes too long", 200},
		{"overrides without end", overrides(manyOverrides(100_000, numbered, "", true)), "cannot set 100000 overrides", 1},
		{"overrides of lists", Input{ChartSchema: []byte(`{"additionalProperties":{"type":"array"}}`), Overrides: manyOverrides(1000, numbered, "["+repeat("1,", 1000)+"]", false)}, "cannot set overrides of", 3},
		{"overrides of deep paths", overrides(manyOverrides(bounds.Overrides, func(i int) string { return numbered(i) + repeat(".a", 90) }, "", false)), "would add more than", 150},
		{"overrides far out in lists", overrides(manyOverrides(10, func(i int) string { return numbered(i) + "[65000]" }, "", false)), "would add more than", 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			var err error
			mib := allocated(func() { _, err = Document(test.in) })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if mib > test.mib {
				t.Errorf("it took %d MiB to find out, want at most %d", mib, test.mib)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// largest are the worst documents that are not refused: those of an event and of its chart together.
func largest() map[string]Input {
	maps := func(name string) []byte { return []byte(name + ": [" + repeat("{a},", 24_000) + "]") }
	escaped := func(name string) []byte { return []byte(name + ": '" + repeat("<", 870_000) + "'") }
	text := func(name string) []byte { return []byte(name + ": '" + repeat("x", 5<<20-100) + "'") }
	schema := func(of string) []byte { return []byte(`{"x":[` + repeat(of+",", 45_000) + `1]}`) }
	return map[string]Input{
		"small maps":            {Values: maps("a"), ChartValues: maps("b"), ChartSchema: schema("{}")},
		"text that is escaped":  {Values: escaped("a"), ChartValues: escaped("b"), ChartSchema: []byte(`{"x":"` + repeat("<", 5<<20-100) + `"}`)},
		"text":                  {Values: text("a"), ChartValues: text("b"), ChartSchema: []byte(`{"x":"` + repeat("x", 5<<20-100) + `"}`)},
		"numbers":               {Values: []byte("a: [" + repeat("1,", 48_000) + "]"), ChartValues: []byte("b: [" + repeat("1,", 48_000) + "]"), ChartSchema: schema("1")},
		"overrides":             {Overrides: manyOverrides(bounds.Overrides, func(i int) string { return numbered(i) + ".a.b" }, repeat("x", 2400), true), SecretName: "s"},
		"anchors in each other": {Values: []byte("a: &x [" + repeat("1,", 4000) + "]\nb: [" + repeat("*x,", 10) + "]"), ChartValues: maps("b")},
	}
}

// The operator takes another 20 MiB, and holds the event in several forms. Together that must stay below 150 MiB.
func TestTheLargestDocumentsTakeLessThan100MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests of this package once more")
	}
	plain := filepath.Join(t.TempDir(), "test") // without the race detector, which takes ten times as much memory and time
	if out, err := exec.Command("go", "test", "-c", "-o", plain, ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build the tests without the race detector: %v\n%s", err, out)
	}
	for name := range largest() {
		t.Run(name, func(t *testing.T) {
			again := exec.Command(plain)
			// Otherwise the heap goes on growing while garbage is collected: the longer the collector waits for a processor, the more.
			again.Env = append(os.Environ(), "MERGE_TEST_LARGEST="+name, "GODEBUG=gcstoptheworld=1")
			out, err := again.CombinedOutput()
			kib, readErr := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil || readErr != nil || kib > 100<<10 {
				t.Errorf("%s KiB at the highest, %v", out, err)
			}
		})
	}
}

// TestMain lets the test binary also be a process that works on one document, with the operator's settings of the garbage collector, and prints its
// peak memory.
func TestMain(m *testing.M) {
	name := os.Getenv("MERGE_TEST_LARGEST")
	if name == "" {
		os.Exit(m.Run())
	}
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(80 << 20)
	if _, err := Document(largest()[name]); err != nil {
		fmt.Println(err)
		return
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			fmt.Println(fields[1])
		}
	}
}
