// Package scripts holds the steps: short POSIX shell scripts that an environment can swap one by one. docs/scripts.md
// says what a script gets and what is expected of it.
package scripts

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed lib.sh relay.sh chart-pull pool-deploy pool-undeploy tenant-pre-update workload-deploy workload-recover workload-restart workload-rollback workload-scale workload-undeploy
var embedded embed.FS

// The steps.
const (
	ChartPull        = "chart-pull"
	PoolDeploy       = "pool-deploy"
	PoolUndeploy     = "pool-undeploy"
	TenantPreUpdate  = "tenant-pre-update"
	WorkloadDeploy   = "workload-deploy"
	WorkloadRecover  = "workload-recover"
	WorkloadRestart  = "workload-restart"
	WorkloadRollback = "workload-rollback"
	WorkloadScale    = "workload-scale"
	WorkloadUndeploy = "workload-undeploy"
)

// libraries are what scripts source.
var libraries = []string{"lib.sh", "relay.sh"}

var names = []string{ChartPull, PoolDeploy, PoolUndeploy, TenantPreUpdate, WorkloadDeploy, WorkloadRecover, WorkloadRestart, WorkloadRollback, WorkloadScale, WorkloadUndeploy}

// Set is where each script lies on disk.
type Set struct {
	defaults string
	own      string
}

// Install writes the embedded scripts below stateDir, where a person can read them and a run can be run again after an
// upgrade, and lays the files of ownDir over them (empty: none). A file there that is no step's is an error: it would
// silently never run.
func Install(stateDir, ownDir string) (Set, error) {
	set := Set{own: ownDir}
	if ownDir != "" {
		if err := checkOwn(ownDir); err != nil {
			return set, fmt.Errorf("cannot use OPERATOR__SCRIPTSDIR: %w", err)
		}
	}
	files, hash, err := contents()
	if err != nil {
		return set, err
	}
	set.defaults = filepath.Join(stateDir, "scripts", hash)
	if err := os.MkdirAll(set.defaults, 0o700); err != nil {
		return set, fmt.Errorf("cannot install the scripts: %w", err)
	}
	for name, text := range files {
		if err := writeProgram(filepath.Join(set.defaults, name), text); err != nil {
			return set, fmt.Errorf("cannot install the scripts: %w", err)
		}
	}
	return set, nil
}

// writeProgram renames, because another process may be running the old file: writing to it would fail or harm that run. What is
// there already stays: a file system may sync a renamed file at once, which would take most of the daemon's start.
func writeProgram(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && info.Mode() == 0o700 {
		if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
			return nil
		}
	}
	half := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(half, text, 0o700); err != nil {
		return err
	}
	return os.Rename(half, path)
}

func contents() (files map[string][]byte, hash string, err error) {
	files = map[string][]byte{}
	sum := sha256.New()
	for _, name := range slices.Concat(names, libraries) {
		if files[name], err = embedded.ReadFile(name); err != nil {
			return nil, "", err
		}
		sum.Write(files[name])
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func checkOwn(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		// A mounted ConfigMap brings ..data and the like.
		if strings.HasPrefix(e.Name(), ".") || slices.Contains(names, e.Name()) || strings.Contains(e.Name(), ".") {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is none of the scripts %s: rename it, or give it an ending such as .sh if another script uses it",
			filepath.Join(dir, e.Name()), strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

// Path is the script to run for a step: the environment's own where there is one.
func (s Set) Path(name string) string {
	if s.own != "" {
		if path := filepath.Join(s.own, name); exists(path) {
			return path
		}
	}
	return filepath.Join(s.defaults, name)
}

// Command is what runs a step. The shell reads the operator's own scripts: they may lie where nothing may be executed, as below a pod's
// /dev/shm.
func (s Set) Command(name string) []string {
	path := s.Path(name)
	if filepath.Dir(path) == s.defaults {
		return []string{"/bin/sh", path}
	}
	return []string{path}
}

// Replaced tells whether a script is the environment's own.
func (s Set) Replaced(name string) bool { return s.Path(name) != filepath.Join(s.defaults, name) }

// Check tells which scripts could not be run.
func (s Set) Check() error {
	var errs []error
	for _, name := range names {
		path := s.Path(name)
		if info, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("cannot run script %s: %w", name, err))
		} else if info.Mode()&0o111 == 0 {
			errs = append(errs, fmt.Errorf("cannot run script %s: it may not be executed: chmod +x %s", name, path))
		}
	}
	return errors.Join(errs...)
}

// Library is the file that scripts source for helpers.
func (s Set) Library() string { return filepath.Join(s.defaults, "lib.sh") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
