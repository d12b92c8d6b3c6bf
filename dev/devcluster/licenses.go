package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenseFile matches the names of files that must be distributed with a module's binaries.
var licenseFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)([-._].*)?$`)

// module is what go list says of one that is compiled in.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// copyLicenses copies the licenses of all modules that are compiled into a package to OUT/MODULE@VERSION/…, and Go's own to OUT/go. A
// module without a license is an error, because it may not be distributed.
func copyLicenses(ctx context.Context, dir, arch, pkg, out string) error {
	files, err := licensesOf(ctx, dir, arch, pkg)
	if err != nil {
		return fmt.Errorf("cannot collect the licenses of %s: %w", pkg, err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyFile(files[name], to, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compiledIn is what go list says of one package that is compiled in. Go's own have no module.
type compiledIn struct {
	Dir    string
	Module *module
}

func listCompiledIn(ctx context.Context, dir, arch, pkg string) (packages []compiledIn, err error) {
	out, err := goCommand(ctx, dir, arch, "list", "-deps", "-json=Dir,Module", pkg).Output()
	for decoder := json.NewDecoder(bytes.NewReader(out)); err == nil; {
		var p compiledIn
		if err = decoder.Decode(&p); err == nil && p.Module != nil && !p.Module.Main {
			packages = append(packages, p)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	return packages, nil
}

// licensesOf maps MODULE@VERSION/FILE to the file's path. It looks in the folders of the packages that are compiled in, and above them up
// to the module's root.
func licensesOf(ctx context.Context, dir, arch, pkg string) (map[string]string, error) {
	packages, err := listCompiledIn(ctx, dir, arch, pkg)
	if err != nil {
		return nil, err
	}
	goroot, err := goCommand(ctx, dir, arch, "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	files, licensed, searched := map[string]string{}, map[module]bool{}, map[string]bool{}
	if _, err := addLicenses(files, strings.TrimSpace(string(goroot)), "go"); err != nil {
		return nil, err
	}
	for _, p := range packages {
		m := *p.Module
		for folder := p.Dir; !searched[folder]; folder = filepath.Dir(folder) {
			searched[folder] = true
			inside, err := filepath.Rel(m.Dir, folder)
			if err != nil {
				return nil, err
			}
			found, err := addLicenses(files, folder, filepath.Join(m.Path+"@"+m.Version, inside))
			if err != nil {
				return nil, err
			}
			licensed[m] = licensed[m] || found
			if folder == m.Dir {
				break
			}
		}
	}
	for m, has := range licensed {
		if !has {
			return nil, fmt.Errorf("%s %s has no license in %s", m.Path, m.Version, m.Dir)
		}
	}
	return files, nil
}

func addLicenses(files map[string]string, folder, name string) (found bool, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if e.Type().IsRegular() && licenseFile.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
			files[filepath.Join(name, e.Name())] = filepath.Join(folder, e.Name())
			found = true
		}
	}
	return found, err
}
