// Package scripts holds the steps of events as short POSIX shell scripts, embedded in the program. An environment can replace them one by
// one. docs/scripts.md says what a script gets and what is expected of it.
//
//	set, err := scripts.Install(stateDir, ownDir)
//	argv := set.Command(scripts.WorkloadDeploy) // to be run in a run directory
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

//go:embed lib.sh relay.sh check.sh chart-pull pool-deploy pool-undeploy tenant-pre-update workload-deploy workload-plan workload-recover workload-restart workload-rollback workload-scale workload-undeploy
var embedded embed.FS

// Names of the scripts.
const (
	ChartPull        = "chart-pull"
	PoolDeploy       = "pool-deploy"
	PoolUndeploy     = "pool-undeploy"
	TenantPreUpdate  = "tenant-pre-update"
	WorkloadDeploy   = "workload-deploy"
	WorkloadPlan     = "workload-plan"
	WorkloadRecover  = "workload-recover"
	WorkloadRestart  = "workload-restart"
	WorkloadRollback = "workload-rollback"
	WorkloadScale    = "workload-scale"
	WorkloadUndeploy = "workload-undeploy"
)

// libraries are files that the scripts source.
var libraries = []string{"lib.sh", "relay.sh", "check.sh"}

var names = []string{ChartPull, PoolDeploy, PoolUndeploy, TenantPreUpdate, WorkloadDeploy, WorkloadPlan, WorkloadRecover, WorkloadRestart, WorkloadRollback, WorkloadScale, WorkloadUndeploy}

// Set knows the path of each script.
type Set struct {
	defaults string
	own      string
}

// Install writes the embedded scripts to stateDir/scripts/HASH, where a person can read them and old runs still find the version that they used.
// ownDir has the environment's own scripts, which replace them; empty: there are none. A file in ownDir without the name of a script is an error,
// because it would silently never run; files with a dot in the name are allowed.
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

// writeProgram replaces a file by renaming, because another process may be running the old one. A file with the right content is left
// alone: some file systems sync a renamed file at once, which would take most of the daemon's start.
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
		// A name with a dot is that of a file for other scripts, or of a mounted ConfigMap (..data and the like).
		if strings.HasPrefix(e.Name(), ".") || slices.Contains(names, e.Name()) || strings.Contains(e.Name(), ".") {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is none of the scripts %s: rename it, or give it an ending such as .sh if another script uses it",
			filepath.Join(dir, e.Name()), strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

// Path returns the path of the script to run: the environment's own if there is one.
func (s Set) Path(name string) string {
	if s.own != "" {
		if path := filepath.Join(s.own, name); exists(path) {
			return path
		}
	}
	return filepath.Join(s.defaults, name)
}

// Command returns the command line that runs a script. An embedded script is given to the shell as an argument, because it may lie where
// nothing may be executed, such as a pod's /dev/shm.
func (s Set) Command(name string) []string {
	path := s.Path(name)
	if filepath.Dir(path) == s.defaults {
		return []string{"/bin/sh", path}
	}
	return []string{path}
}

// Replaced tells whether the environment has its own script of this name.
func (s Set) Replaced(name string) bool { return s.Path(name) != filepath.Join(s.defaults, name) }

// Check returns an error that names each script that cannot be run.
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

// Library returns the path of lib.sh, which scripts source for helpers.
func (s Set) Library() string { return filepath.Join(s.defaults, "lib.sh") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
