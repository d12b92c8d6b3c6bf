package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// buildMissing builds one tool after the other: two at a time take as long on 2 cores, and twice the memory.
func buildMissing(ctx context.Context, cache string, missing []tool) error {
	if len(missing) == 0 {
		return nil
	}
	var list []string
	minutes := 0
	for _, t := range missing {
		minutes += t.minutes
		list = append(list, fmt.Sprintf("%s %d min", t.name, t.minutes))
	}
	progress("to build once, into %s: %s; together about %d min on 2 cores", cache, strings.Join(list, ", "), minutes)
	for i, t := range missing {
		if err := t.ensure(ctx, cache); err != nil {
			return err
		}
		if minutes -= t.minutes; i < len(missing)-1 {
			progress("%d of %d built, about %d min to go", i+1, len(missing), minutes)
		}
	}
	return nil
}

// ensure builds the tool unless the cache has it.
func (t tool) ensure(ctx context.Context, cache string) error {
	path, err := t.path(cache)
	if err != nil {
		return err
	}
	if isFile(path) {
		return nil
	}
	unlock, err := waitLock(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", t.name, err)
	}
	defer unlock()
	if isFile(path) { // another devcluster built it while we waited
		return nil
	}
	version, _ := t.version()
	started := time.Now()
	progress("building %s %s for %s, about %d min ...", t.name, version, t.goarch(), t.minutes)
	if err := t.build(ctx, path); err != nil {
		return fmt.Errorf("cannot build %s %s: %w", t.name, version, err)
	}
	progress("built %s %s in %s", t.name, version, time.Since(started).Round(time.Second))
	return nil
}

// build compiles the tool and renames the binary into place, so that a path that exists is a whole binary.
func (t tool) build(ctx context.Context, path string) error {
	version, err := t.version()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	partial := path + ".partial" // in the cache: a rename does not cross file systems
	defer os.Remove(partial)
	err = t.inModule(func(dir string) error { return goBuild(ctx, dir, partial, t.goarch(), t.ldflags(version), t.pkg) })
	if err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// inModule calls do in a temporary module that consists of the tool's pinned files.
func (t tool) inModule(do func(dir string) error) error {
	dir, err := os.MkdirTemp("", "devcluster-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for suffix, name := range map[string]string{".mod": "go.mod", ".sum": "go.sum"} {
		data, err := modFiles.ReadFile("tools/" + t.mod + suffix)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return do(dir)
}

func goBuild(ctx context.Context, dir, out, arch, ldflags, pkg string) error {
	cmd := goCommand(ctx, dir, arch, "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", out, pkg)
	cmd.Stdout = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s: %w", pkg, err)
	}
	return nil
}

// goCommand ignores the settings of the user's Go: a GOFLAGS=-mod=mod would resolve other versions, a go.work above the temp folder other
// modules.
func goCommand(ctx context.Context, dir, arch string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOTOOLCHAIN=local", "GO111MODULE=on",
		"GOOS="+runtime.GOOS, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Stderr = os.Stderr
	// SIGTERM lets go remove its own temp folder of several 100 MB.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// lockWait is the longest wait for another devcluster that builds: a whole cold
// cache takes 15 min on 2 cores.
const lockWait = 45 * time.Minute

// errLocked: another process holds the lock.
var errLocked = errors.New("held by another devcluster")

// tryLock takes a file lock, which the kernel gives back when its holder dies.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// waitLock waits for the lock. One build at a time: two of Kubernetes at once
// need 2 x 4 GB of memory.
func waitLock(ctx context.Context, path string) (unlock func(), err error) {
	deadline := time.Now().Add(lockWait)
	for waiting := false; ; waiting = true {
		unlock, err := tryLock(path)
		if err == nil || !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return unlock, err
		}
		if !waiting {
			progress("waiting for another devcluster that builds (%s)", path)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// linkTools makes the folder for PATH: plain names that link to the binaries of
// exactly these versions, built or found. A tool that is neither has no link there.
func linkTools(cache string, helm int, found map[string]string) (string, error) {
	links := map[string]string{}
	sum := sha256.New()
	for _, t := range allTools {
		key, err := t.key()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, key)
		if isFile(filepath.Join(cache, key, t.name)) {
			// Relative: CI keeps the cache under another path than it was made in.
			links[t.name] = filepath.Join("..", key, t.name)
		} else if path, ok := found[t.name]; ok {
			links[t.name] = path
			fmt.Fprintln(sum, path) // another folder than without found tools: a concurrent run may have been told to build all
		}
	}
	if path, ok := links[fmt.Sprintf("helm%d", helm)]; ok {
		links["helm"] = path
	}
	dir := filepath.Join(cache, fmt.Sprintf("all-%x-helm%d", sum.Sum(nil)[:5], helm))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the folder of tools: %w", err)
	}
	for name, target := range links {
		if err := link(target, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("cannot make the folder of tools: %w", err)
		}
	}
	return dir, nil
}

// link replaces a link atomically, because a concurrent run may be using the folder.
func link(target, name string) error {
	if have, err := os.Readlink(name); err == nil && have == target {
		return nil
	}
	temp := fmt.Sprintf("%s.%d", name, os.Getpid())
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, name)
}
