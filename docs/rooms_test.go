package docs

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var roomRow = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| .* \\| ([a-z0-9/, –]+) \\|$")

func TestTheTableOfRoomsSaysWhatTheCodeImports(t *testing.T) {
	const module = "octo-operator/"
	rooms := map[string]string{}
	for _, row := range roomRow.FindAllStringSubmatch(read(t, "architecture.md"), -1) {
		rooms[row[1]] = strings.Trim(row[2], "– ")
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
		room, inside := strings.CutPrefix(path, module)
		var own []string
		for imported := range strings.FieldsSeq(imports) {
			if other, is := strings.CutPrefix(imported, module); is {
				own = append(own, other)
			}
		}
		said, listed := rooms[room]
		switch {
		case !inside || room == "deploy" || room == "docs" || room == "dev/e2e": // the top, and rooms of tests alone
			continue
		case !listed:
			t.Errorf("room %s is not in the table of architecture.md", room)
		case said != strings.Join(slices.Sorted(slices.Values(own)), ", "):
			t.Errorf("room %s imports %s; the table says %q", room, strings.Join(own, ", "), said)
		}
		seen++
	}
	if seen != len(rooms) {
		t.Errorf("the table has %d rooms, the code %d", len(rooms), seen)
	}
}
