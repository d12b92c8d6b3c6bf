package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pulls are the results that helm may leave in its destination: a repository decides the file's name. leaves is a shell script that stands in for
// helm pull, with $to as the destination.
var pulls = []struct {
	name, leaves string
	refused      string // "" when the chart is taken
}{
	{"a chart", `echo chart >"$to/demo-1.2.3.tgz"`, ""},
	{"a name that rerun sources", `echo chart >"$to/env"`, ""},
	{"the name of a program of the run", `echo chart >"$to/rerun"`, ""},
	{"the event", `echo chart >"$to/event.json"`, ""},
	{"the values", `echo chart >"$to/values.yaml"`, ""},
	{"a hidden name", `echo chart >"$to/.hidden"`, ""},
	{"a name like a flag", `echo chart >"$to/-rf"`, ""},
	{"a name with spaces and quotes", `echo chart >"$to/a 'b\" *"`, ""},
	{"a name of two lines", `echo chart >"$to/$(printf 'a\nb')"`, ""},
	{"a file one level up", `echo chart >"$to/../x"`, "left: nothing"},
	{"the temporary file that helm leaves beside a name of two dots", `echo chart >"$to/../../chart1339071885"`, "left: nothing"},
	{"nothing", `:`, "left: nothing"},
	{"two files", `echo a >"$to/a.tgz"; echo b >"$to/b.tgz"`, "b.tgz"},
	{"a chart and a hidden file", `echo a >"$to/a.tgz"; echo b >"$to/.b"`, "./.b"},
	{"a link to a file of the run", `ln -s ../../../event.json "$to/a.tgz"`, "left: ./a.tgz"},
	{"a link to nothing", `ln -s nowhere "$to/a.tgz"`, "left: ./a.tgz"},
	{"a directory", `mkdir "$to/a.tgz"`, "left: ./a.tgz"},
	{"a pipe, which nobody could read to its end", `mkfifo "$to/a.tgz"`, "left: ./a.tgz"},
	{"a name that would colour the log", `mkdir "$to/$(printf '\033[31m')"`, "left: ./ [31m"},
}

func TestWhateverARepositoryCallsItsChartNothingElseInTheRunDirectoryChanges(t *testing.T) {
	const stub = "#!/bin/sh\nset -e\nwhile [ \"$1\" != --destination ]; do shift; done\nto=$2\n"
	for _, test := range pulls {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			must(t, os.WriteFile(filepath.Join(p.root, "bin", "helm"), []byte(stub+test.leaves+"\n"), 0o700))
			p.files("env", "rerun", "event.json", "values.yaml", "x")
			// A file that is left from an interrupted pull must not be taken for the chart.
			must(t, os.MkdirAll(filepath.Join(p.run, "pull", "chart", "file"), 0o700))
			p.files("pull/chart/file/old.tgz", "pull/old.tgz")

			_, stderr, exitCode := p.shell(pull, p.scripts.Path(ChartPull))

			want := map[string]string{"env": "", "rerun": "", "event.json": "", "values.yaml": "", "x": ""}
			if test.refused == "" {
				want["chart.tgz"] = "chart\n"
			}
			got := p.contents()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the run directory (-want +got):\n%s", diff)
			}
			if (exitCode != 0) != (test.refused != "") || !strings.Contains(stderr, test.refused) || strings.Contains(stderr, "\x1b") {
				t.Errorf("exit code %d, want %q in %q", exitCode, test.refused, stderr)
			}
		})
	}
}

func TestAPullReplacesTheChartOfAnEarlierOne(t *testing.T) {
	p := newPlace(t)
	must(t, os.WriteFile(filepath.Join(p.run, "chart.tgz"), []byte("old"), 0o600))
	if _, stderr, exitCode := p.shell(pull, p.scripts.Path(ChartPull)); exitCode != 0 {
		t.Fatalf("exit code %d: %s", exitCode, stderr)
	}
	if diff := cmp.Diff(map[string]string{"chart.tgz": ""}, p.contents()); diff != "" {
		t.Error(diff)
	}
}

// contents returns the files of the run directory outside of pull/, each with its text, or its type if it has none.
func (p *place) contents() map[string]string {
	p.t.Helper()
	entries, err := os.ReadDir(p.run)
	must(p.t, err)
	files := map[string]string{}
	for _, e := range entries {
		if e.Name() == "pull" && e.IsDir() {
			continue
		}
		if !e.Type().IsRegular() {
			files[e.Name()] = e.Type().String()
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.run, e.Name()))
		must(p.t, err)
		files[e.Name()] = string(text)
	}
	return files
}
