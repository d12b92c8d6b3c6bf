// Package cli has the program's commands, each in a file of its own, and its log.
package cli

import (
	"os"

	"github.com/spf13/cobra"

	"octo-operator/handlers/release"
)

// Command returns the program's command line. run is the daemon.
func Command(version string, run func() error) *cobra.Command {
	daemon := func(*cobra.Command, []string) error { return run() }
	root := &cobra.Command{
		Use:   "octo-operator",
		Short: "Deploys the workloads of an OctoMesh Communication Controller with helm and kubectl",
		Long: `octo-operator connects to an OctoMesh Communication Controller and deploys, undeploys, scales and updates
what it is told to, by scripts that run helm and kubectl.

Without a command it runs the daemon, as with run. The other commands are for people. They are run beside the
daemon, usually in its pod, so that they have its environment, and show what it does.`,
		Example: `  octo-operator
  kubectl exec deploy/communication-operator -- octo-operator doctor
  kubectl exec deploy/communication-operator -- octo-operator runs`,
		Annotations: daemonAnnotations,
		Args:        cobra.NoArgs, RunE: daemon, SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpFunc(printManual)
	root.AddCommand(
		runCommand(daemon),
		runsCommand(),
		valuesCommand(),
		planCommand(),
		doctorCommand(),
		scriptsCommand(),
		logLevelCommand(),
		handleCommand(),
		versionCommand(version),
		lookCommand(),
	)
	return root
}

func runCommand(daemon func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the daemon (the default)", Args: cobra.NoArgs, RunE: daemon,
		Long: `Connects to the controller and carries out its events until SIGTERM or SIGINT. Events that are not finished by
then are kept on disk and in the cluster, and resumed at the next start. A second signal ends it at once.`,
		Example:     `  OPERATOR__COMMUNICATIONCONTROLLERURI=https://controller.example.com octo-operator run`,
		Annotations: daemonAnnotations,
	}
}

// daemonAnnotations are the parts of the daemon's --help.
var daemonAnnotations = map[string]string{
	exitCodes: `0  it was ended by a signal
1  it cannot run, or another operator leads in its place; standard error says why`,
	files: `/var/lib/octo-operator/runs/*/  a directory for each event, with its inputs and outputs; see docs/debugging.md`,
	environment: `OPERATOR__COMMUNICATIONCONTROLLERURI  the controller
OPERATOR__POOLNAMESPACE               the namespace of pools and releases
OPERATOR__STATEDIR                    a directory of its own in place of /var/lib/octo-operator
OPERATOR__…, KESTREL__…               all other settings: docs/settings.md lists them
KUBECONFIG                            the cluster, as for kubectl; in a pod it is the pod's`,
}

// lookCommand is called by the script workload-deploy, not by people.
func lookCommand() *cobra.Command {
	return &cobra.Command{
		Use: "look FILE", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Refuse a rendered manifest that would touch other releases or the operator",
		Long: `Checks a rendered manifest for the script workload-deploy, which calls it in the run directory. FILE is the output of
helm template. Objects that a release must not have are an error; docs/security.md says which. FILE is rewritten: hooks and
objects of a chart's crds/ are removed, because helm does not apply them with the release.

The variables of the run say whose the manifest is. Without them, as in a terminal, nothing is checked.`,
		RunE: func(_ *cobra.Command, args []string) error {
			return release.Look(os.Environ(), args[0])
		},
	}
}
