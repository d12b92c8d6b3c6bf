package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// says is a binary that prints this.
func says(text string) string { return "echo '" + text + "'" }

// each tool's own words, as its release prints them.
var words = map[string]string{
	"helm4":                   "%s",
	"helm3":                   "%s",
	"kubectl":                 "Client Version: %s\nKustomize Version: v5.8.1",
	"etcd":                    "etcd Version: %s\nGit SHA: a17edfd\nGo Version: go1.26.8\nGo OS/Arch: linux/amd64",
	"kube-apiserver":          "Kubernetes %s",
	"kube-controller-manager": "Kubernetes %s",
	"kube-scheduler":          "Kubernetes %s",
	"kwok":                    "kwok version %s go1.26.8 (linux/amd64)",
}

func TestEachToolIsFoundByItsOwnWordsInItsPinnedVersionOnly(t *testing.T) {
	for _, tool := range allTools {
		version := pinned(t, tool.name)
		if tool.name == "etcd" {
			version = strings.TrimPrefix(version, "v")
		}
		for suffix, want := range map[string]bool{"": true, "0": false, "-rc.1": false, "+k3s1": false} {
			folder := t.TempDir()
			fake(t, folder, tool.name, says(fmt.Sprintf(words[tool.name], version+suffix)))
			path, refused := tool.find(t.Context(), pinned(t, tool.name), []string{folder})
			if (path != "") != want || len(refused) > 0 == want {
				t.Errorf("%s %s%s: found %q, refused %q", tool.name, version, suffix, path, refused)
			}
		}
	}
}

// The folders are searched in the order a, b; what is found is a path below the root.
func TestWhatIsFoundAndWhatIsRefused(t *testing.T) {
	kubectl, helm3, helm4 := pinned(t, "kubectl"), pinned(t, "helm3"), pinned(t, "helm4")
	right := says("Client Version: " + kubectl)
	for _, test := range []struct {
		name, tool string
		files      map[string]string
		found      string
		refused    []string // a part of each
	}{
		{"nothing is there", "kubectl", nil, "", nil},
		{"the first of two", "kubectl", map[string]string{"a/kubectl": right, "b/kubectl": right}, "a/kubectl", nil},
		{"another version", "kubectl", map[string]string{"a/kubectl": says("Client Version: v1.20.2")}, "", []string{"a/kubectl is v1.20.2, not " + kubectl}},
		{"another version, then the right one", "kubectl", map[string]string{"a/kubectl": says("v1.20.2"), "b/kubectl": right}, "b/kubectl", []string{"a/kubectl is v1.20.2"}},
		{"one that fails", "kubectl", map[string]string{"a/kubectl": right + "; exit 1"}, "", []string{"a/kubectl does not tell its version: exit status 1"}},
		{"one that prints no version", "kubectl", map[string]string{"a/kubectl": says("hello")}, "", []string{"a/kubectl does not tell its version"}},
		{"one that is killed, then the right one", "kubectl", map[string]string{"a/kubectl": "kill -9 $$", "b/kubectl": right}, "b/kubectl", []string{"signal: killed"}},
		{"a folder of that name", "kubectl", map[string]string{"a/kubectl/x": right}, "", nil},
		{"helm is helm 4", "helm4", map[string]string{"a/helm": says(helm4)}, "a/helm", nil},
		{"helm is helm 3", "helm3", map[string]string{"a/helm": says(helm3)}, "a/helm", nil},
		{"helm is helm 3, and helm 4 is wanted", "helm4", map[string]string{"a/helm": says(helm3)}, "", []string{"a/helm is " + helm3}},
		{"helm 3 beside helm 4", "helm3", map[string]string{"a/helm": says(helm4), "a/helm3": says(helm3)}, "a/helm3", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, script := range test.files {
				fake(t, filepath.Join(root, filepath.Dir(name)), filepath.Base(name), script)
			}
			path, refused := one(t, test.tool).find(t.Context(), pinned(t, test.tool), []string{filepath.Join(root, "a"), filepath.Join(root, "b")})
			if want := filepath.Join(root, test.found); path != want && (test.found != "" || path != "") {
				t.Errorf("found %q, want %q", path, want)
			}
			if len(refused) != len(test.refused) {
				t.Fatalf("refused %q, want %q", refused, test.refused)
			}
			for i, part := range test.refused {
				if !strings.Contains(refused[i], part) {
					t.Errorf("refused %q, want %q", refused[i], part)
				}
			}
		})
	}
}

