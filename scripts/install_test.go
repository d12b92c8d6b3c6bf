package scripts

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/exec"
)

func TestShellcheckHasNothingToSay(t *testing.T) {
	program, err := osexec.LookPath("shellcheck")
	if err != nil {
		t.Fatalf("%v: apt-get install -y shellcheck", err)
	}
	args := slices.Concat(libraries, names)
	if output, err := osexec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestEveryScriptIsEmbeddedAndExecutable(t *testing.T) {
	entries, err := os.ReadDir(".")
	must(t, err)
	set, err := Install(t.TempDir(), "")
	must(t, err)
	found := 0
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if info.IsDir() || strings.Contains(entry.Name(), ".") {
			continue
		}
		found++
		if info.Mode()&0o111 == 0 {
			t.Errorf("%s is not executable", entry.Name())
		}
		if _, err := embedded.ReadFile(entry.Name()); err != nil {
			t.Error(err)
		}
		installed, err := os.Stat(set.Path(entry.Name()))
		must(t, err)
		if installed.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", set.Path(entry.Name()), installed.Mode().Perm())
		}
	}
	if found != len(names) {
		t.Errorf("found %d scripts, want %d: %q", found, len(names), names)
	}
	if _, err := os.Stat(set.Library()); err != nil {
		t.Error(err)
	}
}

func TestInstallAgainChangesNothingAndAnotherVersionGetsItsOwnPlace(t *testing.T) {
	state := t.TempDir()
	set, err := Install(state, "")
	must(t, err)
	before, err := os.ReadFile(set.Path(WorkloadDeploy))
	must(t, err)
	older := filepath.Join(state, "scripts", "0123456789ab")
	must(t, os.Mkdir(older, 0o700)) // an older version's, which a run may still refer to
	again, err := Install(state, "")
	must(t, err)
	if again != set {
		t.Errorf("got %+v, want %+v", again, set)
	}
	after, err := os.ReadFile(set.Path(WorkloadDeploy))
	must(t, err)
	if string(before) != string(after) {
		t.Error("the script changed")
	}
	if _, err := os.Stat(older); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Dir(set.Library()))
	must(t, err)
	if len(entries) != len(names)+len(libraries) {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAnOwnScriptReplacesOneAndKeepsTheRest(t *testing.T) {
	state, own := t.TempDir(), t.TempDir()
	mine := filepath.Join(own, WorkloadDeploy)
	must(t, os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o700))
	set, err := Install(state, own)
	must(t, err)
	for _, name := range names {
		if isMine := set.Path(name) == mine; isMine != (name == WorkloadDeploy) {
			t.Errorf("%s is %s", name, set.Path(name))
		}
	}
	// The directory is read at every run: a mounted ConfigMap changes under a running operator.
	must(t, os.Remove(mine))
	if set.Path(WorkloadDeploy) == mine {
		t.Error("the removed script is still used")
	}
}

func TestAConfigMapIsMountedAsItIs(t *testing.T) {
	own := t.TempDir()
	data := filepath.Join(own, "..2026_11_23_12_00_00.123")
	must(t, os.Mkdir(data, 0o755))
	must(t, os.WriteFile(filepath.Join(data, WorkloadDeploy), []byte("#!/bin/sh\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(data, "chat-url.txt"), nil, 0o644))
	must(t, os.Symlink(filepath.Base(data), filepath.Join(own, "..data")))
	for _, name := range []string{WorkloadDeploy, "chat-url.txt"} {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(own, name)))
	}
	set, err := Install(t.TempDir(), own)
	must(t, err)
	if got := set.Path(WorkloadDeploy); got != filepath.Join(own, WorkloadDeploy) {
		t.Errorf("got %s", got)
	}
}

func TestADirectoryThatCannotBeUsedIsAClearError(t *testing.T) {
	own := t.TempDir()
	must(t, os.WriteFile(filepath.Join(own, "workload_deploy"), nil, 0o700))
	must(t, os.WriteFile(filepath.Join(own, "notify"), nil, 0o700))
	file := filepath.Join(own, "workload_deploy")
	for _, test := range []struct {
		name, state, own string
		want             []string
	}{
		{"unknown names", t.TempDir(), own, []string{"OPERATOR__SCRIPTSDIR", file + " is none of the scripts chart-pull, pool-deploy,",
			filepath.Join(own, "notify"), "rename it, or give it an ending such as .sh"}},
		{"no directory", t.TempDir(), filepath.Join(own, "none"), []string{"OPERATOR__SCRIPTSDIR", filepath.Join(own, "none"), "no such file"}},
		{"state below a file", filepath.Join(file, "state"), "", []string{"cannot install the scripts", file}},
	} {
		_, err := Install(test.state, test.own)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want …%s…", test.name, err, want)
			}
		}
	}
}

func TestAnOwnScriptThatIsNotExecutableIsSaidSoWithTheWayOut(t *testing.T) {
	own := t.TempDir()
	mine := filepath.Join(own, WorkloadDeploy)
	must(t, os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o600))
	set, err := Install(t.TempDir(), own)
	must(t, err)
	_, err = exec.Run(t.Context(), exec.Command{Path: set.Path(WorkloadDeploy)})
	if start := (*exec.StartError)(nil); !errors.As(err, &start) || !strings.Contains(err.Error(), "it is not executable: chmod +x "+mine) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsInstalledAlreadyIsNotWrittenAgain(t *testing.T) {
	state := t.TempDir()
	set, err := Install(state, "")
	if err != nil {
		t.Fatal(err)
	}
	inode := func(name string) os.FileInfo {
		info, err := os.Stat(set.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	same, changed, locked := inode(ChartPull), inode(PoolDeploy), inode(WorkloadScale)
	if err := os.WriteFile(set.Path(PoolDeploy), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(set.Path(WorkloadScale), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(state, ""); err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(same, inode(ChartPull)) {
		t.Error("a script that was there was written again")
	}
	if os.SameFile(changed, inode(PoolDeploy)) || os.SameFile(locked, inode(WorkloadScale)) || inode(WorkloadScale).Mode() != 0o700 {
		t.Error("a script that was changed, or may not be run, was left so")
	}
}
