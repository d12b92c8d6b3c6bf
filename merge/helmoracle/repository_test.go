package helmoracle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	repo "helm.sh/helm/v4/pkg/repo/v1"

	"octo-operator/handlers/release/repository"
)

// TestChartsAreChosenAsHelmChoosesThem compares the version that is chosen from an index with Helm's own choice.
func TestChartsAreChosenAsHelmChoosesThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	asked := []string{
		"", "1.x", "^1", "^1.2", "~1.2", "1.2", "1", ">=1.1.0", "<2", ">1.0.0-0", "1.2.0", "v1.2.0", "1.2.0-rc.1", "1.0.0 - 1.9.0", "^2 || ^0.1", "*", "newest", "1.2.0+b1",
	}
	for range 150 {
		index := randomIndex(random)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, index) }))
		indexes := repository.NewIndexes(t.TempDir(), server.Client())
		file := filepath.Join(t.TempDir(), "index.yaml")
		if err := os.WriteFile(file, []byte(index), 0o600); err != nil {
			t.Fatal(err)
		}
		helms, err := repo.LoadIndexFile(file)
		if err != nil {
			t.Fatalf("%v\n%s", err, index)
		}
		began := time.Now()
		for _, version := range asked {
			got, err := indexes.Find(t.Context(), repository.Source{URL: server.URL}, "app", version, began)
			if missing := (*repository.NotFoundError)(nil); err != nil && !errors.As(err, &missing) {
				t.Fatal(err)
			}
			want := ""
			if v, err := helms.Get("app", version); err == nil {
				want = v.Version + " " + v.URLs[0]
			}
			if text := got.Version + " " + got.URL; want != "" && text != want || want == "" && err == nil {
				t.Errorf("version %q: got %q, helm takes %q of\n%s", version, text, want, index)
			}
		}
		server.Close()
	}
}

// TestAnIndexThatNoProgramWritesIsReadAsHelmReadsIt uses forms that YAML and JSON allow but no program writes.
func TestAnIndexThatNoProgramWritesIsReadAsHelmReadsIt(t *testing.T) {
	const app = "- {name: app, version: 1.0.0, urls: [a.tgz]}"
	for _, index := range []string{
		"%YAML 1.1\n---\napiVersion: v1\nentries:\n  app:\n  " + app,
		"apiVersion: v1\nentries:\n  app:\n  " + app + "\n---\nentries: {app: [{name: app, version: 2.0.0}]}",
		"APIVERSION: v1\nENTRIES:\n  app:\n  - {NAME: app, Ver\u017fion: 1.0.0, URLS: [a.tgz]}",
		"apiVersion: 1\nentries:\n  app:\n  - {name: app, version: 1.0.0, urls: [1, 2]}",
		"apiVersion: v1\nentries:\n  app:\n  - {name: app, VERSION: 2.0.0, version: 1.0.0, urls: [a.tgz]}",
		"apiVersion: v1\nentries:\n  app:\n  - {<<: {name: app, version: 1.0.0}, urls: [a.tgz]}",
		`{"apiVersion":"v1","entries":{"app":[{"name":"app","version":"1.0.0","VERSION":"2.0.0","urls":["a.tgz"]}]}}`,
		`{"apiVersion":"v1","Entries":{},"entries":{"app":[{"name":"app","version":"1.0.0","VERSION":"2.0.0","urls":["a.tgz"]}]}}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, index) }))
		file := filepath.Join(t.TempDir(), "index.yaml")
		if err := os.WriteFile(file, []byte(index), 0o600); err != nil {
			t.Fatal(err)
		}
		helms, err := repo.LoadIndexFile(file)
		if err != nil {
			t.Fatalf("%v\n%s", err, index)
		}
		want, err := helms.Get("app", "")
		if err != nil {
			t.Fatalf("%v\n%s", err, index)
		}
		got, err := repository.NewIndexes(t.TempDir(), server.Client()).Find(t.Context(), repository.Source{URL: server.URL}, "app", "", time.Now())
		if err != nil || got.Version != want.Version || got.URL != want.URLs[0] {
			t.Errorf("got %+v, %v, helm takes %s %s of\n%s", got, err, want.Version, want.URLs[0], index)
		}
		server.Close()
	}
}

// randomIndex has no two equal versions, because it is chance which of them Helm takes.
func randomIndex(random *rand.Rand) string {
	text := "apiVersion: v1\nentries:\n  app:\n"
	known := map[string]bool{}
	for range 1 + random.IntN(12) {
		core := fmt.Sprintf("%d.%d.%d", random.IntN(3), random.IntN(3), random.IntN(2))
		if known[core] {
			continue
		}
		known[core] = true
		version := []string{"", "", "", "v"}[random.IntN(4)] + core + []string{"", "", "", "-rc.1", "-alpha", "+b1"}[random.IntN(6)]
		text += fmt.Sprintf("  - apiVersion: v2\n    name: app\n    version: %s\n    urls: [%q]\n", version, "app-"+version+".tgz")
	}
	return text + "generated: \"2026-01-01T00:00:00Z\"\n"
}
