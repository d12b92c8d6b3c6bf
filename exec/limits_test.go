package exec

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hungry is a Go program, as helm and kubectl are, that allocates a number of MiB.
func hungry(t *testing.T, mib int) Command {
	t.Helper()
	self, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Path: self, Env: []string{"EXEC_TEST_ALLOCATE=" + strconv.Itoa(mib)}}
}

// outOfMemory is how Go's runtime says that it gets no memory: for an object, or for its own use.
var outOfMemory = regexp.MustCompile(`out of memory|cannot allocate memory`)

func TestAProgramGetsTheMemoryOfItsLimitAndNoMore(t *testing.T) {
	within := map[string]func(Command) Command{
		"itself": func(c Command) Command { return c },
		"a script's background child": func(c Command) Command {
			script := sh(`"$1" & wait $!`, c.Path)
			script.Env = append(script.Env, c.Env...)
			return script
		},
	}
	for name, as := range within {
		for _, mib := range []int{60, 1000} {
			t.Run(name+" "+strconv.Itoa(mib), func(t *testing.T) {
				got := collect{t: t}
				c := as(hungry(t, mib))
				c.Limits, c.OnLine = Limits{Memory: 200 << 20}, got.line
				_, err := Run(testContext(t), c)
				errors := strings.Join(got.stderr, "\n")
				switch fits := mib < 200; {
				case fits && (err != nil || strings.Join(got.stdout, "") != "enough true"):
					t.Errorf("%v, it says %q, %s", err, got.stdout, errors)
				case !fits && (err == nil || !outOfMemory.MatchString(errors)):
					t.Errorf("%v, it says %q", err, errors)
				}
			})
		}
	}
}

func TestASmallLimitLetsAGoProgramStart(t *testing.T) {
	c := hungry(t, 1)
	c.Limits = Limits{Memory: 32 << 20}
	if out, err := Capture(testContext(t), c); err != nil || out != "enough true\n" {
		t.Errorf("%v, it says %q", err, out)
	}
}

func TestNoFileOfACommandGrowsBeyondItsLimit(t *testing.T) {
	for name, script := range map[string]string{
		"by a program":    `yes | head -c 3000000 >file`,
		"by a background": `(yes >file) & wait $!`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := sh(script)
			c.Dir, c.Limits = dir, Limits{FileSize: 1 << 20}
			if _, err := Run(testContext(t), c); err == nil {
				t.Error("no error")
			}
			if info, err := os.Stat(filepath.Join(dir, "file")); err != nil || info.Size() != 1<<20 {
				t.Errorf("the file: %v, %v", info, err)
			}
		})
	}
}

func TestLimitsHigherThanTheOperatorsOwnKeepNothingFromStarting(t *testing.T) {
	self, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	operator := Command{Path: self, Env: []string{"EXEC_TEST_LIMITED=ulimit -f"}, Limits: Limits{Memory: 256 << 20, FileSize: 1 << 20}}
	if out, err := Capture(testContext(t), operator); err != nil || out != "2048\n<nil>\n" {
		t.Errorf("%v, it says %q", err, out)
	}
}

func TestALimitedCommandIsTheSameToItself(t *testing.T) {
	got := collect{t: t}
	c := sh(`for word do printf '<%s>' "$word"; done; echo; printenv A; exit 7`, "two words", "", `quo"te'`)
	c.Env, c.Limits, c.OnLine = append(c.Env, "A=1"), Limits{Memory: 1 << 30, FileSize: 1 << 30}, got.line
	res, err := Run(testContext(t), c)
	if res.ExitCode != 7 || errText(err) != "cannot complete /bin/sh: exit code 7" {
		t.Errorf("%+v, %v", res, err)
	}
	equalLines(t, "stdout", got.stdout, []string{`<two words><><quo"te'>`, "1"})
}

// Measures what limits cost per command.
func BenchmarkLimits(b *testing.B) {
	for name, limits := range map[string]Limits{"without limits": {}, "with limits": {Memory: 1 << 30, FileSize: 1 << 30}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(b.Context(), Command{Path: "/bin/sh", Args: []string{"-c", ":"}, Limits: limits}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
