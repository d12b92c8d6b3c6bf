package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCacheKeyChangesWithEveryInput(t *testing.T) {
	base := tool{name: "x", pkg: "p", stamp: []string{"v"}}
	other := base
	other.stamps = []string{"minor=37"}
	keys := map[string]string{
		"base":         base.keyOf("v1", []byte("mod"), []byte("sum")),
		"version":      base.keyOf("v2", []byte("mod"), []byte("sum")),
		"dependencies": base.keyOf("v1", []byte("mod2"), []byte("sum")),
		"checksums":    base.keyOf("v1", []byte("mod"), []byte("sum2")),
		"stamps":       other.keyOf("v1", []byte("mod"), []byte("sum")),
	}
	seen := map[string]string{}
	for what, key := range keys {
		if before, ok := seen[key]; ok {
			t.Errorf("%s and %s share the key %s", what, before, key)
		}
		seen[key] = what
	}
	if again := base.keyOf("v1", []byte("mod"), []byte("sum")); again != keys["base"] {
		t.Errorf("the same inputs gave %s and %s", keys["base"], again)
	}
}

// A version is raised by hand in several places: none may be forgotten.
func TestKubernetesPinsAgree(t *testing.T) {
	version, err := kubeTool("kubectl", 0).version()
	if err != nil {
		t.Fatal(err)
	}
	staging := "v0." + strings.TrimPrefix(version, "v1.")
	minor := strings.Split(version, ".")[1]
	mod, err := modFiles.ReadFile("tools/kubernetes.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if _, replacement, ok := strings.Cut(line, "=>"); ok && !strings.HasSuffix(strings.TrimSpace(replacement), staging) {
			t.Errorf("a staging module is not at %s: %s", staging, line)
		}
	}
	for _, tool := range allTools {
		for _, pair := range tool.stamps {
			if strings.Contains(pair, "Minor=") && !strings.HasSuffix(pair, "="+minor) {
				t.Errorf("%s is stamped with %s, but Kubernetes is %s", tool.name, pair, version)
			}
		}
	}
}

func TestEveryToolHasAVersion(t *testing.T) {
	for _, tool := range allTools {
		if version, err := tool.version(); err != nil || !strings.HasPrefix(version, "v") {
			t.Errorf("%s: version %q, error %v", tool.name, version, err)
		}
	}
}

func TestBinDirHoldsBuiltToolsOnlyAndHelmAsAsked(t *testing.T) {
	cache := t.TempDir()
	for _, tool := range allTools {
		if tool.name != "helm3" && tool.name != "helm4" {
			continue
		}
		path, err := tool.path(cache)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(tool.name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for helm, want := range map[int]string{3: "helm3", 4: "helm4"} {
		for range 2 { // the second time the links are there already
			bin, err := linkTools(cache, helm, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(bin, "helm")); err != nil || string(got) != want {
				t.Errorf("helm is %q (%v), want %s", got, err, want)
			}
			if _, err := os.Lstat(filepath.Join(bin, "kubectl")); err == nil {
				t.Error("kubectl has a link although it was not built")
			}
		}
	}
}

func TestUnknownToolIsNamed(t *testing.T) {
	if _, err := selectTools([]string{"kubelet"}); err == nil || !strings.Contains(err.Error(), `"kubelet"`) {
		t.Errorf("error is %v", err)
	}
}

func TestLockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); err == nil {
		t.Fatal("the lock was taken twice")
	}
	unlock()
	if _, err := tryLock(path); err != nil {
		t.Fatalf("a lock given back cannot be taken: %v", err)
	}
}
