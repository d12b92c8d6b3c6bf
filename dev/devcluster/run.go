package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a command may take after SIGINT or SIGTERM before it is killed. Longer
// than a helm that rolls back in a small demo, shorter than a CI job's grace.
const commandGrace = 30 * time.Second

func runCommand(ctx context.Context, stop func(), args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	helm := flags.Int("helm", 4, "Helm `version` that the name helm means, 3 or 4")
	kubeconfig := flags.String("kubeconfig", os.Getenv("DEVCLUSTER_KUBECONFIG"), "use this cluster, build and start nothing")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("cannot read the flags of run: %w", err)
	}
	if *helm != 3 && *helm != 4 {
		return fmt.Errorf("--helm must be 3 or 4, not %d", *helm)
	}
	command := flags.Args()
	if len(command) == 0 {
		return errors.New("no command given, usage: devcluster run [--helm 3|4] [--kubeconfig FILE] -- CMD [ARG...]")
	}
	if *kubeconfig != "" {
		return runWith(ctx, stop, command, os.Getenv("PATH"), []string{"KUBECONFIG=" + *kubeconfig})
	}
	return runInCluster(ctx, stop, *helm, command)
}

func runInCluster(ctx context.Context, stop func(), helm int, command []string) error {
	names := clusterTools
	if helm == 3 {
		names = append([]string{"helm3"}, names...)
	}
	bin, err := ensureTools(ctx, helm, names...)
	if err != nil {
		return err
	}
	started := time.Now()
	cluster, err := startCluster(ctx, bin)
	if err != nil {
		return err
	}
	defer cluster.stop()
	progress("cluster ready in %.1f s, logs in %s", time.Since(started).Seconds(), cluster.dir)

	env := []string{"KUBECONFIG=" + cluster.kubeconfig, "OCTO_TOOLS=" + bin, "OCTO_CLUSTER_DIR=" + cluster.dir}
	if helm3 := filepath.Join(bin, "helm3"); isFile(helm3) {
		env = append(env, "OCTO_HELM3="+helm3)
	}
	return runWith(ctx, stop, command, bin+string(os.PathListSeparator)+os.Getenv("PATH"), env)
}

// runWith runs the command and returns its exit code as an error.
func runWith(ctx context.Context, stop func(), command []string, path string, env []string) error {
	// Signals go to the command from here on. Listen before letting go of ctx,
	// otherwise a signal in between would kill us and leave the cluster.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, endSignals...) // to the end: stopping the cluster must not be cut short
	if ctx.Err() != nil {
		return ctx.Err()
	}
	stop()

	program, err := lookPath(command[0], path)
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", command[0], err)
	}
	cmd := exec.Command(program, command[1:]...)
	cmd.Args[0] = command[0]
	cmd.Env = append(append(os.Environ(), env...), "PATH="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// SIGTERM, not SIGKILL: when we are killed, the command can still stop its own children.
	if err := startTied(cmd, syscall.SIGTERM, false); err != nil {
		return fmt.Errorf("cannot run %s: %w", command[0], err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	return exitOf(command[0], waitForwarding(cmd.Process, signals, exited))
}

// waitForwarding passes signals on until the command has exited.
func waitForwarding(process *os.Process, signals <-chan os.Signal, exited <-chan error) error {
	var kill <-chan time.Time
	for {
		select {
		case err := <-exited:
			return err
		case s := <-signals:
			// In a terminal Ctrl-C has reached the command already; a second
			// SIGINT makes helm and make give up without cleaning up.
			if s != os.Interrupt || !inForeground() {
				_ = process.Signal(s) // fails only when it has just exited
			}
			if kill == nil {
				kill = time.After(commandGrace)
			}
		case <-kill:
			progress("the command did not end within %s, killing it", commandGrace)
			_ = process.Kill()
		}
	}
}

func inForeground() bool {
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// exitOf turns the end of the command into the code that a shell would give.
func exitOf(name string, err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return fmt.Errorf("cannot run %s: %w", name, err)
		}
		return nil
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		return exitCode(128 + int(status.Signal()))
	}
	return exitCode(exit.ExitCode())
}

// lookPath finds the command on the command's PATH, not on ours.
func lookPath(name, path string) (string, error) {
	if strings.ContainsRune(name, os.PathSeparator) {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", exec.ErrNotFound
}
