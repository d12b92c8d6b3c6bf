package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/scripts"
)

// lines returns findings as the command prints them.
func lines(findings []Finding) string {
	var all strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&all, "%d: %s: %s\n", f.Line, f.What, f.Do)
	}
	return all.String()
}

// Each file of testdata that ends in .script is a workload-deploy, except good-library, which is sourced. The good ones have no finding.
func TestWhatIsWrongWithAScriptIsSaidWithItsLineAndWhatToDo(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".script")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			step := scripts.WorkloadDeploy
			if name == "good-library" {
				step = ""
			}
			got := lines(Text(text, step))
			if strings.HasPrefix(name, "good-") {
				if got != "" {
					t.Errorf("it is good, and has findings:\n%s", got)
				}
				return
			}
			if got == "" {
				t.Error("nothing is found")
			}
			fixtures.Golden(t, name+".golden", []byte(got))
		})
	}
}

func TestTheDefaultScriptsHaveNoFindings(t *testing.T) {
	dir := t.TempDir()
	for _, name := range append(scripts.Names(), "lib.sh", "relay.sh") {
		text, err := scripts.Default(name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o700); err != nil {
			t.Fatal(err)
		}
		findings, err := File(t.Context(), file, StepOf(file))
		if err != nil || len(findings) > 0 {
			t.Errorf("%s: %v\n%s", name, err, lines(findings))
		}
	}
}

// The first example says itself that GITOPS_URL is to be set.
func TestTheExamplesOfTheDocumentationHaveNoOtherFindings(t *testing.T) {
	page, err := os.ReadFile("../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range strings.Split(string(page), "```sh\n#!")[1:] { // the others are for a terminal
		script, _, _ := strings.Cut("#!"+block, "```")
		for _, f := range Text([]byte(script), scripts.WorkloadDeploy) {
			found = append(found, f.What)
		}
	}
	if want := []string{"GITOPS_URL is used and never set, and scripts get only the variables of docs/scripts.md"}; !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
}

func TestAFileThatCannotBeRunIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want []string
	}{
		"not executable": {"#!/bin/sh\nset -eu\n", 0o644, []string{"it may not be executed"}},
		"no such shell":  {"#!/no/such/bash\nset -eu\n", 0o755, []string{"there is no /no/such/bash here to run it"}},
		"good":           {"#!/bin/sh\nset -eu\n", 0o755, nil},
	} {
		file := filepath.Join(t.TempDir(), scripts.WorkloadDeploy)
		if err := os.WriteFile(file, []byte(test.text), test.mode); err != nil {
			t.Fatal(err)
		}
		findings, err := File(t.Context(), file, StepOf(file))
		var got []string
		for _, f := range findings {
			got = append(got, f.What)
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %q, want %q", name, err, got, test.want)
		}
	}
	if _, err := File(t.Context(), "/no/such/script", ""); err == nil || !strings.Contains(err.Error(), "cannot look at the script: ") {
		t.Errorf("got %v", err)
	}
}

// Whatever this package's parser accepts, the shell that runs the script may still refuse.
func TestTheScriptsOwnShellIsAskedWhetherItCanReadIt(t *testing.T) {
	dir := t.TempDir()
	shell, file := filepath.Join(dir, "sh"), filepath.Join(dir, scripts.WorkloadDeploy)
	for path, text := range map[string]string{
		shell: "#!/bin/sh\n[ \"$1\" = -n ] && echo \"$2: line 2: unexpected word\" >&2\nexit 2\n",
		file:  "#!" + shell + "\nset -eu\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	findings, err := File(t.Context(), file, StepOf(file))
	if want := "2: syntax error: unexpected word: correct it: " + shell + " cannot read the script\n"; err != nil || lines(findings) != want {
		t.Errorf("%v, got\n%swant\n%s", err, lines(findings), want)
	}
}

func TestAScriptThatIsNestedWithoutEndIsASyntaxError(t *testing.T) {
	for _, word := range []string{"$(", "{ "} {
		text := "#!/bin/sh\nset -eu\n" + strings.Repeat(word, 64<<10/len(word))
		if findings := Text([]byte(text), scripts.WorkloadDeploy); len(findings) == 0 {
			t.Errorf("%s: nothing is found", word)
		}
	}
}

// Anybody may write a script: whatever it holds, it is read to its end, and each finding is about one of its lines.
func FuzzText(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.script")
	for _, file := range append(files, "../workload-deploy", "../relay.sh", "../lib.sh") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), scripts.WorkloadDeploy)
		f.Add(string(text), "")
	}
	f.Fuzz(func(t *testing.T, text, step string) {
		last := strings.Count(text, "\n") + 1
		for _, finding := range Text([]byte(text), step) {
			if finding.Line < 1 || finding.Line > last || finding.What == "" || finding.Do == "" {
				t.Errorf("of %d lines: %+v", last, finding)
			}
		}
	})
}
