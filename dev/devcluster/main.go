// Command devcluster builds pinned helm, kubectl and Kubernetes binaries and
// runs a command against a real control plane on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `devcluster: pinned Kubernetes tools and a real control plane on loopback

  devcluster tools [NAME...]
      Build what is missing (first time: about 15 min on 2 cores) and print the
      folder of the binaries. Without names: helm, kubectl and the cluster.
      Names: %s
      What is not built yet is looked for in KUBEBUILDER_ASSETS, PATH and
      /usr/local/kubebuilder/bin, and used if it is exactly the pinned version.
      With OCTO_BUILD_TOOLS=1 everything is built.

  devcluster run [--helm 3|4] [--kubeconfig FILE] -- CMD [ARG...]
      Start a cluster, run CMD with KUBECONFIG and PATH set, stop the cluster,
      exit with CMD's code. With --kubeconfig (or DEVCLUSTER_KUBECONFIG) nothing
      is built or started: CMD gets that cluster, and helm and kubectl from PATH.
      CMD also gets OCTO_TOOLS (folder of the binaries), OCTO_CLUSTER_DIR and
      OCTO_HELM3 (path, when helm3 was built). OCTO_CLUSTER_DIR holds NAME.log and
      NAME.pid of etcd, apiserver, controller-manager, scheduler and kwok. One that
      is killed is started again after 1 s, or once NAME.hold is removed there.
      audit.log there has each request of a service account. The addresses of
      Services are loopback addresses, so that a test can listen on them.

  devcluster charts --listen 127.0.0.1:0 --charts DIR [--username U --password P] [--ready-file F]
      Serve every chart below DIR as a chart repository and as an OCI registry.
      Prints {"url": ..., "oci": ...} when ready; GET /requests counts per path.

  devcluster image --arch ARCH --out DIR [--operator DIR --version V] [TOOL...]
      Build what the container image has, from source and for any architecture,
      into DIR/usr/local/bin, with the licenses of all its modules in
      DIR/usr/share/licenses.

  devcluster sbom --version V --out FILE DIR [DIR...]
      Write what the image consists of, whose root is these folders together, as
      an SPDX document: programs, Go modules, packages of Debian.

  devcluster oidc --port N --users FILE
      Serve an OpenID Connect issuer on loopback, for tests of access tokens.

  devcluster help

Binaries are kept in $OCTO_CACHE, else $XDG_CACHE_HOME/octo-operator, else
~/.cache/octo-operator. Broken pods on purpose: see stages.yaml.
`

// endSignals end devcluster in an orderly way. SIGHUP: a closed terminal.
var endSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals...)
	err := run(ctx, stop, os.Args[1:])
	stop()

	var exit exitCode
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}

// run carries out one command. stop ends the handling of signals by ctx, for a
// command that handles them itself.
func run(ctx context.Context, stop func(), args []string) error {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "tools":
		return toolsCommand(ctx, rest)
	case "run":
		return runCommand(ctx, stop, rest)
	case "charts":
		return chartsCommand(ctx, rest)
	case "image":
		return imageCommand(ctx, rest)
	case "sbom":
		return sbomCommand(rest)
	case "oidc":
		return oidcCommand(ctx, rest)
	case "help", "-h", "--help":
		fmt.Printf(usage, toolNames())
		return nil
	default:
		return fmt.Errorf("unknown command %q, see: devcluster help", verb)
	}
}

// exitCode is the exit code of the command that was run.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
