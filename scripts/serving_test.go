package scripts

import (
	"os"
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

func TestADiffSaysWhatHasToBeChanged(t *testing.T) {
	long := strings.Repeat("same\n", 9)
	for name, test := range map[string]struct{ a, b, want string }{
		"the same": {"a\nb\n", "a\nb\n", ""},
		"one line": {"a\n", "b\n", "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-a\n+b\n"},
		"at the end": {long + "a\n", long + "b\n",
			"--- a\n+++ b\n@@ -7,4 +7,4 @@\n same\n same\n same\n-a\n+b\n"},
	} {
		if got, _, _ := Diff("a", "b", []byte(test.a), []byte(test.b)); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestADiffCountsItsLines(t *testing.T) {
	_, added, removed := Diff("a", "b", []byte("1\n2\n3\n"), []byte("1\n3\n4\n5\n"))
	if added != 2 || removed != 1 {
		t.Errorf("%d added, %d removed", added, removed)
	}
}
