package config

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of settings into docs/settings.md")

const (
	page  = "../docs/settings.md"
	begin = "<!-- This list is made from config/table.go by go test ./config -update -->\n"
	end   = "<!-- end of the list -->\n"
)

func TestTheSettingsPageListsEverySetting(t *testing.T) {
	file, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(file), begin)
	list, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the list: %s…%s", page, begin, end)
	}
	want := markdown()
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if list != want {
		t.Errorf("%s differs from the table: run go test ./config -update", page)
	}
}

func markdown() string {
	var b strings.Builder
	c := &Config{}
	for _, group := range []struct {
		title, first string
		settings     []setting
	}{
		{"The reference operator's", "| setting | default | meaning |\n|---|---|---|\n", slices.Concat(connection(c), workloads(c), listening(c))},
		{"This operator's own", "| setting | default | meaning |\n|---|---|---|\n", own(c)},
		{"OpenTelemetry's, for traces", "| setting | default | meaning |\n|---|---|---|\n", telemetry(c)},
		{"Known, and without effect here", "| setting | why |\n|---|---|\n", ignored()},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s", group.title, group.first)
		for _, s := range group.settings {
			b.WriteString(row(s))
		}
	}
	return b.String() + "\n"
}

func row(s setting) string {
	name := "`" + s.Name + "`"
	if s.Decides {
		name = "**" + name + "**"
	}
	if s.Secret {
		name += " (secret)"
	}
	for _, alias := range s.Aliases {
		name += " (`" + strings.Replace(alias, "OPERATOR__", "…", 1) + "`)"
	}
	if s.ignored() {
		return fmt.Sprintf("| %s | %s |\n", name, s.Meaning)
	}
	value := "–"
	if s.Default != "" {
		value = "`" + s.Default + "`"
	}
	return fmt.Sprintf("| %s | %s | %s |\n", name, value, s.Meaning)
}
