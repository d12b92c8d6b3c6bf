// Octo-operator deploys the workloads of an OctoMesh Communication Controller with helm and kubectl.
//
// Without a command, or with "run", it is the daemon (daemon.go, readiness.go). The other commands are in package cli.
package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"octo-operator/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	hideSecrets()
	if err := cli.Command(version, run).ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "octo-operator:", err)
		os.Exit(cli.ExitCode(err))
	}
}

// hideSecrets protects this process' environment and memory from other processes with the same user id. Among these are the programs that
// it starts: helm, kubectl, and scripts that somebody has put in place of its own.
func hideSecrets() {
	// No core dumps, which would hold secrets. helm and kubectl inherit the limit. Lowering a limit cannot fail.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// Makes root the owner of /proc/PID/environ and mem, and forbids tracing. The programs that it starts do not inherit this.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
