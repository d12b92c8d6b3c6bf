// Package docs has no code. Its tests keep the documents true.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	testName  = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	namedTest = regexp.MustCompile("\\[`((?:Test|Fuzz)[A-Z]\\w*)`\\]\\(([^)#]+_test\\.go)\\)")
)

func TestEachPromiseNamesTestsThatExist(t *testing.T) {
	text := read(t, "security.md")
	tests := namedTest.FindAllStringSubmatch(text, -1)
	if names := testName.FindAllString(text, -1); len(tests) < 20 || len(names) != len(tests) {
		t.Errorf("%d tests are named, %d of them with a link to their file", len(names), len(tests))
	}
	for _, test := range tests {
		code, err := os.ReadFile(test[2])
		if err != nil || !strings.Contains(string(code), "\nfunc "+test[1]+"(") {
			t.Errorf("%s is not in %s: %v", test[1], test[2], err)
		}
	}
	_, promises, _ := strings.Cut(text, "\n## Promises\n")
	promises, _, _ = strings.Cut(promises, "\n## ")
	rows := 0
	for line := range strings.Lines(promises) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| promise ") {
			rows++
			if !namedTest.MatchString(line) {
				t.Errorf("no test keeps the promise %s", line)
			}
		}
	}
	if rows < 10 {
		t.Errorf("%d promises", rows)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestEachLinkOfTheDocumentsLeadsSomewhere(t *testing.T) {
	for _, document := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(read(t, document), -1) {
			file, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			to := filepath.Join(filepath.Dir(document), file)
			if file == "" {
				to = document
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s leads nowhere", document, found[1])
			} else if anchor != "" && !hasHeading(read(t, to), anchor) {
				t.Errorf("%s: %s has no heading #%s", document, to, anchor)
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// hasHeading tells whether a document has the heading that an anchor is made of.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			if strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
