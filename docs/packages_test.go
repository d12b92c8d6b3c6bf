package docs

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var packageRow = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| .* \\| ([a-z0-9/, –]+) \\|$")

func TestTheTableOfPackagesSaysWhatTheCodeImports(t *testing.T) {
	const module = "octo-operator/"
	packages := map[string]string{}
	for _, row := range packageRow.FindAllStringSubmatch(read(t, "architecture.md"), -1) {
		packages[row[1]] = strings.Trim(row[2], "– ")
	}
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, inside := strings.CutPrefix(path, module)
		var own []string
		for imported := range strings.FieldsSeq(imports) {
			if other, is := strings.CutPrefix(imported, module); is {
				own = append(own, other)
			}
		}
		said, listed := packages[name]
		switch {
		case !inside || name == "deploy" || name == "docs" || name == "dev/e2e": // the top, and packages of tests alone
			continue
		case !listed:
			t.Errorf("package %s is not in the table of architecture.md", name)
		case said != strings.Join(slices.Sorted(slices.Values(own)), ", "):
			t.Errorf("package %s imports %s; the table says %q", name, strings.Join(own, ", "), said)
		}
		seen++
	}
	if seen != len(packages) {
		t.Errorf("the table has %d packages, the code %d", len(packages), seen)
	}
}
