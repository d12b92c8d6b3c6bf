// Package cli has the commands of the program, a file for each, and its log.
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
		Long: `octo-operator connects to an OctoMesh Communication Controller and deploys, undeploys and updates
what it is told to, by running scripts that run helm and kubectl.

Without a command it runs as the daemon (octo-operator run). All settings are environment variables
named OPERATOR__…; README.md lists them. It finds the cluster as kubectl does: KUBECONFIG, or the pod it runs in.`,
		Args: cobra.NoArgs, RunE: daemon, SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		runCommand(daemon),
		runsCommand(),
		valuesCommand(),
		doctorCommand(),
		scriptsCommand(),
		handleCommand(),
		logLevelCommand(),
		versionCommand(version),
		lookCommand(),
	)
	return root
}

func runCommand(daemon func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the daemon (the default)", Args: cobra.NoArgs, RunE: daemon,
		Long: `Connects to OPERATOR__COMMUNICATIONCONTROLLERURI and serves its callbacks until SIGTERM or SIGINT.
What was accepted and not finished by then is on disk, in OPERATOR__STATEDIR, and resumed at the next start.`,
	}
}

// lookCommand is called by the script workload-deploy, not by people.
func lookCommand() *cobra.Command {
	return &cobra.Command{
		Use: "look FILE", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Refuse a rendered manifest that would touch other releases or the operator",
		RunE: func(_ *cobra.Command, args []string) error {
			return release.Look(os.Environ(), args[0])
		},
	}
}
