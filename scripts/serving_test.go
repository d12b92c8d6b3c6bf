package scripts

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"octo-operator/exec"
)

var variableName = regexp.MustCompile(`OCTO_[A-Z_]*[A-Z]`)

func TestTheContractSaysWhichVariablesEachScriptGets(t *testing.T) {
	page, err := os.ReadFile("../docs/scripts.md")
	must(t, err)
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)`(.*?)\\|.*?\\|(.*?)\\|.*\\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) != len(names) {
		t.Errorf("docs/scripts.md has %d scripts, want %d", len(rows), len(names))
	}
	for _, row := range rows {
		said := variableName.FindAllString(row[2]+row[3], -1)
		for _, name := range Variables(row[1]) {
			general := slices.Contains(strings.Fields(everyScript+" TENANT LOOKS_UP "+guarded), strings.TrimPrefix(name, "OCTO_"))
			if !general && !slices.Contains(said, name) {
				t.Errorf("docs/scripts.md does not say that %s gets %s", row[1], name)
			}
			if !strings.Contains(string(page), name) {
				t.Errorf("docs/scripts.md lacks %s", name)
			}
		}
		for _, name := range said {
			if !slices.Contains(Variables(row[1]), name) {
				t.Errorf("docs/scripts.md says that %s gets %s", row[1], name)
			}
		}
	}
}

func TestAScriptSeesNoOtherVariablesThanTheContractNames(t *testing.T) {
	for _, name := range exec.DefaultEnv {
		if !slices.Contains(Environment(), name) {
			t.Errorf("scripts get %s, and the contract's list lacks it", name)
		}
	}
}

func TestEachStepIsServedByTheFileThatWouldRun(t *testing.T) {
	own := t.TempDir()
	mine := filepath.Join(own, WorkloadScale)
	must(t, os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o755))
	must(t, os.Mkdir(filepath.Join(own, PoolDeploy), 0o755))
	all, err := ServeAll(own)
	if err == nil || !strings.Contains(err.Error(), "cannot read the script of pool-deploy") {
		t.Errorf("got %v", err)
	}
	set, err := Install(t.TempDir(), own)
	must(t, err)
	for _, s := range all {
		if s.Own() != set.Replaced(s.Step) || s.Own() && s.Path != set.Path(s.Step) {
			t.Errorf("%s is served by %q, and %s would run", s.Step, s.Path, set.Path(s.Step))
		}
	}
	if len(all) != len(names) {
		t.Errorf("%d steps of %d", len(all), len(names))
	}
	must(t, os.WriteFile(filepath.Join(own, "typo"), nil, 0o755))
	if _, err = ServeAll(own); err == nil || !strings.Contains(err.Error(), "the operator does not start with OPERATOR__SCRIPTSDIR") {
		t.Errorf("got %v", err)
	}
}

func TestADiffIsThatOfDiffU(t *testing.T) {
	long := func(n int) string { return strings.Repeat("same\n", n) }
	for name, test := range map[string]struct{ a, b string }{
		"the same":           {"a\nb\n", "a\nb\n"},
		"one line":           {"a\n", "b\n"},
		"from nothing":       {"", "a\nb\n"},
		"to nothing":         {"a\nb\n", ""},
		"at the end":         {long(9) + "a\n", long(9) + "b\n"},
		"at the begin":       {"a\n" + long(9), "b\n" + long(9)},
		"far apart":          {"a\n" + long(9) + "c\n" + long(9) + "x\n", "b\n" + long(9) + "c\n" + long(9) + "y\n"},
		"near":               {"a\n" + long(6) + "x\n", "b\n" + long(6) + "y\n"},
		"added and removed":  {"1\n2\n3\n4\n5\n6\n7\n8\n", "1\n3\n4\n5\n5a\n6\n7\n8\n9\n"},
		"no line end":        {"a\nb", "a\nb\n"},
		"neither a line end": {"a\nb", "a\nc"},
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "a"), []byte(test.a), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "b"), []byte(test.b), 0o600))
		command := osexec.Command("diff", "-u", "--label", "a", "--label", "b", "a", "b")
		command.Dir = dir
		want, _ := command.Output() // 1 where they differ
		got, _, _ := Diff("a", "b", []byte(test.a), []byte(test.b))
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestADiffCountsItsLines(t *testing.T) {
	_, added, removed := Diff("a", "b", []byte("1\n2\n3\n"), []byte("1\n3\n4\n5\n"))
	if added != 2 || removed != 1 {
		t.Errorf("%d added, %d removed", added, removed)
	}
	big := []byte(strings.Repeat("x\n", longestCompared+1))
	if _, added, removed = Diff("a", "b", big, append(big, "y\n"...)); added != 1 || removed != 0 {
		t.Errorf("of long texts: %d added, %d removed", added, removed)
	}
}
