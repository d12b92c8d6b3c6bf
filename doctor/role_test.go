package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// roleRule is a rule in a role of the chart.
type roleRule struct {
	APIGroups []string `yaml:"apiGroups"`
	Resources []string
	Verbs     []string
}

// The permissions that are checked must be those that the chart gives, so both lists are compared. The templates have the
// rules of namespaces; the other two lists come from the rendered chart, which a test in dev/e2e compares with helm's rendering.
func TestThePermissionsAreThoseOfTheChartsRole(t *testing.T) {
	for of, test := range map[string]struct {
		chart []roleRule
		ours  []rule
	}{
		"octo.watchRules":   {inTemplate(t, "octo.watchRules"), watchRules},
		"octo.releaseRules": {inTemplate(t, "octo.releaseRules"), releaseRules},
		"the ClusterRole":   {rendered(t, "default", "ClusterRole", "octo-communication-operator"), slices.Concat(watchRules, webhookRules)},
		"the Role":          {rendered(t, "default", "Role", "octo-communication-operator"), releaseRules},
		"tenants":           {rendered(t, "everything", "Role", "-tenants"), tenantRules},
	} {
		chart, ours := spelled(test.chart), []string{}
		for _, a := range accesses(test.ours) {
			ours = append(ours, fmt.Sprintf("%s %s/%s", a.Verb, a.Group, a.Resource))
		}
		slices.Sort(ours)
		for _, right := range chart {
			if !slices.Contains(ours, right) {
				t.Errorf("%s: the chart allows %s, and doctor/permissions.go does not look for it", of, right)
			}
		}
		for _, right := range ours {
			if !slices.Contains(chart, right) {
				t.Errorf("%s: doctor/permissions.go looks for %s, and the chart does not allow it", of, right)
			}
		}
		if len(chart) == 0 || len(chart) != len(ours) {
			t.Errorf("%s: %d rights in the chart, %d in doctor/permissions.go", of, len(chart), len(ours))
		}
	}
}

// A finding about a missing right must say what is not possible without it.
func TestEachPermissionHasAReason(t *testing.T) {
	for _, r := range slices.Concat(watchRules, releaseRules, webhookRules, tenantRules) {
		if r.without == "" && !r.content {
			t.Errorf("%v: nobody says what is not possible without it", r)
		}
	}
}

func spelled(rules []roleRule) (all []string) {
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					all = append(all, fmt.Sprintf("%s %s/%s", verb, group, resource))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// inTemplate renders a template of the chart's rules with the chart's default values.
func inTemplate(t *testing.T, name string) (rules []roleRule) {
	t.Helper()
	chart, err := template.New("").Funcs(template.FuncMap{"toYaml": fmt.Sprint}).ParseFiles("../deploy/chart/templates/_rules.tpl")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	values := map[string]any{"Values": map[string]any{"rbac": map[string]any{"extraRules": nil}}}
	if err := chart.ExecuteTemplate(&text, name, values); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(text.String()), &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// rendered returns the rules of the first role of a kind whose name ends with this.
func rendered(t *testing.T, file, kind, name string) []roleRule {
	t.Helper()
	text, err := os.ReadFile("../dev/e2e/testdata/chart/" + file + ".golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var role struct {
			Kind     string
			Metadata struct{ Name string }
			Rules    []roleRule
		}
		if yaml.Unmarshal([]byte(document), &role) == nil && role.Kind == kind && strings.HasSuffix(role.Metadata.Name, name) {
			return role.Rules
		}
	}
	t.Fatalf("%s has no %s …%s", file, kind, name)
	return nil
}
