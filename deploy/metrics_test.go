package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"octo-operator/dispatch/runs"
	"octo-operator/web"
)

// promtool runs Prometheus' own tool, which .ci/promtool downloads if necessary.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	path, err := exec.Command("../.ci/promtool").Output()
	if err != nil {
		t.Fatalf("cannot get promtool: %v: %s", err, stderrOf(err))
	}
	tool := exec.Command(strings.TrimSpace(string(path)), args...)
	tool.Stdin = strings.NewReader(stdin)
	if output, err := tool.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func stderrOf(err error) []byte {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

// served returns the /metrics of an operator that has done everything once.
func served(t *testing.T) string {
	t.Helper()
	m := web.NewMetrics(web.State{
		Generation: func() string { return "G3" }, Pools: func() int { return 1 }, Able: func() bool { return true }, Leads: func() bool { return true },
		Queue: func() web.Queue { return web.Queue{Running: 1} }, Reports: func() int { return 1 },
	}, web.Labels{Callbacks: []string{"WorkloadDeployed"}, Outcomes: []string{"failed"}, RetryCauses: []string{"outage"}, Waits: runs.Waits})
	m.CertificateEnds(func() time.Time { return time.Unix(1, 0) })
	m.EventEnded("WorkloadDeployed", "failed", 1)
	m.Wait("run", runs.WaitSlot, false, time.Unix(0, 0))
	m.Phase("run", runs.PhaseChart, time.Unix(1, 0))
	m.ScriptEnded("workload-deploy", 1, 1<<20)
	m.RunEnded("run", true, time.Unix(2, 0))
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}

func TestTheMetricsKeepPrometheusRulesOfNaming(t *testing.T) {
	promtool(t, served(t), "check", "metrics")
}

func TestTheAlertsAreValidAndFireWhenTheyAreTo(t *testing.T) {
	promtool(t, "", "check", "rules", "alerts/octo-operator.yaml")
	promtool(t, "", "test", "rules", "alerts/octo-operator_test.yaml")
}

// rules has the fields of a file of alerts that are checked.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

func alerts(t *testing.T) (all rules) {
	t.Helper()
	text, err := os.ReadFile("alerts/octo-operator.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEachAlertSaysWhatItIsAndWhatToDoAndIsTested(t *testing.T) {
	tests, err := os.ReadFile("alerts/octo-operator_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range alerts(t).Groups[0].Rules {
		if rule.Annotations["summary"] == "" || len(rule.Annotations["description"]) < 100 || rule.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, a description that says what to do, or its severity", rule.Alert)
		}
		if !bytes.Contains(tests, []byte(rule.Alert)) {
			t.Errorf("%s has no test in alerts/octo-operator_test.yaml", rule.Alert)
		}
	}
}

// expressions returns those of the alerts and of the dashboard.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	for _, rule := range alerts(t).Groups[0].Rules {
		all = append(all, rule.Expr)
	}
	text, err := os.ReadFile("grafana/octo-operator.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 || panel.Title == "" || slices.Contains(ids, panel.ID) {
			t.Errorf("the panel %d, %q, has no target, no title, or another one's id", panel.ID, panel.Title)
		}
		ids = append(ids, panel.ID)
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var metricNames = regexp.MustCompile(`\b(octo_operator|process|go)_[a-z0-9_]+`)

func TestWhatTheDashboardAndTheAlertsAskForExists(t *testing.T) {
	there := served(t)
	var asked []string
	for _, expr := range expressions(t) {
		names := metricNames.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%q asks for no metric of the operator", expr)
		}
		for _, name := range names {
			asked = append(asked, name)
			if !strings.Contains(there, "\n"+name+" ") && !strings.Contains(there, "\n"+name+"{") {
				t.Errorf("%q asks for %s, which the operator does not have", expr, name)
			}
		}
	}
	for _, m := range families(t) { // every metric must be in an alert or in the dashboard
		if !slices.ContainsFunc(asked, func(name string) bool { return strings.HasPrefix(name, m.name) }) {
			t.Errorf("neither the dashboard nor an alert has %s", m.name)
		}
	}
}

// The dashboard's expressions must be PromQL: promtool checks them as rules.
func TestTheDashboardsExpressionsAreValid(t *testing.T) {
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var all []rule
	for i, expr := range expressions(t) {
		all = append(all, rule{fmt.Sprintf("expression:%d", i), expr})
	}
	file := t.TempDir() + "/rules.yaml"
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// family is a metric of the operator's own.
type family struct{ name, kind, help, labels string }

var (
	typeLine   = regexp.MustCompile(`(?m)^# HELP (octo_operator_\w+) (.*)\n# TYPE \w+ (\w+)$`)
	labelNames = regexp.MustCompile(`(\w+)="`)
)

func families(t *testing.T) (all []family) {
	t.Helper()
	there := served(t)
	for _, m := range typeLine.FindAllStringSubmatch(there, -1) {
		f := family{name: m[1], help: m[2], kind: m[3]}
		sample := regexp.MustCompile(`(?m)^` + f.name + `\w*\{(.*)\} `).FindStringSubmatch(there)
		if sample != nil {
			var labels []string
			for _, label := range labelNames.FindAllStringSubmatch(sample[1], -1) {
				if label[1] != "le" {
					labels = append(labels, "`"+label[1]+"`")
				}
			}
			f.labels = strings.Join(labels, ", ")
		}
		all = append(all, f)
	}
	if len(all) < 10 {
		t.Fatalf("only %d metrics", len(all))
	}
	return all
}

func TestNoLabelCanHaveAnyNumberOfValues(t *testing.T) {
	bounded := []string{"", "`callback`, `outcome`", "`callback`", "`generation`", "`phase`", "`reason`", "`cause`", "`script`"}
	for _, m := range families(t) {
		if !slices.Contains(bounded, m.labels) {
			t.Errorf("%s has the labels %s: tenants, releases and names have no end, and everybody may read metrics", m.name, m.labels)
		}
	}
}

// variables matches the variables in an alert's text.
var variables = regexp.MustCompile(`\{\{.*?\}\}`)

func TestThePageAboutMetricsSaysWhatTheCodeSays(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range families(t) {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
	}
	table.WriteString("\n| alert | severity | what it is |\n|---|---|---|\n")
	for _, rule := range alerts(t).Groups[0].Rules {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", rule.Alert, rule.Labels["severity"], variables.ReplaceAllString(rule.Annotations["summary"], "…"))
	}
	replaceTable(t, "../docs/metrics.md", "<!-- made of the code by go test ./deploy -update -->\n", table.String())
}

// replaceTable compares a table in a page with the generated one, or with -update writes it.
func replaceTable(t *testing.T, file, begin, table string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const end = "<!-- end -->"
	before, rest, found := strings.Cut(string(page), begin)
	old, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		t.Fatalf("%s lacks the marks of its table: %q and %q", file, begin, end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, table); diff != "" {
		t.Errorf("the table of %s (-there +wanted); go test ./deploy -update writes it:\n%s", file, diff)
	}
}
