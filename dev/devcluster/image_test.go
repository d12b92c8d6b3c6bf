package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// helm and kubectl are built in the same way; deploy/image, which CI runs, checks all three.
func TestTheOperatorOfTheImageIsBuiltForBothArchitectures(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			root := t.TempDir()
			if err := imageCommand(t.Context(), []string{"--arch", arch, "--out", root, "--operator", "../..", "--version", "v9.8.7-test"}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, "usr/local/bin/octo-operator")
			binary, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer binary.Close()
			if binary.Machine != machine {
				t.Errorf("it is for %s", binary.Machine)
			}
			for _, p := range binary.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("it is not static: it needs a loader, which the image does not have")
				}
			}
			for _, s := range binary.Sections {
				if s.Name == ".symtab" || strings.HasPrefix(s.Name, ".debug") {
					t.Errorf("it is not stripped: it has %s", s.Name)
				}
			}
			content, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(content, []byte("v9.8.7-test")) {
				t.Errorf("its version is not in it (%v)", err)
			}
			if here, err := filepath.Abs("../.."); err != nil || bytes.Contains(content, []byte(here)) {
				t.Errorf("the folder of the build is in it: %s (%v)", here, err)
			}
			info, err := buildinfo.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range info.Deps { // scanners read them, and each has a license
				if left, _ := filepath.Glob(filepath.Join(root, "usr/share/licenses", m.Path+"@"+m.Version, "*")); len(left) == 0 {
					t.Errorf("the license of %s %s is missing", m.Path, m.Version)
				}
			}
			if !isFile(filepath.Join(root, "usr/share/licenses/go/LICENSE")) {
				t.Error("the license of Go's own packages is missing")
			}
		})
	}
}

func TestLicensesBesideAPackageCountAndAModuleWithoutOneIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                    "module main\n\ngo 1.26\n\nrequire example.org/m v1.2.3\n\nreplace example.org/m => ./m\n",
		"main.go":                   "package main\n\nimport _ \"example.org/m/sub/forked\"\n\nfunc main() {}\n",
		"LICENSE":                   "our own: not another's",
		"m/go.mod":                  "module example.org/m\n\ngo 1.26\n",
		"m/sub/forked/forked.go":    "package forked\n",
		"m/sub/forked/license.go":   "package forked\n",
		"m/not/compiled/in/LICENSE": "no",
		"m/not/compiled/in/in.go":   "package in\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if _, err := licensesOf(t.Context(), dir, "arm64", "."); err == nil || !strings.Contains(err.Error(), "example.org/m v1.2.3 has no license") {
		t.Errorf("the module has no license, and the error is %v", err)
	}
	write(t, filepath.Join(dir, "m/sub/COPYING.md"), "text")
	write(t, filepath.Join(dir, "m/NOTICE"), "text")
	out := t.TempDir()
	if err := copyLicenses(t.Context(), dir, "arm64", ".", out); err != nil {
		t.Fatal(err)
	}
	var got []string
	module := filepath.Join(out, "example.org", "m@v1.2.3")
	if err := filepath.WalkDir(module, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, strings.TrimPrefix(path, module))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := "/NOTICE /sub/COPYING.md"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