func TestAFileThatCannotBeRunIsRefusedWithTheReason(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "kubectl"), []byte("\x7fELF, but of which machine?"), 0o755); err != nil {
		t.Fatal(err)
	}
	path, refused := one(t, "kubectl").find(t.Context(), pinned(t, "kubectl"), []string{folder})
	if path != "" || len(refused) != 1 || !strings.Contains(refused[0], "exec format error") {
		t.Errorf("found %q, refused %q", path, refused)
	}
}

func TestOneBinaryInTwoFoldersIsAskedOnce(t *testing.T) {
	root := t.TempDir()
	fake(t, filepath.Join(root, "usr"), "kubectl", says("v1.20.2"))
	if err := os.Symlink("usr", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	_, refused := one(t, "kubectl").find(t.Context(), pinned(t, "kubectl"), []string{filepath.Join(root, "bin"), filepath.Join(root, "usr")})
	if len(refused) != 1 {
		t.Errorf("refused %q", refused)
	}
}

func TestAssetsComeBeforePathAndRelativeFoldersDoNotCount(t *testing.T) {
	t.Setenv(buildAllVariable, "")
	t.Setenv("KUBEBUILDER_ASSETS", "/assets")
	t.Setenv("PATH", "/one:.::rel/ative:/two")
	want := []string{"/assets", "/one", "/two", "/usr/local/kubebuilder/bin"}
	if got := searchFolders(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv(buildAllVariable, "1")
	if got := searchFolders(); got != nil {
		t.Errorf("all is to be built, but these are searched: %q", got)
	}
}

func TestWhatTheCacheHasIsNotLookedFor(t *testing.T) {
	cache := t.TempDir()
	path, err := one(t, "kubectl").path(cache)
	if err != nil {
		t.Fatal(err)
	}
	fake(t, filepath.Dir(path), "kubectl", "true")
	assets := t.TempDir()
	fake(t, assets, "kubectl", says(pinned(t, "kubectl")))
	t.Setenv(buildAllVariable, "")
	t.Setenv("KUBEBUILDER_ASSETS", assets)
	found, missing, err := locate(t.Context(), cache, []tool{one(t, "kubectl")})
	if err != nil || found["kubectl"] != "" || len(missing) > 0 {
		t.Errorf("found %q, missing %v, error %v", found, missing, err)
	}
}

// The whole way, with the real binaries: PATH has no go, so that nothing can be built.
func TestWithAssetsNothingIsBuilt(t *testing.T) {
	bin := builtTools(t)
	t.Setenv("OCTO_CACHE", t.TempDir())
	t.Setenv(buildAllVariable, "")
	t.Setenv("KUBEBUILDER_ASSETS", bin)
	t.Setenv("PATH", "")
	folder, err := ensureTools(t.Context(), 4, clusterTools...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"helm"}, clusterTools...) {
		if target, err := os.Readlink(filepath.Join(folder, name)); err != nil || filepath.Dir(target) != bin {
			t.Errorf("%s is %q (%v), not from %s", name, target, err, bin)
		}
	}

	t.Setenv(buildAllVariable, "1")
	if _, err := ensureTools(t.Context(), 4, clusterTools...); err == nil || !strings.Contains(err.Error(), "cannot build helm4") {
		t.Errorf("all was to be built, which cannot be done without go: %v", err)
	}
}

func one(t *testing.T, name string) tool {
	t.Helper()
	tools, err := selectTools([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return tools[0]
}

func pinned(t *testing.T, name string) string {
	t.Helper()
	version, err := one(t, name).version()
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func fake(t *testing.T, folder, name, script string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
