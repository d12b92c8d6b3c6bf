package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is a program in a process group of its own: Ctrl-C in a terminal reaches only the demo, which then stops its children in order.
// If the demo is killed, they end with it.
func (d *demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs a command and returns its standard output; an error holds its standard error.
func (d *demo) output(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := d.command(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cannot run %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// serveCharts starts the chart repository.
func (d *demo) serveCharts() error {
	cmd := d.command(context.Background(), os.Getenv("OCTO_DEVCLUSTER"), "charts", "--charts", "testdata/charts")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.onCleanUp("stopped the chart repository", func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return cmd.Wait()
	})
	var address struct{ URL string }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &address)
	}
	d.charts = address.URL
	return err
}

// killAllIn kills every process whose working directory is below dir: an operator that was killed could not stop its helm.
func killAllIn(dir string) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		links, err := filepath.Glob("/proc/[0-9]*/cwd")
		if err != nil {
			return err
		}
		left := 0
		for _, link := range links {
			cwd, linkErr := os.Readlink(link)
			pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			if linkErr == nil && pidErr == nil && strings.HasPrefix(cwd, dir+"/") {
				left++
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot kill %d processes that work in %s", left, dir)
		}
	}
}
