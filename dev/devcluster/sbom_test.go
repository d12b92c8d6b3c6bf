package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// makeSBOM lists an image that has this test's own program, as helm, and a package of Debian.
func makeSBOM(t *testing.T) (text []byte, packages map[string]spdxPackage, relationships []spdxRelationship) {
	t.Helper()
	root, base := t.TempDir(), t.TempDir()
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		filepath.Join(root, "usr/local/bin/helm"):           string(self),
		filepath.Join(base, "usr/local/bin/tini"):           "no program of Go's",
		filepath.Join(base, "var/lib/dpkg/status.d/tini"):   "Package: tini\nVersion: 0.19.0-1+b3\nArchitecture: arm64\nDescription: an init\n : of containers\n",
		filepath.Join(base, "var/lib/dpkg/status.d/busybo"): "Package: busybox-static\nVersion: 1:1.35.0-4\nArchitecture: arm64\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(root, "usr/share/sbom/octo-operator.spdx.json")
	if err := sbomCommand([]string{"--version", "v1.2.3", "--out", out, base, root}); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Packages      []spdxPackage
		Relationships []spdxRelationship
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	packages = map[string]spdxPackage{}
	for _, p := range document.Packages {
		if _, twice := packages[p.ID]; twice {
			t.Errorf("%s is there twice", p.ID)
		}
		packages[p.ID] = p
	}
	return text, packages, document.Relationships
}

func TestTheSBOMNamesEachProgramModuleAndPackageOfTheImage(t *testing.T) {
	_, packages, relationships := makeSBOM(t)
	find := func(name string) spdxPackage {
		for _, p := range packages {
			if p.Name == name {
				return p
			}
		}
		t.Errorf("%s is not named", name)
		return spdxPackage{}
	}
	helm := find("helm")
	if len(helm.Checksums) != 1 || len(helm.Checksums[0].Value) != 64 {
		t.Errorf("helm: %+v", helm)
	}
	for name, locator := range map[string]string{
		"stdlib": "pkg:golang/stdlib@1.", "golang.org/x/sys": "pkg:golang/golang.org/x/sys@v0.",
		"tini": "pkg:deb/debian/tini@0.19.0-1%2Bb3?arch=arm64", "busybox-static": "pkg:deb/debian/busybox-static@1%3A1.35.0-4?arch=arm64",
	} {
		p := find(name)
		if p.Version == "" || len(p.References) != 1 || !strings.HasPrefix(p.References[0].Locator, locator) {
			t.Errorf("%s: %+v", name, p)
		}
		from, how := imageID, "CONTAINS"
		if strings.HasPrefix(locator, "pkg:golang") {
			from, how = helm.ID, "DEPENDS_ON"
		}
		related := false
		for _, r := range relationships {
			related = related || r == spdxRelationship{from, how, p.ID}
		}
		if !related {
			t.Errorf("nothing says that %s has %s", from, name)
		}
	}
	for _, r := range relationships {
		if _, ok := packages[r.From]; !ok && r.From != "SPDXRef-DOCUMENT" {
			t.Errorf("%s is no package", r.From)
		}
		if _, ok := packages[r.To]; !ok {
			t.Errorf("%s is no package", r.To)
		}
	}
}

// The operator is built from a folder, so Go knows no version of it; helm is built from a module.
func TestAProgramHasTheVersionOfItsModuleOrTheImages(t *testing.T) {
	for sum, want := range map[string]string{"": "v1.2.3", "h1:x": "v4.3.1"} {
		b := newBill("v1.2.3")
		main := debug.Module{Path: "helm.sh/helm/v4", Version: "v4.3.1", Sum: sum}
		if err := b.addProgram(os.Args[0], &buildinfo.BuildInfo{GoVersion: "go1.26.8", Main: main}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, p := range b.packages {
			got[p.Name] = p.Version
		}
		if got[filepath.Base(os.Args[0])] != want || got["stdlib"] != "1.26.8" || (got[main.Path] == "v4.3.1") != (sum != "") {
			t.Errorf("%q: got %v", sum, got)
		}
	}
}

func TestTheSameImageHasTheSameSBOM(t *testing.T) {
	first, _, _ := makeSBOM(t)
	if second, _, _ := makeSBOM(t); !bytes.Equal(first, second) {
		t.Error("they differ")
	}
}
