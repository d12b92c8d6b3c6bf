package scripts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTool stands in for helm and kubectl: the tests check the command lines that they get. It writes its name and arguments to $FAKE_ARGV, prints
// $FAKE_DEPLOYMENTS for a list of Deployments and $FAKE_METHOD as how a release is applied, leaves a chart where helm pull would, and fails when
// $FAKE_FAILS is among its arguments.
const fakeTool = `#!/bin/sh
{ printf '%s' "${0##*/}"; for a do printf '\037%s' "$a"; done; printf '\036'; } >>"$FAKE_ARGV"
case " $* " in
    *" ${FAKE_FAILS:-nothing does} "*) echo "Error: ${FAKE_WORDS:-the fake fails}" >&2; exit 1 ;;
    *" get metadata "*) printf '{"applyMethod":"%s"}' "${FAKE_METHOD-ssa}" ;;
    *" get deployments "*) printf '%s' "${FAKE_DEPLOYMENTS-}" ;;
    " template "*) printf 'kind: Demo\n' ;;
esac
while [ $# -gt 1 ]; do
    [ "$1" != --destination ] || [ ! -d "$2" ] || : >"$2/demo-1.2.3.tgz"
    shift
done
`

// place is a run directory beside the installed scripts and the fakes, all below a path that needs quoting.
type place struct {
	t             *testing.T
	root, run, at string
	scripts       Set
}

func newPlace(t *testing.T) *place {
	t.Helper()
	root := t.TempDir()
	p := &place{t: t, root: root, run: filepath.Join(root, `it's "a" run`), at: filepath.Join(root, "argv")}
	for _, dir := range []string{p.run, filepath.Join(root, "bin")} {
		must(t, os.Mkdir(dir, 0o700))
	}
	for _, tool := range []string{"helm", "kubectl", "octo-operator"} {
		must(t, os.WriteFile(filepath.Join(root, "bin", tool), []byte(fakeTool), 0o700))
	}
	var err error
	p.scripts, err = Install(filepath.Join(root, "it's the state"), "")
	must(t, err)
	return p
}

func (p *place) files(names ...string) {
	p.t.Helper()
	for _, name := range names {
		must(p.t, os.MkdirAll(filepath.Dir(filepath.Join(p.run, name)), 0o700))
		must(p.t, os.WriteFile(filepath.Join(p.run, name), nil, 0o600))
	}
}

// shell runs a shell as the operator runs a script: in the run directory, with only these variables. It is dash, or the image's shell when the tests
// run a second time for that shell.
func (p *place) shell(variables []string, args ...string) (stdout, stderr string, exitCode int) {
	p.t.Helper()
	cmd, path := exec.Command("dash", args...), "/usr/bin:/bin"
	if tools := os.Getenv(imageTools); tools != "" {
		cmd, path = exec.Command(filepath.Join(tools, "sh"), args...), tools
	}
	cmd.Dir = p.run
	cmd.Env = append([]string{
		"PATH=" + filepath.Join(p.root, "bin") + ":" + path, "FAKE_ARGV=" + p.at, "OCTO_LIB=" + p.scripts.Library(),
		"OCTO_SCALE_SCRIPT=" + p.scripts.Path(WorkloadScale), "OCTO_OPERATOR=octo-operator",
	}, variables...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("cannot run %s: %v: apt-get install -y dash", cmd.Path, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// argv returns the commands since the last call, each as a list of words.
func (p *place) argv() (commands [][]string) {
	p.t.Helper()
	text, err := os.ReadFile(p.at)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(p.t, err)
	must(p.t, os.Remove(p.at))
	for command := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x1e"), "\x1e") {
		commands = append(commands, strings.Split(command, "\x1f"))
	}
	return commands
}

// announced returns the command lines on stderr.
func announced(stderr string) (lines []string) {
	for line := range strings.Lines(stderr) {
		if command, ok := strings.CutPrefix(line, "+ "); ok {
			lines = append(lines, strings.TrimSuffix(command, "\n"))
		}
	}
	return lines
}

// withoutLookups leaves out commands that only read, which a script need not announce.
func withoutLookups(commands [][]string) (changes [][]string) {
	for _, command := range commands {
		if command[1] == "get" || command[0] == "octo-operator" {
			continue
		}
		changes = append(changes, command)
	}
	return changes
}

// report returns what a script has printed and which commands it has run, without the name of the temporary directory.
func (p *place) report(stdout, stderr string, exitCode int, commands [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "exit code %d\n", exitCode)
	for _, stream := range []struct{ name, text string }{{"stdout", stdout}, {"stderr", stderr}} {
		if stream.text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s", stream.name, stream.text)
		}
	}
	for _, command := range commands {
		fmt.Fprintf(&b, "\n%s\n", command[0])
		for _, word := range command[1:] {
			fmt.Fprintf(&b, "    %s\n", word)
		}
	}
	return strings.ReplaceAll(b.String(), p.root, "/ROOT")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
