package e2e

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lookAtParent is a fake helm that prints what it can find out about the program that has started it.
const lookAtParent = `#!/bin/sh
parent=/proc/$PPID
for file in environ maps mem; do
    if head -c 1 "$parent/$file" >/dev/null 2>"$0.why" || ! grep -q 'Permission denied' "$0.why"; then echo "open: $file" >>"$0.found"; fi
done
for link in cwd exe fd root; do
    if ls "$parent/$link/" >/dev/null 2>&1 || readlink "$parent/$link" >/dev/null 2>&1; then echo "open: $link" >>"$0.found"; fi
done
tr '\0' '\n' <"/proc/$$/environ" >"$0.environ" # its own, which is to show that looking works
tr '\0' '\n' <"$parent/comm" >"$0.parent"
echo v4.0.0
`

// A process of the same user beside the operator, for example a script that somebody has swapped, can read secrets neither from its
// environment nor from its memory.
func TestWhatTheOperatorStartsCannotReadItsEnvironmentOrMemory(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "octo-hidden-") // the test's own temporary directory is in one of root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(operatorBinary)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "octo-operator"), binary, 0o755)
	}
	for _, tool := range []string{"helm", "kubectl"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, tool), []byte(lookAtParent), 0o755)
		}
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	line := []string{filepath.Join(dir, "octo-operator"), "version"}
	if os.Geteuid() == 0 { // root may read everything
		line = append([]string{"setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"}, line...)
	}
	cmd := osexec.Command(line[0], line[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "OPERATOR__BROKERPASSWORD=" + brokerPassword}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tool := range []string{"helm", "kubectl"} {
		read := func(what string) string {
			text, _ := os.ReadFile(filepath.Join(dir, tool+"."+what))
			return string(text)
		}
		if parent := read("parent"); parent != "octo-operator\n" {
			t.Fatalf("%s was started by %q", tool, parent)
		}
		if own := read("environ"); !strings.Contains(own, "PATH=") || strings.Contains(own, brokerPassword) {
			t.Errorf("the environment of %s is\n%s", tool, own)
		}
		if found := read("found"); found != "" {
			t.Errorf("what %s can look at of the operator:\n%s", tool, found)
		}
	}
}
