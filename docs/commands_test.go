package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"octo-operator/cli"
)

var (
	inCode   = regexp.MustCompile("`([^`\n]+)`")
	operator = regexp.MustCompile(`(?:^|[\s/('])octo-operator((?:[ \t]+[^\s]+)*)`)
)

// commandLines are the words after octo-operator of each command of the program that stands in a document, in a block of code or between
// backticks, without what a shell would take for itself.
func commandLines(document string) (lines [][]string) {
	block := false
	for line := range strings.Lines(document) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			block = !block
			continue
		}
		pieces := []string{line}
		if !block {
			pieces = nil
			for _, found := range inCode.FindAllStringSubmatch(line, -1) {
				pieces = append(pieces, found[1])
			}
		}
		for _, piece := range pieces {
			for _, found := range operator.FindAllStringSubmatch(piece, -1) {
				words := strings.Fields(found[1])
				if end := slices.IndexFunc(words, func(word string) bool { return strings.ContainsAny(word[:1], "#|<>&;()\\…") }); end >= 0 {
					words = words[:end]
				}
				if len(words) > 0 {
					lines = append(lines, words)
				}
			}
		}
	}
	return lines
}

func program() *cobra.Command { return cli.Command("", func() error { return nil }) }

// unknown says what of a command line the program does not have; "": it has all of it.
func unknown(words []string) string {
	cmd := program()
	for len(words) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(words[0], "-") {
		next, _, err := cmd.Find(words[:1])
		if err != nil || next == cmd {
			if cmd.HasParent() { // an argument
				break
			}
			return "the command " + words[0]
		}
		cmd, words = next, words[1:]
	}
	cmd.InitDefaultHelpFlag()
	for _, word := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case !strings.HasPrefix(word, "-") || word == "-" || word == "--":
		case strings.HasPrefix(word, "--") && cmd.Flags().Lookup(name) == nil, !strings.HasPrefix(word, "--") && cmd.Flags().ShorthandLookup(name[:1]) == nil:
			return "the flag " + word + " of " + cmd.CommandPath()
		}
	}
	return ""
}

func documents(t *testing.T) []string {
	t.Helper()
	own, err := filepath.Glob("*.md")
	if err != nil || len(own) < 8 {
		t.Fatalf("documents: %v, %v", own, err)
	}
	return append(slices.Concat(own, decisions(t)), "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md", "../SECURITY.md", "../deploy/chart/README.md")
}

// A newcomer types what stands there.
func TestEachCommandAndFlagThatADocumentNamesExists(t *testing.T) {
	found := 0
	for _, document := range documents(t) {
		for _, words := range commandLines(read(t, document)) {
			found++
			if what := unknown(words); what != "" {
				t.Errorf("%s: octo-operator %s: there is no such thing as %s", document, strings.Join(words, " "), what)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d commands are named", found)
	}
}

func TestEachCommandOfTheProgramStandsInADocument(t *testing.T) {
	var all []string
	for _, document := range documents(t) {
		for _, words := range commandLines(read(t, document)) {
			all = append(all, strings.Join(words, " ")+" ")
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "octo-operator"), " ")
		if name != "" && name != "help" && !slices.ContainsFunc(all, func(line string) bool { return strings.HasPrefix(line, name+" ") }) {
			t.Errorf("no document shows octo-operator %s", name)
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(program())
}

func TestWhatIsNoCommandIsFound(t *testing.T) {
	for line, want := range map[string]string{
		"handle WorkloadDeployed event.json": "",
		"values --no-chart -":                "",
		"valuse event.json":                  "the command valuse",
		"values --explian event.json":        "the flag --explian of octo-operator values",
		"values -x":                          "the flag -x of octo-operator values",
	} {
		if got := unknown(strings.Fields(line)); got != want {
			t.Errorf("%s: %q, not %q", line, got, want)
		}
	}
	const page = "The octo-operator is here.\n`kubectl exec x -- octo-operator version` and `/var/lib/octo-operator`\n```sh\n./octo-operator values a.json | less   # octo-operator x\n```\n"
	var lines []string
	for _, words := range commandLines(page) {
		lines = append(lines, strings.Join(words, " "))
	}
	if got := strings.Join(lines, ", "); got != "version, values a.json" {
		t.Errorf("the page has the commands %q", got)
	}
}
