package charts

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

func TestAScriptFindsCredentialsInTheFilesThatHelmReads(t *testing.T) {
	const index = repositoryCache + "/workload-index.yaml"
	const archive = "https://files.example/app.tgz"
	for name, test := range map[string]struct {
		repository, user, url string
		want                  map[string][]string // parts of each file
	}{
		"nothing is secret":           {"https://charts.example", "", archive, nil},
		"credentials":                 {"https://charts.example", "me", archive, map[string][]string{"repositories.yaml": {"username: me", "password: planted"}, index: {archive, `"name":"app"`}}},
		"credentials, and no address": {"https://charts.example", "me", "", map[string][]string{"repositories.yaml": {"username: me"}}},
		"a signed archive":            {"https://charts.example", "", archive + "?sig=x", map[string][]string{"repositories.yaml": {"charts.example"}, index: {"sig=x"}}},
		"a signed repository":         {"https://charts.example?sig=x", "", "", map[string][]string{"repositories.yaml": {"sig=x"}}},
		"a registry":                  {"oci://registry.example/charts", "me", "", map[string][]string{"registry.json": {`"registry.example"`, "bWU6cGxhbnRlZA=="}}},
		"an open registry":            {"oci://registry.example/charts", "", "", nil},
	} {
		task := &dispatch.Task{Run: &runs.Run{ID: "run", Dir: t.TempDir()}, Log: slog.New(slog.DiscardHandler)}
		w := hub.WorkloadDeployed{RepositoryURL: test.repository, RepositoryUsername: test.user, ChartName: "team/app"}
		if test.user != "" {
			w.RepositoryPassword = "planted"
		}
		if err := writeCredentials(task, w, location{url: test.url, version: "1.0.0"}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, file := range []string{"repositories.yaml", "registry.json", index} {
			text, err := os.ReadFile(filepath.Join(task.Dir, file))
			if (err == nil) != (test.want[file] != nil) {
				t.Errorf("%s: %s: %v", name, file, err)
			}
			for _, want := range test.want[file] {
				if !strings.Contains(string(text), want) {
					t.Errorf("%s: %s has no %s:\n%s", name, file, want, text)
				}
			}
		}
	}
}
