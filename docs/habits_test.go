package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func decisions(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("decisions/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("decisions: %v, %v", pages, err)
	}
	return pages
}

func TestEachDecisionIsAShortPageOfTheSameFormAndIsInTheList(t *testing.T) {
	index := read(t, "decisions/README.md")
	for _, page := range decisions(t) {
		name := filepath.Base(page)
		if name == "README.md" {
			continue
		}
		text := read(t, page)
		at := 0
		for _, part := range []string{"# ", "\n**Context.** ", "\n**Decision.** ", "\n**Measured.** ", "\n**Consequences.** ", "\n**What would change our mind.** "} {
			found := strings.Index(text[at:], strings.TrimRight(part, " "))
			if found < 0 {
				t.Errorf("%s: %q is missing, or not in its place", page, part)
				break
			}
			at += found + len(strings.TrimRight(part, " "))
		}
		if lines := strings.Count(text, "\n"); lines > 30 {
			t.Errorf("%s has %d lines: more than 30 are no short page", page, lines)
		}
		if !strings.Contains(index, "]("+name+")") {
			t.Errorf("decisions/README.md does not lead to %s", name)
		}
	}
}

func TestTheGlossarySaysOfEachWordWhatItIsInTwoSentencesAndWhereItIsSeen(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(read(t, "glossary.md"), -1)
	var words []string
	for _, row := range rows {
		words = append(words, row[1])
		if sentences := strings.Count(row[2], ". ") + 1; sentences > 2 || !strings.HasSuffix(row[2], ".") {
			t.Errorf("%s: %d sentences: %s", row[1], sentences, row[2])
		}
	}
	for _, word := range []string{"event", "run", "lane", "release", "chart", "values", "pool", "workload", "leader", "copy", "script", "report", "timeline", "moment", "phase", "wait", "changes", "plan"} {
		if !slices.Contains(words, word) {
			t.Errorf("%q is not in the glossary", word)
		}
	}
}

// A command that does not exist is the first thing that a newcomer would try.
func TestEachMakeTargetThatIsNamedExists(t *testing.T) {
	targets := map[string]bool{}
	for _, rule := range regexp.MustCompile(`(?m)^([a-z0-9 -]+):`).FindAllStringSubmatch(read(t, "../Makefile"), -1) {
		for _, target := range strings.Fields(rule[1]) {
			targets[target] = true
		}
	}
	files := append(documents(t), "../.github/pull_request_template.md", "../.github/workflows/ci.yml", "../.github/workflows/fuzz.yml")
	named := regexp.MustCompile("(?m)(?:`|^|run: )make ([a-z0-9-]+)")
	found := 0
	for _, file := range files {
		for _, use := range named.FindAllStringSubmatch(read(t, file), -1) {
			found++
			if !targets[use[1]] {
				t.Errorf("%s: there is no make %s", file, use[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("%d make targets are named", found)
	}
}

// What CONTRIBUTING.md says of CI, and what it asks of a contributor, is what CI runs.
func TestCIRunsWhatTheProjectPromises(t *testing.T) {
	for file, commands := range map[string][]string{
		"ci.yml":   {"make test", "make lint", "make vulnerabilities"},
		"fuzz.yml": {"make fuzz FUZZTIME=5m"},
	} {
		var workflow struct {
			Jobs map[string]struct{ Steps []struct{ Run string } }
		}
		if err := yaml.Unmarshal([]byte(read(t, "../.github/workflows/"+file)), &workflow); err != nil {
			t.Fatal(err)
		}
		var runs []string
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				runs = append(runs, strings.TrimSpace(step.Run))
			}
		}
		for _, command := range commands {
			if !slices.Contains(runs, command) {
				t.Errorf("%s does not run %s: %q", file, command, runs)
			}
		}
	}
}

// Without these a maintainer asks back before anything else.
func TestAReportOfAFaultAsksForVersionGenerationLogAndResult(t *testing.T) {
	forms, err := filepath.Glob("../.github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(forms) < 3 {
		t.Fatalf("forms: %v, %v", forms, err)
	}
	var asked []string
	for _, file := range forms {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var form struct {
			Name, Description string
			Body              []struct{ Type, ID string }
		}
		if err := yaml.Unmarshal(text, &form); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if filepath.Base(file) != "config.yml" && (form.Name == "" || form.Description == "" || len(form.Body) == 0) {
			t.Errorf("%s is no form of an issue: it lacks name, description or body", file)
		}
		if filepath.Base(file) == "bug.yml" {
			for _, part := range form.Body {
				asked = append(asked, part.ID)
			}
		}
	}
	for _, id := range []string{"version", "generation", "run", "log", "result"} {
		if !slices.Contains(asked, id) {
			t.Errorf("bug.yml does not ask for %s", id)
		}
	}
}
